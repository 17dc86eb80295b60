"""sentencepiece's `SentencePieceProcessor` on tokmill's core, with the interface of sentencepiece 0.2.3.

Ids, pieces, offsets and defaults are those of sentencepiece; batches are encoded by the core's threads in one call.
Models are trained by `tokmill.train_unigram` or by sentencepiece itself; there is no trainer here.

>>> from tokmill.compat import sentencepiece
>>> processor = sentencepiece.SentencePieceProcessor(model_file="m.model")
>>> processor.encode("hello world", out_type=str)
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import tokmill
from tokmill.compat import _sentencepiece_model as spm
from tokmill.compat._batch import threads
from tokmill.compat._sentencepiece_form import Form, ReturnType, Text, Texts, check_text, normalized, not_unicode
from tokmill.compat._sentencepiece_model import NBestSentencePieceText, SentencePiece, SentencePieceText
from tokmill.compat._sentencepiece_names import add_names

__version__ = "0.2.3"

__all__ = [
    "NBestSentencePieceText",
    "SentencePiece",
    "SentencePieceNormalizer",
    "SentencePieceProcessor",
    "SentencePieceText",
    "ThreadPool",
    "set_min_log_level",
    "set_nbest_timeout",
    "set_random_generator_seed",
]

_RETURN_TYPES = (int, str, bytes, "proto", "serialized_proto", "numpy", "offset_mapping")
_MAX_NBEST = 512

_random = random.Random()


def set_random_generator_seed(seed: int) -> None:
    """Makes the samples that follow in this process the same each time."""
    _random.seed(seed)


def set_min_log_level(level: int) -> None:
    """Does nothing: tokmill writes no log."""


def set_nbest_timeout(milliseconds: int) -> None:
    """Takes 0, for no limit; the search for the best segmentations cannot be cut short by a clock."""
    if milliseconds != 0:
        raise NotImplementedError("a time limit for nbest_encode is not supported")


class ThreadPool:
    """How many threads a batch may use. The core starts its threads for each call, so this only holds the number."""

    def __init__(self, num_threads: int = -1) -> None:
        self._num_threads = num_threads if num_threads > 0 else os.cpu_count() or 1

    def num_threads(self) -> int:
        """The number of threads."""
        return self._num_threads


class SentencePieceProcessor:
    """Encodes and decodes with a sentencepiece model, given by its file or its bytes.

    The other arguments are defaults for the methods. `out_type` and `return_type` are names for the same: int, str,
    bytes, "numpy", "offset_mapping", "proto" or "serialized_proto". A text is a str or bytes; a list of texts gives a
    list of results.
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str] | None = None,
        model_proto: Any = None,
        out_type: ReturnType | None = None,
        add_bos: bool = False,
        add_eos: bool = False,
        reverse: bool = False,
        emit_unk_piece: bool = False,
        enable_sampling: bool = False,
        nbest_size: int = -1,
        alpha: float = 0.1,
        num_threads: int = -1,
        return_type: ReturnType | None = None,
    ) -> None:
        self._return_type: ReturnType = int
        self._return_type = self._resolve(return_type, out_type)
        self._add_bos = add_bos
        self._add_eos = add_eos
        self._reverse = reverse
        self._emit_unk_piece = emit_unk_piece
        self._enable_sampling = enable_sampling
        self._nbest_size = nbest_size
        self._alpha = alpha
        self._num_threads = num_threads
        self._model: spm.Loaded | None = None
        if model_file or model_proto:
            self.load(model_file=model_file, model_proto=model_proto)

    # -- loading ------------------------------------------------------------------------------------------------------

    @classmethod
    def from_file(cls, model_file: str | os.PathLike[str], **kwargs: Any) -> SentencePieceProcessor:
        """A processor of a model file."""
        _no_model(kwargs)
        return cls(model_file=model_file, **kwargs)

    @classmethod
    def from_proto(cls, model_proto: Any, **kwargs: Any) -> SentencePieceProcessor:
        """A processor of the bytes of a model file, or of a protobuf message."""
        _no_model(kwargs)
        return cls(model_proto=model_proto, **kwargs)

    def load(self, model_file: str | os.PathLike[str] | None = None, model_proto: Any = None) -> bool:
        """Loads a model from its file or its bytes."""
        if model_file and model_proto:
            raise ValueError("model_file and model_proto must be exclusive.")
        if model_proto:
            return self.load_from_serialized_proto(model_proto)
        if model_file:
            return self.load_from_file(model_file)
        raise ValueError("Either model_file or model_proto must be specified.")

    def load_from_file(self, filename: str | os.PathLike[str]) -> bool:
        """Loads a model file."""
        try:
            data = Path(filename).read_bytes()
        except OSError as error:
            raise RuntimeError(f'NOT_FOUND: "{os.fspath(filename)}": {error.strerror}') from error
        return self.load_from_serialized_proto(data)

    def load_from_serialized_proto(self, serialized: Any) -> bool:
        """Loads the bytes of a model file, or a protobuf message."""
        if hasattr(serialized, "SerializeToString"):
            serialized = serialized.SerializeToString()
        try:
            self._model = spm.Loaded(bytes(serialized))
        except tokmill.TokmillError as error:
            raise RuntimeError(f"INTERNAL: {error}") from error
        return True

    def serialized_model_proto(self) -> bytes:
        """The bytes of the model file."""
        return self._model.proto if self._model else b""

    # -- text to ids --------------------------------------------------------------------------------------------------

    def encode(
        self,
        input: Text | Texts,
        add_bos: bool | None = None,
        add_eos: bool | None = None,
        reverse: bool | None = None,
        emit_unk_piece: bool | None = None,
        enable_sampling: bool | None = None,
        nbest_size: int | None = None,
        alpha: float | None = None,
        num_threads: int | None = None,
        thread_pool: ThreadPool | None = None,
        return_type: ReturnType | None = None,
        out_type: ReturnType | None = None,
        return_bytes: bool | None = None,
    ) -> Any:
        """The segmentation of a text, or of each of a list, in the form that `return_type` says.

        - int, "numpy": ids, as a list or as int32[n] that is not to be written to
        - str, bytes: pieces; unknown text stands for itself unless `emit_unk_piece`
        - "offset_mapping": a dict of ids, pieces and offsets, in characters of a str and in bytes of bytes
        - "proto", "serialized_proto": a `SentencePieceText`, or its bytes

        `enable_sampling` draws a random segmentation: of all (`nbest_size` -1) or of the `nbest_size` best of a Unigram
        model, with weights of exponent `alpha`; of a BPE model, passing over merges as often as `alpha` says.
        """
        return_type = self._resolve(return_type, out_type)
        if return_bytes is not None and return_type != "offset_mapping":
            raise ValueError("return_bytes is only supported when return_type='offset_mapping'")
        form = self._form(return_type, add_bos, add_eos, reverse, emit_unk_piece, return_bytes)
        sampling = self._sampling(enable_sampling, nbest_size, alpha)
        wanted = self._threads(num_threads, thread_pool)
        if not isinstance(input, list):
            check_text(input, "Input must be str or bytes")
            if sampling is not None:
                return form.one(input, sampling(input))
            return form.one(input, None)
        for text in input:
            check_text(text, "List elements must be str or bytes")
        if sampling is not None:
            return [form.one(text, sampling(text)) for text in input]
        return form.batch(input, wanted)

    def nbest_encode(
        self,
        input: Text | Texts,
        add_bos: bool | None = None,
        add_eos: bool | None = None,
        reverse: bool | None = None,
        emit_unk_piece: bool | None = None,
        nbest_size: int | None = None,
        return_type: ReturnType | None = None,
        out_type: ReturnType | None = None,
    ) -> Any:
        """The `nbest_size` best segmentations by a Unigram model, best first, each in the form of `encode`."""
        return_type = self._resolve(return_type, out_type)
        if return_type == "offset_mapping":
            raise ValueError(f"unknown return_type={return_type}")
        form = self._form(return_type, add_bos, add_eos, reverse, emit_unk_piece, None)
        count = max(1, self._nbest_size if nbest_size is None else nbest_size)
        if count > _MAX_NBEST:
            raise RuntimeError(f"INTERNAL: nbest_size must be nbest_size <= {_MAX_NBEST}")
        if not self._loaded.model.is_unigram:
            raise RuntimeError("INTERNAL: NBestEncode is not available for the current model.")

        def one(text: Text) -> Any:
            check_text(text, "Input must be str or bytes")
            with not_unicode():
                found = self._loaded.core.nbest(text, count)
            if return_type in ("proto", "serialized_proto"):
                nbests = NBestSentencePieceText(
                    [form.message(text, ids, score if count > 1 else 0.0) for ids, score in found]
                )
                return nbests if return_type == "proto" else nbests.SerializeToString()
            return [form.one(text, ids) for ids, _ in found]

        return [one(text) for text in input] if isinstance(input, list) else one(input)

    def parallel_encode(
        self,
        input: Text | Texts,
        add_bos: bool | None = None,
        add_eos: bool | None = None,
        reverse: bool | None = None,
        emit_unk_piece: bool | None = None,
        chunk_len: int | None = None,
        num_threads: int | None = None,
        thread_pool: ThreadPool | None = None,
        return_type: ReturnType | None = None,
        out_type: ReturnType | None = None,
    ) -> Any:
        """Encodes one long text on several threads, with the ids of `encode`. The core chooses where to cut."""
        return_type = self._resolve(return_type, out_type)
        wanted = self._threads(num_threads, thread_pool)
        if chunk_len is None or not isinstance(chunk_len, int) or chunk_len <= 0:
            raise ValueError("chunk_len must be positive.")
        if return_type == "offset_mapping":
            raise ValueError(f"unknown return_type={return_type}")
        form = self._form(return_type, add_bos, add_eos, reverse, emit_unk_piece, None)

        def one(text: Text) -> Any:
            check_text(text, "Input must be str or bytes")
            if form.spans:
                return form.one(text, None)
            with not_unicode():
                return form.one(text, self._loaded.core.encode(text, threads=wanted))

        return [one(text) for text in input] if isinstance(input, list) else one(input)

    def sample_encode_as_pieces(
        self, input: Any, nbest_size: int | None = None, alpha: float | None = None, **kwargs: Any
    ) -> Any:
        """`encode` with `enable_sampling` to pieces."""
        return self.encode(input, nbest_size=nbest_size, alpha=alpha, return_type=str, enable_sampling=True, **kwargs)

    def sample_encode_as_ids(
        self, input: Any, nbest_size: int | None = None, alpha: float | None = None, **kwargs: Any
    ) -> Any:
        """`encode` with `enable_sampling` to ids."""
        return self.encode(input, nbest_size=nbest_size, alpha=alpha, return_type=int, enable_sampling=True, **kwargs)

    def sample_encode_as_numpy(
        self, input: Any, nbest_size: int | None = None, alpha: float | None = None, **kwargs: Any
    ) -> Any:
        """`encode` with `enable_sampling` to int32[n]."""
        return self.encode(
            input, nbest_size=nbest_size, alpha=alpha, return_type="numpy", enable_sampling=True, **kwargs
        )

    def sample_encode_as_proto(
        self, input: Any, nbest_size: int | None = None, alpha: float | None = None, **kwargs: Any
    ) -> Any:
        """`encode` with `enable_sampling` to a `SentencePieceText`."""
        return self.encode(
            input, nbest_size=nbest_size, alpha=alpha, return_type="proto", enable_sampling=True, **kwargs
        )

    # -- ids to text --------------------------------------------------------------------------------------------------

    def decode(
        self,
        input: Any,
        return_type: ReturnType | None = None,
        out_type: ReturnType | None = None,
        num_threads: int | None = None,
        thread_pool: ThreadPool | None = None,
        return_bytes: bool | None = None,
    ) -> Any:
        """The text of ids or of pieces, or of each row of a batch of them: lists, tuples or arrays.

        `return_type` is str, bytes, "offset_mapping", "proto" or "serialized_proto". An id out of range raises an
        `IndexError`.
        """
        return_type = self._resolve(return_type, out_type, default=str)
        if return_bytes is not None and return_type != "offset_mapping":
            raise ValueError("return_bytes is only supported when return_type='offset_mapping'")
        wanted = self._threads(num_threads, thread_pool)
        if return_type in (int, "numpy"):
            raise ValueError(f"unknown return_type={return_type} or input type")
        if input is None or (isinstance(input, str | bytes) and not input):
            input = []
        if not _is_sequence(input):
            input = [input]
        batch = input.ndim > 1 if hasattr(input, "ndim") else len(input) > 0 and _is_sequence(input[0])
        if not batch:
            return self._decode_one(input, return_type, bool(return_bytes))
        if return_type is str and not any(_are_pieces(row) for row in input):
            with _bad_ids():
                return self._loaded.core.decode_batch(list(input), threads=wanted)
        return [self._decode_one(row, return_type, bool(return_bytes)) for row in input]

    def _decode_one(self, row: Any, return_type: ReturnType, return_bytes: bool) -> Any:
        pieces = _are_pieces(row)
        if not pieces and return_type in (str, bytes):
            with _bad_ids():
                text = self._loaded.core.decode(row)
            return text if return_type is str else text.encode()
        if pieces:
            return_bytes = return_bytes or isinstance(row[0], bytes)
            spelled = [piece.decode() if isinstance(piece, bytes) else piece for piece in row]
            items = [(piece, self._loaded.model.ids.get(piece, self._loaded.model.unk_id)) for piece in spelled]
        else:
            with _bad_ids():
                ids = [int(id) for id in np.asarray(row, dtype=np.int64)] if len(row) else []
                items = [(self._piece(id), id) for id in ids]
        surfaces = self._loaded.model.decode(items)
        text = "".join(surfaces)
        if return_type is str and not (pieces and isinstance(row[0], bytes)):
            return text
        if return_type in (str, bytes):
            return text.encode()
        encoded = [surface.encode() for surface in surfaces]
        in_bytes = return_bytes or return_type != "offset_mapping"
        spans = _running(encoded if in_bytes else surfaces)
        if return_type == "offset_mapping":
            return {
                "text": text.encode() if return_bytes else text,
                "ids": [id for _, id in items],
                "pieces": [piece.encode() if return_bytes else piece for piece, _ in items],
                "offsets": spans,
            }
        rows = [(*item, surface, *span) for item, surface, span in zip(items, encoded, spans, strict=True)]
        message = spm.text_message(text.encode(), rows)
        return message if return_type == "proto" else message.SerializeToString()

    # -- the normaliser -----------------------------------------------------------------------------------------------

    def normalize(self, input: Text | Texts, with_offsets: bool | None = None) -> Any:
        """What the model makes of a text before it is segmented, or of each of a list.

        `with_offsets` gives with it the place in the text of each character, and of its end; bytes of bytes.
        """
        return normalized(self._loaded.normalizer, input, with_offsets)

    # -- the vocabulary -----------------------------------------------------------------------------------------------

    def get_piece_size(self) -> int:
        """The number of pieces; 0 before a model is loaded."""
        return self._model.core.vocab_size if self._model else 0

    def piece_size(self) -> int:
        """The number of pieces."""
        return self.get_piece_size()

    def vocab_size(self) -> int:
        """The number of pieces."""
        return self.get_piece_size()

    def piece_to_id(self, piece: Any) -> Any:
        """The id of a piece, or of each of a sequence; of unknown pieces `unk_id()`."""
        if isinstance(piece, str | bytes):
            spelled = piece.decode() if isinstance(piece, bytes) else piece
            return self._loaded.model.ids.get(spelled, self._loaded.model.unk_id)
        if not isinstance(piece, Sequence) or any(not isinstance(one, str | bytes) for one in piece):
            raise TypeError("Sequence elements must be str or bytes")
        return [self.piece_to_id(one) for one in piece]

    def id_to_piece(self, id: Any) -> Any:
        """The piece of an id, or of each of a sequence."""
        return self._of_ids(id, self._piece)

    def get_score(self, id: Any) -> Any:
        """The score of an id, or of each of a sequence."""
        return self._of_ids(id, lambda one: self._loaded.model.scores[self._checked(one)])

    def is_unknown(self, id: Any) -> Any:
        """Whether an id, or each of a sequence, is the unknown piece."""
        return self._of_ids(id, lambda one: self._loaded.model.types[self._checked(one)] == spm.UNKNOWN)

    def is_control(self, id: Any) -> Any:
        """Whether an id, or each of a sequence, is a control piece, such as `<s>`."""
        return self._of_ids(id, lambda one: self._loaded.model.types[self._checked(one)] == spm.CONTROL)

    def is_unused(self, id: Any) -> Any:
        """Whether an id, or each of a sequence, is of a piece that is not used."""
        return self._of_ids(id, lambda one: self._loaded.model.types[self._checked(one)] == spm.UNUSED)

    def is_byte(self, id: Any) -> Any:
        """Whether an id, or each of a sequence, stands for a byte."""
        return self._of_ids(id, lambda one: self._loaded.model.types[self._checked(one)] == spm.BYTE)

    def unk_id(self) -> int:
        """The id of the unknown piece."""
        return self._loaded.model.unk_id

    def bos_id(self) -> int:
        """The id of the piece for the beginning of a text, or -1."""
        return self._loaded.model.bos_id

    def eos_id(self) -> int:
        """The id of the piece for the end of a text, or -1."""
        return self._loaded.model.eos_id

    def pad_id(self) -> int:
        """The id of the piece for padding, or -1."""
        return self._loaded.model.pad_id

    def __len__(self) -> int:
        return self.get_piece_size()

    def __getitem__(self, piece: Any) -> Any:
        return self.piece_to_id(piece)

    def set_encode_extra_options(self, options: str) -> bool:
        """Sets defaults of `encode` in the way of sentencepiece 0.2.1: "bos:eos:reverse:unk", in any choice."""
        names = set(filter(None, options.split(":")))
        if unknown := names - {"bos", "eos", "reverse", "unk", "unk_piece"}:
            raise RuntimeError(f"option {min(unknown)!r} is not available")
        self._add_bos, self._add_eos, self._reverse = "bos" in names, "eos" in names, "reverse" in names
        self._emit_unk_piece = bool(names & {"unk", "unk_piece"})
        return True

    # -- pickling -----------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name != "_model"}
        return {**state, "model_proto": self.serialized_model_proto()}

    def __setstate__(self, state: Any) -> None:
        # Pickles of old versions hold the model alone.
        state = dict(state) if isinstance(state, dict) else {"model_proto": state}
        SentencePieceProcessor.__init__(self)
        if proto := state.pop("model_proto"):
            self.load_from_serialized_proto(proto)
        self.__dict__.update(state)

    # -- what the methods share ---------------------------------------------------------------------------------------

    @property
    def _loaded(self) -> spm.Loaded:
        if self._model is None:
            raise RuntimeError("INTERNAL: Model is not initialized.")
        return self._model

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...  # the names that `_aliases` sets

    def _resolve(
        self, return_type: ReturnType | None, out_type: ReturnType | None, default: ReturnType | None = None
    ) -> ReturnType:
        if out_type is not None and return_type is not None:
            raise ValueError("Cannot specify both out_type and return_type. Use return_type instead.")
        chosen = next((one for one in (return_type, out_type, default) if one is not None), self._return_type)
        if chosen not in _RETURN_TYPES:
            raise ValueError(f"Invalid return_type: {chosen}. Must be one of {_RETURN_TYPES}")
        return chosen

    def _form(
        self,
        return_type: ReturnType,
        add_bos: bool | None,
        add_eos: bool | None,
        reverse: bool | None,
        emit_unk_piece: bool | None,
        return_bytes: bool | None,
    ) -> Form:
        bos = self._add_bos if add_bos is None else add_bos
        eos = self._add_eos if add_eos is None else add_eos
        turned = self._reverse if reverse is None else reverse
        unk = self._emit_unk_piece if emit_unk_piece is None else emit_unk_piece
        return Form(self._loaded, return_type, bos, eos, turned, unk, return_bytes)

    def _sampling(
        self, enable: bool | None, nbest_size: int | None, alpha: float | None
    ) -> Callable[[Text], npt.NDArray[np.uint32]] | None:
        if not (self._enable_sampling if enable is None else enable):
            return None
        size = self._nbest_size if nbest_size is None else nbest_size
        exponent = self._alpha if alpha is None else alpha
        if size in (None, 0, 1) or exponent is None:
            raise ValueError(
                'When enable_sampling is True, We must specify "nbest_size > 1" or "nbest_size = -1", and "alpha". '
                '"nbest_size" is enabled only on unigram mode ignored in BPE-dropout. '
                'when "nbest_size = -1" , this method samples from all candidates on the lattice '
                "instead of nbest segmentations."
            )
        if not self._loaded.model.is_unigram:
            return lambda text: self._loaded.core.sample(text, dropout=min(1.0, exponent), seed=_random.getrandbits(63))
        if size > _MAX_NBEST:
            raise RuntimeError(f"INTERNAL: nbest_size must be nbest_size <= {_MAX_NBEST}")
        nbest = size if size > 1 else None
        return lambda text: self._loaded.core.sample(text, alpha=exponent, nbest=nbest, seed=_random.getrandbits(63))

    def _threads(self, num_threads: int | None, pool: ThreadPool | None) -> int | None:
        wanted = self._num_threads if num_threads is None else num_threads
        if not isinstance(wanted, int):
            raise TypeError("num_threads must be int")
        if pool is not None:
            wanted = pool.num_threads()
        return threads(wanted) if wanted > 0 else None

    def _checked(self, id: int) -> int:
        if not 0 <= id < self.get_piece_size():
            raise IndexError("OUT_OF_RANGE: piece id is out of range.")
        return id

    def _piece(self, id: int) -> str:
        return self._loaded.model.pieces[self._checked(id)]

    def _of_ids(self, ids: Any, of: Callable[[int], Any]) -> Any:
        if isinstance(ids, int | np.integer):
            return of(int(ids))
        if isinstance(ids, Sequence | np.ndarray) and all(isinstance(id, int | np.integer) for id in ids):
            return [of(int(id)) for id in ids]
        raise TypeError("Input must be an integer buffer, list of integers, or a sequence of integers.")


