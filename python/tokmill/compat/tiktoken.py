"""tiktoken's interface on tokmill's core: `Encoding`, `get_encoding` and the functions about models.

Ids, defaults, errors and their messages are those of tiktoken 0.14. Batches are encoded by the core's threads in one
call. Encodings are read from local files, as `get_encoding` tells; nothing is fetched.

>>> from tokmill.compat import tiktoken
>>> encoding = tiktoken.get_encoding("cl100k_base")
>>> encoding.encode("hello world")
[15339, 1917]
"""

from __future__ import annotations

import base64
import functools
import importlib
import json
import os
import pkgutil
import re
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt

import tokmill
from tokmill.compat import _openai
from tokmill.compat._batch import as_list, rows, threads
from tokmill.compat._continuations import Continuations
from tokmill.compat._openai import MODEL_PREFIX_TO_ENCODING, MODEL_TO_ENCODING

__version__ = "0.14.0"

__all__ = [
    "Encoding",
    "encoding_for_model",
    "encoding_name_for_model",
    "get_encoding",
    "list_encoding_names",
]

AllowedSpecial = Literal["all"] | AbstractSet[str]
DisallowedSpecial = Literal["all"] | Collection[str]

_NONE: frozenset[str] = frozenset()


class Encoding:
    """A byte-pair encoding given by its ranks, its pattern and its special tokens.

    `mergeable_ranks` gives each token its rank, which is its id and the priority of its merge; `pat_str` is the regular
    expression whose matches are encoded one by one, text between them being dropped; `special_tokens` are the strings
    that stand for an id of their own. `explicit_n_vocab` is checked against the number of tokens. What the core cannot
    encode exactly is refused with a `tokmill.TokmillError`, which is a `ValueError`.
    """

    name: str
    max_token_value: int

    def __init__(
        self,
        name: str,
        *,
        pat_str: str,
        mergeable_ranks: dict[bytes, int],
        special_tokens: dict[str, int],
        explicit_n_vocab: int | None = None,
    ) -> None:
        self.name = name
        self._pat_str = pat_str
        self._mergeable_ranks = mergeable_ranks
        self._special_tokens = special_tokens
        self.max_token_value = max(max(mergeable_ranks.values()), max(special_tokens.values(), default=0))
        if explicit_n_vocab:
            size = len(mergeable_ranks) + len(special_tokens)
            if size != explicit_n_vocab or self.max_token_value != explicit_n_vocab - 1:
                raise AssertionError(
                    f"there are {size} tokens up to {self.max_token_value}, not the {explicit_n_vocab} "
                    f"that explicit_n_vocab says"
                )
        self._special_token_values = set(special_tokens.values())
        self._special_bytes = {id: token.encode() for token, id in special_tokens.items()}
        # The core wants one string an id; others that share it are looked for here.
        self._aliases = _aliases(special_tokens)
        pattern = _openai.SAME_PATTERN.get(pat_str, pat_str)
        own = {token: id for token, id in special_tokens.items() if token not in self._aliases}
        self._core = tokmill.Tokenizer.from_bytes(_file(mergeable_ranks), pattern=pattern, special_tokens=own)

    def __repr__(self) -> str:
        return f"<Encoding {self.name!r}>"

    # -- encoding -----------------------------------------------------------------------------------------------------

    def encode_ordinary(self, text: str) -> list[int]:
        """The ids of a text, in which special tokens are text like any other."""
        return as_list(self._ids(text, _NONE))

    def encode(
        self,
        text: str,
        *,
        allowed_special: AllowedSpecial = _NONE,
        disallowed_special: DisallowedSpecial = "all",
    ) -> list[int]:
        """The ids of a text.

        Special tokens of `allowed_special` ("all", or a set) are encoded as such. Text that spells one of
        `disallowed_special` ("all": every one that is not allowed) raises a `ValueError`; `()` checks none. Special
        tokens in neither are text. Surrogate pairs count as the character they spell, lone surrogates as U+FFFD.
        """
        allowed, refused = self._special(allowed_special, disallowed_special)
        _refuse(text, refused)
        return as_list(self._ids(text, allowed))

    def encode_to_numpy(
        self,
        text: str,
        *,
        allowed_special: AllowedSpecial = _NONE,
        disallowed_special: DisallowedSpecial = "all",
    ) -> npt.NDArray[np.uint32]:
        """The ids as uint32[n]; surrogates raise a `UnicodeEncodeError`. Otherwise like `encode`."""
        allowed, refused = self._special(allowed_special, disallowed_special)
        _refuse(text, refused)
        return self._strict_ids(text, allowed)

    def encode_ordinary_batch(self, text: Iterable[str], *, num_threads: int = 8) -> list[list[int]]:
        """`encode_ordinary` of each text, on at most `num_threads` threads."""
        return self._batch(list(text), _NONE, num_threads)

    def encode_batch(
        self,
        text: Iterable[str],
        *,
        num_threads: int = 8,
        allowed_special: AllowedSpecial = _NONE,
        disallowed_special: DisallowedSpecial = "all",
    ) -> list[list[int]]:
        """`encode` of each text, on at most `num_threads` threads."""
        allowed, refused = self._special(allowed_special, disallowed_special)
        texts = list(text)
        for one in texts:
            _refuse(one, refused)
        return self._batch(texts, allowed, num_threads)

    def encode_with_unstable(
        self,
        text: str,
        *,
        allowed_special: AllowedSpecial = _NONE,
        disallowed_special: DisallowedSpecial = "all",
    ) -> tuple[list[int], list[list[int]]]:
        """The ids that more text would leave as they are, and the ways the rest may go on.

        Each of the ways is ids whose bytes begin with what the stable ids leave over of the text. Their order is not
        specified.
        """
        allowed, refused = self._special(allowed_special, disallowed_special)
        _refuse(text, refused)
        ids = self._strict_ids(text, allowed).tolist()
        last = self._last_piece_length(text, allowed)
        if last == 0:
            return ids, []
        last = self._with_spaces(ids, last)
        unstable = self.decode_bytes(ids[-last:])
        return ids[:-last], [list(completion) for completion in self._continuations.of(unstable)]

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """The id of one token, special or not; a `KeyError` where there is none."""
        token = text_or_bytes.encode() if isinstance(text_or_bytes, str) else text_or_bytes
        id = self._mergeable_ranks.get(token)
        if id is None:
            id = self._special_tokens.get(token.decode(errors="replace"))
        if id is None:
            raise KeyError(token)
        return id

    # -- decoding -----------------------------------------------------------------------------------------------------

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        """The bytes of ids; a `KeyError` names an id that is not in the vocabulary."""
        if not self._plain_special:
            tokens = list(tokens)
        try:
            if self._plain_special or self._special_token_values.isdisjoint(tokens):
                return self._core.decode_bytes(tokens)
            return b"".join(self._special_bytes.get(token) or self._core.token_bytes(token) for token in tokens)
        except tokmill.UnknownId:
            _raise_unknown(tokens, self._is_token)

    def decode(self, tokens: Sequence[int], errors: str = "replace") -> str:
        """The text of ids. `errors` says what becomes of bytes that are not UTF-8, as for `bytes.decode`."""
        return self.decode_bytes(tokens).decode("utf-8", errors=errors)

    def decode_single_token_bytes(self, token: int) -> bytes:
        """The bytes of one id, special or not; a `KeyError` where there is none."""
        if token in self._special_bytes:
            return self._special_bytes[token]
        try:
            return self._core.token_bytes(token)
        except tokmill.UnknownId:
            _check_range(token)
            raise KeyError(str(token)) from None

    def decode_tokens_bytes(self, tokens: Sequence[int]) -> list[bytes]:
        """The bytes of each id."""
        return [self.decode_single_token_bytes(token) for token in tokens]

    def decode_with_offsets(self, tokens: Sequence[int]) -> tuple[str, list[int]]:
        """The text of ids, and for each the place of the first character that holds bytes of it.

        Bytes that are not UTF-8 raise a `UnicodeDecodeError`.
        """
        parts = self.decode_tokens_bytes(tokens)
        offsets, characters = [], 0
        for part in parts:
            continues = bool(part) and 0x80 <= part[0] < 0xC0
            offsets.append(max(0, characters - continues))
            characters += sum(not 0x80 <= byte < 0xC0 for byte in part)
        return b"".join(parts).decode(), offsets

    def decode_batch(
        self, batch: Iterable[Sequence[int]], *, errors: str = "replace", num_threads: int = 8
    ) -> list[str]:
        """`decode` of each row of ids."""
        return [data.decode("utf-8", errors=errors) for data in self.decode_bytes_batch(batch, num_threads=num_threads)]

    def decode_bytes_batch(self, batch: Iterable[Sequence[int]], *, num_threads: int = 8) -> list[bytes]:
        """`decode_bytes` of each row of ids."""
        _check_threads(num_threads)
        return [self.decode_bytes(tokens) for tokens in batch]

    # -- the vocabulary -----------------------------------------------------------------------------------------------

    def token_byte_values(self) -> list[bytes]:
        """The bytes of all tokens that are not special, sorted."""
        return list(self._sorted_tokens)

    @property
    def eot_token(self) -> int:
        """The id of `<|endoftext|>`; a `KeyError` where the encoding has none."""
        return self._special_tokens[_openai.marked("endoftext")]

    @functools.cached_property
    def special_tokens_set(self) -> set[str]:
        """The special tokens."""
        return set(self._special_tokens)

    def is_special_token(self, token: int) -> bool:
        """Whether an id is that of a special token."""
        if not isinstance(token, int):
            raise AssertionError(f"an id is an int, not {type(token).__name__}")
        return token in self._special_token_values

    @property
    def n_vocab(self) -> int:
        """The largest id and one."""
        return self.max_token_value + 1

    # -- pickling -----------------------------------------------------------------------------------------------------

    def __getstate__(self) -> object:
        if self is _encodings.get(self.name):
            return self.name
        return {
            "name": self.name,
            "pat_str": self._pat_str,
            "mergeable_ranks": self._mergeable_ranks,
            "special_tokens": self._special_tokens,
        }

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, str):
            self.__dict__ = get_encoding(state).__dict__
        else:
            self.__init__(**state)  # type: ignore[misc]

    # -- private, and read by others ----------------------------------------------------------------------------------

    def _encode_single_piece(self, text_or_bytes: str | bytes) -> list[int]:
        return as_list(self._whole.encode(text_or_bytes))

    def _encode_only_native_bpe(self, text: str) -> list[int]:
        return self.encode_ordinary(text)

    def _encode_bytes(self, text: bytes) -> list[int]:
        """The ids of bytes that need not be UTF-8.

        What comes before the first byte that is not is encoded as text. From the last piece of that on, all is one
        piece.
        """
        try:
            return as_list(self._ids(text.decode(), _NONE))
        except UnicodeDecodeError as error:
            valid, rest = text[: error.start].decode(), text[error.start :]
        ids = self.encode_ordinary(valid)
        last = self._last_piece_length(valid, _NONE)
        if last > 0:
            last = self._with_spaces(ids, last)
            rest = self.decode_bytes(ids[-last:]) + rest
            ids = ids[:-last]
        return ids + self._encode_single_piece(rest)

    def _special(
        self, allowed: AllowedSpecial, disallowed: DisallowedSpecial
    ) -> tuple[AbstractSet[str], frozenset[str]]:
        special = self.special_tokens_set
        if allowed == "all":
            allowed = special
        if disallowed == "all":
            disallowed = special - allowed if allowed else self._all_special
        if not isinstance(allowed, AbstractSet):
            raise TypeError(f"{type(allowed).__name__!r} object is not an instance of 'set'")
        return allowed & special, disallowed if isinstance(disallowed, frozenset) else frozenset(disallowed)

    def _ids(self, text: str, allowed: AbstractSet[str]) -> npt.NDArray[np.uint32]:
        try:
            return self._core_ids(text, allowed)
        except tokmill.TokmillError:
            return self._core_ids(_without_surrogates(text), allowed)

    def _strict_ids(self, text: str, allowed: AbstractSet[str]) -> npt.NDArray[np.uint32]:
        try:
            return self._core_ids(text, allowed)
        except tokmill.TokmillError:
            text.encode()
            raise

    def _core_ids(self, text: str, allowed: AbstractSet[str]) -> npt.NDArray[np.uint32]:
        if not isinstance(text, str):
            raise TypeError(f"{type(text).__name__!r} object is not an instance of 'str'")
        if not allowed:
            return self._core.encode(text)
        if not self._spells_alias(text, allowed):
            return self._core.encode(text, allowed_special=allowed - self._aliases)
        parts, at = [], 0
        for match in _any_of(frozenset(allowed)).finditer(text):
            parts += [
                self._core.encode(text[at : match.start()]),
                np.array([self._special_tokens[match.group()]], dtype=np.uint32),
            ]
            at = match.end()
        return np.concatenate([*parts, self._core.encode(text[at:])])

    def _spells_alias(self, text: str, allowed: AbstractSet[str]) -> bool:
        return any(alias in allowed and alias in text for alias in self._aliases)

    def _batch(self, texts: list[str], allowed: AbstractSet[str], num_threads: int) -> list[list[int]]:
        _check_threads(num_threads)
        if any(not isinstance(text, str) for text in texts):
            raise TypeError("a text is not an instance of 'str'")
        if any(self._spells_alias(text, allowed) for text in texts):
            return [as_list(self._ids(text, allowed)) for text in texts]
        special = allowed - self._aliases or "none"
        try:
            batch = self._core.encode_batch(texts, allowed_special=special, threads=threads(num_threads))
        except tokmill.TokmillError:
            clean = [_without_surrogates(text) for text in texts]
            batch = self._core.encode_batch(clean, allowed_special=special, threads=threads(num_threads))
        return rows(batch)

    def _is_token(self, id: int) -> bool:
        try:
            self._core.token_bytes(id)
        except tokmill.UnknownId:
            return False
        return True

    @functools.cached_property
    def _plain_special(self) -> bool:
        """Whether the core spells the special tokens as they are: they are ASCII, and no two share an id."""
        return not self._aliases and all(token.isascii() for token in self._special_tokens)

    @functools.cached_property
    def _all_special(self) -> frozenset[str]:
        return frozenset(self._special_tokens)

    @functools.cached_property
    def _sorted_tokens(self) -> list[bytes]:
        return sorted(self._mergeable_ranks)

    @functools.cached_property
    def _continuations(self) -> Continuations:
        return Continuations(
            ranks=self._mergeable_ranks,
            tokens=self._sorted_tokens,
            encode=self.encode_ordinary,
            encode_piece=self._encode_single_piece,
            decode=self.decode_single_token_bytes,
        )

    @functools.cached_property
    def _whole(self) -> tokmill.Tokenizer:
        """The same merges, with all of a text as one piece."""
        filler = {f"<{id}>": id for id in self._special_token_values if id < max(self._mergeable_ranks.values())}
        return tokmill.Tokenizer.from_bytes(_file(self._mergeable_ranks), pattern=r"(?s:.)+", special_tokens=filler)

    @functools.cached_property
    def _pieces(self) -> tokmill.Tokenizer:
        """A tokenizer without a vocabulary: each piece that the pattern finds is one unknown token."""
        return tokmill.Tokenizer.from_bytes(
            json.dumps(
                {
                    "version": "1.0",
                    "added_tokens": [],
                    "pre_tokenizer": {
                        "type": "Split",
                        "pattern": {"Regex": self._pat_str},
                        "behavior": "Removed",
                        "invert": True,
                    },
                    "model": {"type": "WordLevel", "vocab": {"<unknown>": 0}, "unk_token": "<unknown>"},
                }
            )
        )

    def _last_piece_length(self, text: str, allowed: AbstractSet[str]) -> int:
        """How many ids the last piece has; 0 where the text ends with a special token or has no piece."""
        if allowed:
            text = text[max((match.end() for match in _any_of(frozenset(allowed)).finditer(text)), default=0) :]
        _, spans = self._pieces.encode_with_offsets(text)
        if not len(spans):
            return 0
        begin, end = spans[-1].tolist()
        return len(self._encode_single_piece(text[begin:end]))

    def _with_spaces(self, ids: list[int], last: int) -> int:
        """Takes the ids of white space before the last piece with it, if it begins with white space."""

        def is_space(id: int) -> bool:
            return id not in self._special_token_values and not self.decode_single_token_bytes(id).strip(b" \n\t")

        if is_space(ids[-last]):
            while last < len(ids) and is_space(ids[-last - 1]):
                last += 1
        return last


