"""What stands in for classes of tokenizers where transformers has them: a tokenizer's backend, and `DecodeStream`."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import tokenizers

from tokmill.compat.tokenizers import Encoding, Tokenizer, decoders

OwnersDecodeStream = tokenizers.decoders.DecodeStream

_SPELLS_AS_WRITTEN = tuple(int(part) for part in tokenizers.__version__.split(".")[:2]) < (0, 23)
"""Before 0.23, an added token is spelled as it was given, and not as the normalizer leaves it."""


class Backend(Tokenizer):
    """A tokenizer of the face whose added tokens are those of the owner's class, which transformers tests for."""

    __slots__ = ()

    @classmethod
    def of(cls, json: str) -> Self:
        """The tokenizer of a tokenizer.json."""
        return cls._dressed(Tokenizer.from_str(json))

    @classmethod
    def _dressed(cls, tokenizer: Any) -> Self:
        tokenizer.__class__ = cls
        assert isinstance(tokenizer, cls)
        return tokenizer

    def get_added_tokens_decoder(self) -> dict[int, Any]:
        """Ids to added tokens."""
        names = ("single_word", "lstrip", "rstrip", "normalized", "special")
        return {
            id: tokenizers.AddedToken(token.content, **{name: getattr(token, name) for name in names})
            for id, token in super().get_added_tokens_decoder().items()
        }

    def encode_batch(
        self, input: Any, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> list[Encoding]:
        """The encodings of many inputs, which give arrays inside `arrays`."""
        encodings = super().encode_batch(input, is_pretokenized, add_special_tokens)
        return [ArrayEncoding.of_lazy(encoding) for encoding in encodings] if _wanted() else encodings

    def _twin(self) -> Any:
        """The owner's tokenizer, where it spells added tokens otherwise than the face does, else nothing."""
        if not _SPELLS_AS_WRITTEN or self.normalizer is None:
            return None
        revision, twin = self.__dict__.get("_spelling", (None, None))
        if revision != self._revision():
            tokens = [token.content for _, token in self._added if token.normalized]
            differ = any(self.normalizer.normalize_str(content) != content for content in tokens)
            twin = tokenizers.Tokenizer.from_str(self.to_str()) if differ else None
            self.__dict__["_spelling"] = self._revision(), twin
        return twin

    def id_to_token(self, id: int) -> str | None:
        """The token with an id."""
        twin = self._twin()
        token: str | None = super().id_to_token(id) if twin is None else twin.id_to_token(id)
        return token

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of ids."""
        twin = self._twin()
        if twin is not None:
            return str(twin.decode(ids, skip_special_tokens))
        return super().decode(ids, skip_special_tokens)

    def decode_batch(self, sequences: Sequence[Sequence[int]], skip_special_tokens: bool = True) -> list[str]:
        """The texts of many lists of ids."""
        twin = self._twin()
        if twin is not None:
            return list(twin.decode_batch(sequences, skip_special_tokens))
        return super().decode_batch(sequences, skip_special_tokens)

    def __deepcopy__(self, memo: Any) -> Self:
        return self._dressed(super().__deepcopy__(memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.__getstate__(),)


def _restored(state: bytes) -> Backend:
    return Backend.of(state.decode())


_mode = threading.local()


def _wanted() -> bool:
    return getattr(_mode, "arrays", False)


@contextmanager
def arrays() -> Iterator[None]:
    """Lets encodings of this thread give numpy arrays where lists are to become tensors anyway."""
    before = _wanted()
    _mode.arrays = True
    try:
        yield
    finally:
        _mode.arrays = before


class ArrayEncoding(Encoding):
    """An encoding whose numbers come as int64[n] inside `arrays`, and as lists elsewhere."""

    __slots__ = ()

    @classmethod
    def of_lazy(cls, encoding: Encoding) -> Encoding:
        """The same encoding, unless its lists are written out already."""
        if encoding._columns is None:
            encoding.__class__ = cls
        return encoding

    def _numbers(self, name: str) -> Any:
        if not _wanted() or self._columns is not None:
            return super()._list(name)
        assert self._plan is not None
        assert self._row is not None
        return self._plan.array(name, self._row)

    @property
    def ids(self) -> Any:
        """The ids."""
        return self._numbers("ids")

    @property
    def offsets(self) -> Any:
        """Begin and end of each token, as int64[n, 2] where there are any."""
        return self._numbers("offsets") if len(self) else super()._list("offsets")

    @property
    def type_ids(self) -> Any:
        """The type ids."""
        return self._numbers("type_ids")

    @property
    def attention_mask(self) -> Any:
        """0 for padding, 1 for other tokens."""
        return self._numbers("attention_mask")

    @property
    def special_tokens_mask(self) -> Any:
        """1 for special tokens and padding, 0 for other tokens."""
        return self._numbers("special_tokens_mask")


class TensorMethod:
    """Stands before the method of a tokenizer that encodes batches: where tensors are asked for, arrays go into them.

    transformers collects Python numbers and makes tensors of them, which takes longer than to encode the texts.
    """

    NAMES = ("_batch_encode_plus", "_encode_plus")
    """The method in transformers 4 and in 5."""

    def __init__(self, tokenizer: Any, name: str) -> None:
        self._tokenizer = tokenizer
        self._name = name

    @classmethod
    def install(cls, tokenizer: Any) -> None:
        """Puts one before the method of a tokenizer."""
        name = next((name for name in cls.NAMES if hasattr(type(tokenizer), name)), None)
        if name is not None:
            vars(tokenizer)[name] = cls(tokenizer, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        method = getattr(type(self._tokenizer), self._name)
        if kwargs.get("return_tensors") in ("np", "pt") and isinstance(self._tokenizer._tokenizer, Backend):
            with arrays():
                return method(self._tokenizer, *args, **kwargs)
        return method(self._tokenizer, *args, **kwargs)


class DecodeStream:
    """The owner's `DecodeStream`, which also takes a `Tokenizer` of tokmill."""

    def __init__(self, ids: Sequence[int] | None = None, skip_special_tokens: bool = False) -> None:
        self._arguments = (list(ids or []), skip_special_tokens)
        self._stream: Any = None

    def step(self, tokenizer: Any, id: int | Sequence[int]) -> str | None:
        """Takes one more id, or several, and gives the text that is complete with them, if any is."""
        twin = tokenizer._twin() if isinstance(tokenizer, Backend) else None
        tokenizer = tokenizer if twin is None else twin
        if self._stream is None:
            kind = decoders.DecodeStream if isinstance(tokenizer, Tokenizer) else OwnersDecodeStream
            self._stream = kind(*self._arguments)
        text: str | None = self._stream.step(tokenizer, id)
        return text

    def __copy__(self) -> DecodeStream:
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: Any) -> DecodeStream:
        twin = DecodeStream(*self._arguments)
        twin._stream = copy.deepcopy(self._stream, memo)
        return twin