class SentencePieceNormalizer:
    """The normaliser of a model or of a serialized normaliser spec, some of its flags set as given."""

    def __init__(
        self,
        model_file: str | os.PathLike[str] | None = None,
        model_proto: Any = None,
        normalizer_spec: Any = None,
        add_dummy_prefix: bool | None = None,
        escape_whitespaces: bool | None = None,
        remove_extra_whitespaces: bool | None = None,
    ) -> None:
        if model_file or model_proto:
            spec = SentencePieceProcessor(model_file=model_file, model_proto=model_proto)._loaded.model.normalizer_spec
        elif normalizer_spec:
            given = normalizer_spec
            spec = given.SerializeToString() if hasattr(given, "SerializeToString") else bytes(given)
        else:
            raise ValueError("no model is specified")
        flags = {3: add_dummy_prefix, 4: remove_extra_whitespaces, 5: escape_whitespaces}
        spec = spm.with_flags(spec, {number: value for number, value in flags.items() if value is not None})
        self.__setstate__(spec)

    def normalize(self, input: Text | Texts, with_offsets: bool | None = None) -> Any:
        """The normalised text, or that of each of a list; see `SentencePieceProcessor.normalize`."""
        return normalized(self._normalizer, input, with_offsets)

    Normalize = normalize

    def serialized_normalizer_spec(self) -> bytes:
        """The spec, in protobuf's wire format."""
        return self._spec

    def __getstate__(self) -> bytes:
        return self._spec

    def __setstate__(self, spec: bytes) -> None:
        self._spec = spec
        self._normalizer = spm.Normalizer(spec)


# -- helpers ----------------------------------------------------------------------------------------------------------


def _running(parts: Sequence[str] | Sequence[bytes]) -> list[tuple[int, int]]:
    spans, at = [], 0
    for part in parts:
        spans.append((at, at + len(part)))
        at += len(part)
    return spans


def _is_sequence(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


def _are_pieces(row: Any) -> bool:
    return _is_sequence(row) and len(row) > 0 and not hasattr(row, "dtype") and isinstance(row[0], str | bytes)


def _no_model(kwargs: dict[str, Any]) -> None:
    if "model_file" in kwargs or "model_proto" in kwargs:
        raise ValueError("model_file and model_proto cannot be passed via kwargs")


@contextmanager
def _bad_ids() -> Iterator[None]:
    try:
        yield
    except tokmill.UnknownId as error:
        raise IndexError("OUT_OF_RANGE: piece id is out of range.") from error
    except TypeError as error:
        raise TypeError("Input must be an integer buffer, list of integers, or a sequence of integers.") from error


add_names(SentencePieceProcessor)
SetRandomGeneratorSeed = set_random_generator_seed
SetMinLogLevel = set_min_log_level
SetNBestTimeout = set_nbest_timeout