# -- encodings by name ------------------------------------------------------------------------------------------------

_lock = threading.RLock()
_encodings: dict[str, Encoding] = {}


def get_encoding(encoding_name: str, *, path: str | os.PathLike[str] | None = None) -> Encoding:
    """The encoding of a name, read once.

    The ranks come from tiktoken's cache directory (`TIKTOKEN_CACHE_DIR`, else `DATA_GYM_CACHE_DIR`, else
    `data-gym-cache` in the directory for temporary files), under tiktoken's name for the file or its own, such as
    `cl100k_base.tiktoken`. `path`, which tiktoken does not have, names the file. A file that is not the published one
    raises a `ValueError`, an absent one a `FileNotFoundError`: nothing is fetched. Encodings of `tiktoken_ext` plug-ins
    are found too.
    """
    if not isinstance(encoding_name, str):
        raise ValueError(f"Expected a string in get_encoding, got {type(encoding_name)}")
    with _lock:
        if path is None and encoding_name in _encodings:
            return _encodings[encoding_name]
        if encoding_name in _openai.PUBLISHED:
            arguments = _openai.constructor_arguments(encoding_name, path)
        elif encoding_name in (plugins := _plugins()):
            arguments = plugins[encoding_name]()
        else:
            raise ValueError(
                f"Unknown encoding {encoding_name}.\nPlugins found: {_plugin_modules()}\n"
                f"tiktoken version: {__version__} (are you on latest?)"
            )
        encoding = Encoding(**arguments)
        return encoding if path is not None else _encodings.setdefault(encoding_name, encoding)


