"""The decoders: what makes a text of tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence as Items
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ._component import Component, Field, Steps, boolean, character, string, unsigned
from ._regex import Regex, pattern_spec, read_pattern, stretches
from ._render import Variant

if TYPE_CHECKING:
    from ._tokenizer import Tokenizer

__all__ = [
    "CTC",
    "BPEDecoder",
    "ByteFallback",
    "ByteLevel",
    "DecodeStream",
    "Decoder",
    "Fuse",
    "Metaspace",
    "Replace",
    "Sequence",
    "Strip",
    "WordPiece",
]


_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = sorted(set(range(256)) - set(_PRINTABLE))
BYTES = {chr(byte): byte for byte in _PRINTABLE} | {chr(0x100 + n): byte for n, byte in enumerate(_OTHERS)}
"""GPT-2's byte alphabet: each byte as a printable character."""


class Decoder(Component):
    """Base of the decoders."""

    kind: ClassVar[str] = "Decoder"

    def decode(self, tokens: Items[str]) -> str:
        """The text of tokens."""
        if isinstance(tokens, str):
            raise TypeError("argument 'tokens': Can't extract `str` to `Vec`")
        return "".join(self._chain([string(token) for token in tokens]))

    def _chain(self, tokens: list[str]) -> list[str]:
        """What becomes of tokens, to be put end to end."""
        raise NotImplementedError

    @staticmethod
    def custom(decoder: Any) -> Decoder:
        """A decoder made in Python.

        It is an object with `decode(tokens)`, or with `decode_chain(tokens)` that gives strings to be put end to end.
        """
        return _Custom(decoder)


class _Custom(Decoder):
    type_name: ClassVar[str] = "Custom"

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._begin()

    @property
    def is_custom(self) -> bool:
        return True

    def spec(self) -> dict[str, Any]:
        raise Exception("Custom Decoder cannot be serialized")

    def decode(self, tokens: Items[str]) -> str:
        if hasattr(self._decoder, "decode"):
            return str(self._decoder.decode(list(tokens)))
        return super().decode(tokens)

    def _chain(self, tokens: list[str]) -> list[str]:
        return list(self._decoder.decode_chain(tokens))


class ByteLevel(Decoder):
    """Undoes the byte alphabet of GPT-2."""

    type_name: ClassVar[str] = "ByteLevel"

    # They are kept for the file, where they have no effect.
    _add_prefix_space = Field("add_prefix_space", boolean)
    _trim_offsets = Field("trim_offsets", boolean)
    _use_regex = Field("use_regex", boolean, True)

    def __init__(self, **_ignored: Any) -> None:
        self._begin(add_prefix_space=True, trim_offsets=True, use_regex=True)

    def _chain(self, tokens: list[str]) -> list[str]:
        data = b""
        for token in tokens:
            if all(c in BYTES for c in token):
                data += bytes(BYTES[c] for c in token)
            else:
                data += token.encode()
        return [data.decode(errors="replace")]


class Replace(Decoder):
    """Writes `content` for each match of a pattern."""

    type_name: ClassVar[str] = "Replace"

    _pattern = Field("pattern", read_pattern)
    _content = Field("content", string)

    def __init__(self, pattern: str | Regex, content: str) -> None:
        self._begin(pattern=pattern_spec(pattern), content=string(content))

    def _chain(self, tokens: list[str]) -> list[str]:
        ((kind, content),) = self._fields["pattern"].items()
        pattern = Regex(content) if kind == "Regex" else content

        def replaced(token: str) -> str:
            parts = stretches(pattern, token)
            return "".join(self._fields["content"] if match else token[begin:end] for begin, end, match in parts)

        return [replaced(token) for token in tokens]


