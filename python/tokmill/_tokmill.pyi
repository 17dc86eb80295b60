# The compiled core. Its docstrings are in the extension: `help(tokmill.Tokenizer)`.

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import Any, Literal, Protocol, Self, SupportsIndex, TypeAlias, final, overload

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

__version__: str

class TokmillError(ValueError): ...
class UnknownId(TokmillError, IndexError): ...
class InternalError(RuntimeError): ...

class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

class _ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

_Text: TypeAlias = str | Buffer
_Texts: TypeAlias = Iterable[_Text] | _ArrowArray | _ArrowStream
_Ids: TypeAlias = Sequence[SupportsIndex] | npt.NDArray[np.integer[Any]]
_AllowedSpecial: TypeAlias = Literal["none", "all"] | Iterable[str]
_Side: TypeAlias = Literal["left", "right"]
_Unit: TypeAlias = Literal["char", "byte"]
_Errors: TypeAlias = Literal["replace", "strict", "ignore"]
_Format: TypeAlias = Literal["tokenizer.json", "tiktoken", "sentencepiece"]

@final
class Tokenizer:
    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        *,
        pattern: str | None = None,
        special_tokens: dict[str, int] | None = None,
        lowercase: bool | None = None,
    ) -> Self: ...
    @classmethod
    def from_bytes(
        cls,
        data: Buffer | str,
        *,
        pattern: str | None = None,
        special_tokens: dict[str, int] | None = None,
        lowercase: bool | None = None,
    ) -> Self: ...
    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        pattern: str | None = None,
        special_tokens: dict[str, int] | None = None,
        lowercase: bool | None = None,
    ) -> Self: ...
    def save(self, path: str | PathLike[str], *, format: _Format | None = None) -> None: ...
    def to_bytes(self, *, format: _Format = "tokenizer.json") -> bytes: ...
    def encode(
        self,
        text: _Text,
        *,
        allowed_special: _AllowedSpecial = "none",
        add_special_tokens: bool = False,
        threads: int | None = 1,
    ) -> npt.NDArray[np.uint32]: ...
    def encode_batch(
        self,
        texts: _Texts,
        *,
        pairs: _Texts | None = None,
        max_length: int | None = None,
        stride: int = 0,
        truncation_side: _Side = "right",
        allowed_special: _AllowedSpecial = "none",
        add_special_tokens: bool = False,
        threads: int | None = None,
    ) -> Ragged: ...
    def sample(
        self,
        text: _Text,
        *,
        alpha: float = 0.1,
        nbest: int | None = None,
        dropout: float | None = None,
        seed: int | None = None,
        allowed_special: _AllowedSpecial = "none",
    ) -> npt.NDArray[np.uint32]: ...
    def nbest(
        self, text: _Text, n: int, *, allowed_special: _AllowedSpecial = "none"
    ) -> list[tuple[npt.NDArray[np.uint32], float]]: ...
    def encode_with_offsets(
        self,
        text: _Text,
        *,
        unit: _Unit = "char",
        allowed_special: _AllowedSpecial = "none",
        add_special_tokens: bool = False,
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]: ...
    def encode_batch_with_offsets(
        self,
        texts: _Texts,
        *,
        unit: _Unit = "char",
        allowed_special: _AllowedSpecial = "none",
        add_special_tokens: bool = False,
        threads: int | None = None,
    ) -> tuple[Ragged, npt.NDArray[np.int64]]: ...
    def encode_with_type_ids(
        self,
        text: _Text,
        pair: _Text | None = None,
        *,
        max_length: int | None = None,
        truncation_side: _Side = "right",
        allowed_special: _AllowedSpecial = "none",
        add_special_tokens: bool = False,
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]: ...
    def encode_batch_with_type_ids(
        self,
        texts: _Texts,
        *,
        pairs: _Texts | None = None,
        max_length: int | None = None,
        truncation_side: _Side = "right",
        allowed_special: _AllowedSpecial = "none",
        add_special_tokens: bool = False,
        threads: int | None = None,
    ) -> tuple[Ragged, Ragged]: ...
    def count(
        self,
        text: _Text,
        *,
        allowed_special: _AllowedSpecial = "none",
        add_special_tokens: bool = False,
        threads: int | None = 1,
    ) -> int: ...
    def count_batch(
        self,
        texts: _Texts,
        *,
        allowed_special: _AllowedSpecial = "none",
        add_special_tokens: bool = False,
        threads: int | None = None,
    ) -> npt.NDArray[np.int64]: ...
    def tokens(
        self,
        text: _Text,
        *,
        allowed_special: _AllowedSpecial = "none",
        add_special_tokens: bool = False,
    ) -> list[str]: ...
    def decode(
        self,
        ids: _Ids,
        *,
        skip_special_tokens: bool = False,
        errors: _Errors = "replace",
    ) -> str: ...
    def decode_bytes(self, ids: _Ids, *, skip_special_tokens: bool = False) -> bytes: ...
    def decode_batch(
        self,
        batch: Ragged | Iterable[_Ids],
        *,
        skip_special_tokens: bool = False,
        errors: _Errors = "replace",
        threads: int | None = None,
    ) -> list[str]: ...
    def stream(self, *, skip_special_tokens: bool = False) -> DecodeStream: ...
    @property
    def vocab_size(self) -> int: ...
    def __len__(self) -> int: ...
    def vocab(self) -> dict[str, int]: ...
    def token_bytes(self, id: SupportsIndex) -> bytes: ...
    def token_id(self, token: _Text) -> int | None: ...
    @property
    def special_tokens(self) -> dict[str, int]: ...
    @property
    def merges(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def fingerprint(self) -> str: ...
    def with_special_tokens(self, tokens: dict[str, int]) -> Tokenizer: ...
    def truncated(self, vocab_size: int) -> Tokenizer: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: object, /) -> Self: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class DecodeStream:
    def push(self, id: SupportsIndex) -> str: ...
    def finish(self) -> str: ...