def list_encoding_names() -> list[str]:
    """The names that `get_encoding` knows."""
    return [*_openai.PUBLISHED, *_plugins()]


def encoding_name_for_model(model_name: str) -> str:
    """The name of the encoding that a model uses; a `KeyError` where it is not known."""
    if model_name in MODEL_TO_ENCODING:
        return MODEL_TO_ENCODING[model_name]
    for prefix, encoding_name in MODEL_PREFIX_TO_ENCODING.items():
        if model_name.startswith(prefix):
            return encoding_name
    raise KeyError(
        f"Could not automatically map {model_name} to a tokeniser. "
        "Please use `tiktoken.get_encoding` to explicitly get the tokeniser you expect."
    )


def encoding_for_model(model_name: str) -> Encoding:
    """The encoding that a model uses; a `KeyError` where it is not known."""
    return get_encoding(encoding_name_for_model(model_name))


def _plugin_modules() -> list[str]:
    """The modules of the namespace package `tiktoken_ext`, but tiktoken's own, whose encodings are known here."""
    try:
        package = importlib.import_module("tiktoken_ext")
    except ImportError:
        return []
    modules = pkgutil.iter_modules(package.__path__, "tiktoken_ext.")
    return [module.name for module in modules if module.name != "tiktoken_ext.openai_public"]