class WordPiece(Decoder):
    """Joins words: tokens with `prefix` follow without a blank. `cleanup` takes blanks before punctuation away."""

    type_name: ClassVar[str] = "WordPiece"

    prefix = Field("prefix", string)
    cleanup = Field("cleanup", boolean)

    def __init__(self, prefix: str = "##", cleanup: bool = True) -> None:
        self._begin(prefix=string(prefix), cleanup=boolean(cleanup))

    def _chain(self, tokens: list[str]) -> list[str]:
        found = []
        for index, token in enumerate(tokens):
            if index:
                token = token.replace(self.prefix, "", 1) if token.startswith(self.prefix) else f" {token}"
            found.append(_cleaned(token) if self.cleanup else token)
        return found


def _cleaned(text: str) -> str:
    """A text without the blanks that word tokenizers put between punctuation."""
    for spaced in (" .", " ?", " !", " ,"):
        text = text.replace(spaced, spaced[1:])
    text = text.replace(" ' ", "'").replace(" n't", "n't").replace(" 'm", "'m").replace(" do not", " don't")
    for spaced in (" 's", " 've", " 're"):
        text = text.replace(spaced, spaced[1:])
    return text


class ByteFallback(Decoder):
    """Makes characters of byte tokens (`<0x61>`); of those that are not UTF-8, one U+FFFD each."""

    type_name: ClassVar[str] = "ByteFallback"

    def __init__(self) -> None:
        self._begin()

    def _chain(self, tokens: list[str]) -> list[str]:
        found: list[str] = []
        run = b""

        def flush() -> None:
            nonlocal run
            if run:
                try:
                    found.append(run.decode())
                except UnicodeDecodeError:
                    found.extend("\ufffd" * len(run))
                run = b""

        for token in tokens:
            match = re.fullmatch(r"<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>", token)
            if match:
                run += bytes([int(match[1], 16)])
            else:
                flush()
                found.append(token)
        flush()
        return found


class Fuse(Decoder):
    """Makes one string of all."""

    type_name: ClassVar[str] = "Fuse"

    def __init__(self) -> None:
        self._begin()

    def _chain(self, tokens: list[str]) -> list[str]:
        return ["".join(tokens)]


class Strip(Decoder):
    """Takes up to `left` characters `content` away at the beginning of each token, and up to `right` at the end."""

    type_name: ClassVar[str] = "Strip"

    content = Field("content", character)
    start = Field("start", unsigned)
    stop = Field("stop", unsigned)

    def __init__(self, content: str = " ", left: int = 0, right: int = 0) -> None:
        self._begin(content=character(content), start=unsigned(left), stop=unsigned(right))

    def _chain(self, tokens: list[str]) -> list[str]:
        def stripped(token: str) -> str:
            begin, end = 0, len(token)
            while begin < min(self.start, len(token)) and token[begin] == self.content:
                begin += 1
            while len(token) - end < min(self.stop, len(token)) and token[end - 1] == self.content:
                end -= 1
            return token[begin:end]

        return [stripped(token) for token in tokens]


def _scheme(value: Any) -> Variant:
    if string(value) not in ("first", "never", "always"):
        raise ValueError(f"{value} is an unknown variant, should be one of ['first', 'never', 'always']")
    return Variant(value)


class Metaspace(Decoder):
    """Writes blanks for `replacement`, but for the one that was put before the text."""

    type_name: ClassVar[str] = "Metaspace"

    replacement = Field("replacement", character)
    prepend_scheme = Field("prepend_scheme", _scheme, Variant("always"), show=str)
    split = Field("split", boolean, True)

    def __init__(self, replacement: str = "▁", prepend_scheme: str = "always", split: bool = True) -> None:
        self._begin(
            replacement=character(replacement),
            prepend_scheme=_scheme(prepend_scheme),
            split=boolean(split),
        )

    def _chain(self, tokens: list[str]) -> list[str]:
        found = []
        for index, token in enumerate(tokens):
            dropped = index == 0 and self.prepend_scheme != "never"
            found.append(token.replace(self.replacement, "" if dropped else " "))
        return found


class BPEDecoder(Decoder):
    """Writes a blank for `suffix`, which marks the end of a word."""

    type_name: ClassVar[str] = "BPEDecoder"

    suffix = Field("suffix", string)

    def __init__(self, suffix: str = "</w>") -> None:
        self._begin(suffix=string(suffix))

    def _chain(self, tokens: list[str]) -> list[str]:
        last = len(tokens) - 1
        return [token.replace(self.suffix, "" if index == last else " ") for index, token in enumerate(tokens)]