@final
class Ragged:
    def __new__(cls, values: npt.NDArray[np.uint32], offsets: npt.NDArray[np.int64]) -> Self: ...
    @property
    def values(self) -> npt.NDArray[np.uint32]: ...
    @property
    def offsets(self) -> npt.NDArray[np.int64]: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: SupportsIndex, /) -> npt.NDArray[np.uint32]: ...
    @overload
    def __getitem__(self, index: slice, /) -> Ragged: ...
    def __iter__(self) -> Iterator[npt.NDArray[np.uint32]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def to_padded(
        self, pad_id: int = 0, length: int | None = None, side: _Side = "right"
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]: ...

@final
class WordCounts:
    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self: ...
    def save(self, path: str | PathLike[str]) -> None: ...
    @property
    def total(self) -> int: ...
    def to_dict(self) -> dict[bytes, int]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, piece: _Text, /) -> int: ...
    def __add__(self, other: WordCounts, /) -> WordCounts: ...
    def __radd__(self, other: WordCounts, /) -> WordCounts: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class WordCounter:
    def __new__(
        cls,
        *,
        pattern: str | None,
        normalizer: str | None,
        threads: int | None,
        memory_limit: int | None,
        keep_documents: bool = False,
    ) -> Self: ...
    def push(self, documents: _Texts) -> None: ...
    def push_files(
        self,
        paths: list[str],
        *,
        unit: str,
        field: str | None,
        progress: Callable[[str, int, int | None], object] | None,
    ) -> None: ...
    def push_chunks(
        self,
        paths: list[str],
        *,
        chunk_bytes: int,
        entropy: tuple[float, float] | None,
        split: str | None,
        split_probability: float,
        seed: int,
        progress: Callable[[str, int, int | None], object] | None,
    ) -> None: ...
    def finish(self) -> WordCounts: ...

@final
class ByteEngine:
    def __new__(
        cls,
        tokenizer: Tokenizer,
        *,
        semantics: Literal["canonical", "all"] = "canonical",
        beam: int | None = None,
        verify: bool = False,
        end_of_text: int | str | None = None,
        strict: bool = False,
    ) -> Self: ...
    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def semantics(self) -> Literal["canonical", "all"]: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def end_of_text(self) -> int | None: ...
    def start(self, text: _Text = b"", prefix_ids: _Ids = ()) -> ByteState: ...

@final
class ByteState:
    def pending(self) -> ByteRequest: ...
    def supply(self, request: ByteRequest, logits: npt.ArrayLike, *, dtype: str | None = None) -> None: ...
    def next(self) -> npt.NDArray[np.float64]: ...
    def push(self, data: _Text) -> None: ...
    def rollback(self, n_bytes: int) -> None: ...
    def fork(self) -> ByteState: ...
    def cover(self) -> list[tuple[list[int], float]]: ...
    def end(self) -> float: ...
    def __copy__(self) -> ByteState: ...
    @property
    def text(self) -> bytes: ...
    @property
    def log_prob(self) -> float: ...
    @property
    def leak(self) -> float: ...
    @property
    def specials(self) -> dict[int, float]: ...
    @property
    def interval(self) -> tuple[float, float]: ...

@final
class ByteRequest:
    def __len__(self) -> int: ...
    @property
    def nodes(self) -> npt.NDArray[np.uint32]: ...
    @property
    def parents(self) -> npt.NDArray[np.int64]: ...
    @property
    def tokens(self) -> npt.NDArray[np.uint32]: ...
    @property
    def depths(self) -> npt.NDArray[np.uint32]: ...
    @property
    def sequences(self) -> Ragged: ...

def _train_bpe(counts: WordCounts, options: dict[str, object]) -> Tokenizer: ...
def _train_superbpe(counter: WordCounter, options: dict[str, object], superwords: dict[str, object]) -> Tokenizer: ...
def patterns() -> dict[str, tuple[str, ...]]: ...
def set_default_threads(n: int | None) -> None: ...
def _panic(message: str, bytes: int) -> None: ...