@functools.cache
def _plugins() -> dict[str, Callable[[], dict[str, Any]]]:
    found: dict[str, Callable[[], dict[str, Any]]] = {}
    for module in _plugin_modules():
        constructors = getattr(importlib.import_module(module), "ENCODING_CONSTRUCTORS", None)
        if constructors is None:
            raise ValueError(f"tiktoken plugin {module} does not define ENCODING_CONSTRUCTORS")
        for name, constructor in constructors.items():
            if name in found or name in _openai.PUBLISHED:
                raise ValueError(f"Duplicate encoding name {name} in tiktoken plugin {module}")
            found[name] = constructor
    return found


# -- helpers ----------------------------------------------------------------------------------------------------------


def _file(ranks: dict[bytes, int]) -> bytes:
    """The `.tiktoken` file of ranks."""
    ordered = sorted(ranks.items(), key=lambda item: item[1])
    return b"".join(b"%b %d\n" % (base64.b64encode(token), rank) for token, rank in ordered)


def _aliases(special_tokens: dict[str, int]) -> frozenset[str]:
    """The special tokens whose id an earlier one has."""
    first: dict[int, str] = {}
    return frozenset(token for token, id in special_tokens.items() if first.setdefault(id, token) != token)


def _without_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@functools.lru_cache(maxsize=128)
def _any_of(tokens: frozenset[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(token) for token in sorted(tokens, key=len, reverse=True)))