class CTC(Decoder):
    """Joins what a CTC model gives: repeated tokens are one, `pad_token` is nothing, `word_delimiter_token` a blank."""

    type_name: ClassVar[str] = "CTC"

    pad_token = Field("pad_token", string)
    word_delimiter_token = Field("word_delimiter_token", string)
    cleanup = Field("cleanup", boolean)

    def __init__(self, pad_token: str = "<pad>", word_delimiter_token: str = "|", cleanup: bool = True) -> None:
        self._begin(
            pad_token=string(pad_token),
            word_delimiter_token=string(word_delimiter_token),
            cleanup=boolean(cleanup),
        )

    def _chain(self, tokens: list[str]) -> list[str]:
        found = []
        before = None
        for token in tokens:
            if token == before:
                continue
            before = token
            text = token.replace(self.pad_token, "")
            if self.cleanup:
                text = _cleaned(text).replace(self.word_delimiter_token, " ")
            if text:
                found.append(text)
        return found


class Sequence(Steps, Decoder):
    """Decoders one after the other."""

    type_name: ClassVar[str] = "Sequence"
    steps_key: ClassVar[str] = "decoders"

    def __init__(self, decoders: list[Decoder]) -> None:
        self._begin_steps(decoders)

    def _chain(self, tokens: list[str]) -> list[str]:
        for step in self.steps:
            assert isinstance(step, Decoder)
            tokens = step._chain(tokens)
        return tokens


class DecodeStream:
    """Decodes ids one after the other.

    `step` gives the text that is certain with the ids so far, beyond what it has given before, or `None` where there is
    none yet. `ids` are those that come before the stream.
    """

    def __init__(self, ids: Items[int] | None = None, skip_special_tokens: bool | None = False) -> None:
        self._skip_special_tokens = bool(skip_special_tokens)
        self._ids = [unsigned(id) for id in ids or ()]
        self._prefix = ""
        self._prefix_index = 0

    def step(self, tokenizer: Any, id: Any) -> str | None:
        """Takes one id or several, of a `Tokenizer`."""
        from ._tokenizer import Tokenizer

        if not isinstance(tokenizer, Tokenizer):
            kind = type(tokenizer).__name__
            raise TypeError(f"argument 'tokenizer': {kind!r} object is not an instance of 'Tokenizer'")
        if hasattr(id, "__index__"):
            more = [id.__index__()]
        elif isinstance(id, str) or not hasattr(id, "__iter__"):
            raise TypeError("StreamInput must be either an integer or a list of integers")
        else:
            more = [unsigned(one) for one in id]
        if not self._prefix and self._ids:
            prefix = self._decode(tokenizer, self._ids)
            if not prefix.endswith("\ufffd"):
                self._prefix = prefix
                self._prefix_index = len(self._ids)
        self._ids.extend(more)
        text = self._decode(tokenizer, self._ids)
        if len(text.encode()) <= len(self._prefix.encode()) or text.endswith("\ufffd"):
            return None
        if not text.startswith(self._prefix):
            raise Exception(
                f"Invalid prefix encountered while decoding stream. Token ID: {self._ids[-1]}, "
                f"Expected prefix: '{self._prefix}', Actual string: '{text}'"
            )
        new = text[len(self._prefix) :]
        index = len(self._ids) - self._prefix_index
        self._ids = self._ids[self._prefix_index :]
        self._prefix = self._decode(tokenizer, self._ids)
        self._prefix_index = index
        return new

    def _decode(self, tokenizer: Tokenizer, ids: list[int]) -> str:
        return tokenizer.decode(ids, self._skip_special_tokens)

    def __copy__(self) -> Self:
        copy = type(self)(self._ids, self._skip_special_tokens)
        copy._prefix, copy._prefix_index = self._prefix, self._prefix_index
        return copy

    def __deepcopy__(self, memo: Any) -> Self:
        return self.__copy__()
