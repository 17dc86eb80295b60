"""The forms in which a sentencepiece processor returns a segmentation: ids, pieces, arrays, offsets and messages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

import tokmill
from tokmill.compat import _sentencepiece_model as spm
from tokmill.compat._batch import rows
from tokmill.compat._sentencepiece_model import Loaded, SentencePieceText

ReturnType: TypeAlias = (
    type[int] | type[str] | type[bytes] | Literal["proto", "serialized_proto", "numpy", "offset_mapping"]
)
Text: TypeAlias = str | bytes
Texts: TypeAlias = list[str] | list[bytes] | list[str | bytes]
PLAIN_ONLY = "UNIMPLEMENTED: add_bos, add_eos, reverse, and emit_unk_piece is not supported in proto API"


class Form:
    """How a segmentation is returned: the kind of result and what is put around it."""

    def __init__(
        self,
        loaded: Loaded,
        return_type: ReturnType,
        bos: bool,
        eos: bool,
        reverse: bool,
        emit_unk: bool,
        return_bytes: bool | None,
    ) -> None:
        self.loaded = loaded
        self.return_type = return_type
        self.before = [_control(loaded.model.bos_id, "bos")] if bos else []
        self.after = [_control(loaded.model.eos_id, "eos")] if eos else []
        self.reverse = reverse
        self.emit_unk = emit_unk
        self.return_bytes = return_bytes
        self.spans = return_type in ("offset_mapping", "proto", "serialized_proto")
        if self.spans and (bos or eos or reverse or emit_unk):
            raise RuntimeError(PLAIN_ONLY)

    def batch(self, texts: Sequence[Text], wanted: int | None) -> list[Any]:
        if self.spans:
            return [self.one(text, None) for text in texts]
        with not_unicode():
            batch = self.loaded.core.encode_batch(texts, threads=wanted)
        if self.return_type == "numpy":
            return [self._plain(text, row) for text, row in zip(texts, batch, strict=True)]
        if self.return_type is int:
            return [self._around(row) for row in rows(batch)]
        return [self._pieces(text, row) for text, row in zip(texts, rows(batch), strict=True)]

    def one(self, text: Text, ids: npt.NDArray[np.uint32] | None) -> Any:
        """A text with its ids, or with the best ones."""
        if self.return_type == "offset_mapping":
            return self._offset_mapping(text, ids)
        if self.spans:
            message = self.message(text, ids)
            return message if self.return_type == "proto" else message.SerializeToString()
        if ids is None:
            # As `not_unicode`, without entering a context: this is the path of short texts.
            try:
                ids = self.loaded.core.encode(text)
            except tokmill.TokmillError as error:
                raise RuntimeError(str(error)) from error
        if self.return_type == "numpy":
            return self._plain(text, ids)
        return self._around(ids.tolist()) if self.return_type is int else self._pieces(text, ids.tolist())

    def message(self, text: Text, ids: npt.NDArray[np.uint32] | None, score: float | None = None) -> SentencePieceText:
        data = text.encode() if isinstance(text, str) else text
        chosen, spans = self._located(data, ids)
        pieces = self._spelled(text, chosen)
        # Of the bytes of a character, the last has the surface and the others none.
        types = self.loaded.model.types
        found = [
            (piece, id, None if begin == end and types[id] == spm.BYTE else data[begin:end], begin, end)
            for piece, id, (begin, end) in zip(pieces, chosen, spans, strict=True)
        ]
        return spm.text_message(data, found, score)

    def _offset_mapping(self, text: Text, ids: npt.NDArray[np.uint32] | None) -> dict[str, Any]:
        in_bytes = isinstance(text, bytes) if self.return_bytes is None else self.return_bytes
        data: Text = text
        if in_bytes != isinstance(text, bytes):
            data = text.encode() if isinstance(text, str) else text.decode()
        chosen, spans = self._located(data, ids)
        pieces = self._spelled(data, chosen)
        return {"ids": chosen, "pieces": [piece.encode() for piece in pieces] if in_bytes else pieces, "offsets": spans}

    def _located(self, text: Text, ids: npt.NDArray[np.uint32] | None) -> tuple[list[int], list[tuple[int, int]]]:
        """The ids and where each comes from, in characters of a str and in bytes of bytes."""
        if ids is None:
            with not_unicode():
                return spm.located(self.loaded.core, text)
        # The core gives offsets of the best segmentation only; for others the normaliser says where they come from.
        chosen = ids.tolist()
        _, places = self.loaded.normalizer.with_offsets(text)
        return chosen, self._spans(text, chosen, places)

    def _spans(self, text: Text, ids: list[int], places: list[int]) -> list[tuple[int, int]]:
        types = self.loaded.model.types
        completed = _completed(self.loaded.model, ids)
        spans, at = [], 0
        for place, (piece, id) in enumerate(zip(self._spelled(text, ids), ids, strict=True)):
            covered = completed[place] if types[id] == spm.BYTE else piece
            end = at + len(covered if isinstance(text, str) else covered.encode())
            spans.append((places[at], places[end]))
            at = end
        return spans

    def _plain(self, text: Text, ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
        if self.reverse:
            ids = ids[::-1]
        if self.before or self.after:
            ids = np.concatenate([self.before, ids, self.after]).astype(np.uint32)
        return spm.read_only(ids)

    def _around(self, ids: list[int]) -> list[int]:
        if self.reverse:
            ids = ids[::-1]
        return [*self.before, *ids, *self.after] if self.before or self.after else ids

    def _pieces(self, text: Text, ids: list[int]) -> list[str] | list[bytes]:
        pieces = self._spelled(text, ids)
        if self.reverse:
            pieces = pieces[::-1]
        names = self.loaded.model.pieces
        pieces = [*(names[id] for id in self.before), *pieces, *(names[id] for id in self.after)]
        return [piece.encode() for piece in pieces] if self.return_type is bytes else pieces

    def _spelled(self, text: Text, ids: list[int]) -> list[str]:
        """The pieces of ids; an unknown one is the normalised text that it stands for, unless `emit_unk`."""
        model = self.loaded.model
        pieces = list(map(model.pieces.__getitem__, ids))
        if self.emit_unk or model.unk_id not in ids:
            return pieces
        normalized = self.loaded.normalizer.normalize(text).decode()
        # Where each piece would begin were unknown ones empty, and what the unknown ones before it add.
        begins = list(itertools.accumulate(map(model.lengths.__getitem__, ids), initial=0))
        added, place = 0, -1
        for _ in range(ids.count(model.unk_id)):
            place = ids.index(model.unk_id, place + 1)
            at = begins[place] + added
            # Unknown text runs on to where the next piece stands.
            end = len(normalized) if place + 1 == len(ids) else normalized.find(pieces[place + 1], at + 1)
            pieces[place] = normalized[at : end if end >= 0 else len(normalized)]
            added += len(pieces[place])
        return pieces


def _control(id: int, name: str) -> int:
    if id < 0:
        raise ValueError(f"INVALID_ARGUMENT: id for `{name}` is not defined.")
    return id


def _completed(model: spm.Model, ids: list[int]) -> list[str]:
    """For each id that stands for a byte the character that it completes."""
    items = [(model.pieces[id] if model.types[id] == spm.BYTE else "", id) for id in ids]
    return [
        surface if model.types[id] == spm.BYTE else ""
        for surface, (_, id) in zip(model.decode(items), items, strict=True)
    ]


@contextmanager
def not_unicode() -> Iterator[None]:
    """Text that is not Unicode is a `RuntimeError`, as with sentencepiece."""
    try:
        yield
    except tokmill.TokmillError as error:
        raise RuntimeError(str(error)) from error


def normalized(normalizer: spm.Normalizer, input: Text | Texts, with_offsets: bool | None) -> Any:
    """What a normaliser makes of a text, or of each of a list; `with_offsets` gives places with it."""
    if isinstance(input, list):
        return [normalized(normalizer, text, with_offsets) for text in input]
    check_text(input, "Input must be str or bytes")
    if not with_offsets:
        found = normalizer.normalize(input)
        return found if isinstance(input, bytes) else found.decode()
    found, places = normalizer.with_offsets(input)
    return (found if isinstance(input, bytes) else found.decode()), places


def check_text(text: Any, message: str) -> None:
    """Raises `TypeError` for what is no text."""
    if not isinstance(text, str | bytes):
        raise TypeError(message)