@functools.lru_cache(maxsize=128)
def _common_prefix(tokens: frozenset[str]) -> str:
    first, last = min(tokens), max(tokens)
    return first[: next((place for place, char in enumerate(first) if last[place : place + 1] != char), len(first))]


def _refuse(text: str, refused: frozenset[str]) -> None:
    """Raises where a text spells one of the refused special tokens, which have to be given as such."""
    # Text without the prefix that they share, mostly `<|`, needs no search.
    if refused and _common_prefix(refused) in text and (match := _any_of(refused).search(text)):
        _raise_disallowed(match.group())


def _raise_disallowed(token: str) -> NoReturn:
    raise ValueError(
        f"Encountered text corresponding to disallowed special token {token!r}.\n"
        "If you want this text to be encoded as a special token, "
        f"pass it to `allowed_special`, e.g. `allowed_special={{{token!r}, ...}}`.\n"
        f"If you want this text to be encoded as normal text, disable the check for this token "
        f"by passing `disallowed_special=(enc.special_tokens_set - {{{token!r}}})`.\n"
        "To disable this check for all special tokens, pass `disallowed_special=()`.\n"
    )


def _check_range(token: int) -> None:
    if not 0 <= token < 2**32:
        raise OverflowError("out of range integral type conversion attempted")


def _raise_unknown(tokens: Sequence[int], is_token: Callable[[int], bool]) -> NoReturn:
    for token in tokens:
        _check_range(token)
    unknown = next(token for token in tokens if not is_token(token))
    raise KeyError(f"Invalid token for decoding: {unknown}") from None


def _check_threads(num_threads: int) -> None:
    if num_threads <= 0:
        raise ValueError("max_workers must be greater than 0")
