"""What a sentencepiece `.model` says beside what the core keeps of it: scores and types of pieces, and its specs.

The file is a `ModelProto` in protobuf's wire format: pieces (field 1), trainer spec (2), normaliser spec (3) and
denormaliser spec (5). Only the fields that the face needs are read; reading costs a few microseconds a piece.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

import tokmill

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
SPACE = "▁"


@dataclass(frozen=True)
class SentencePiece:
    """One piece of a segmentation; `begin` and `end` are places in the UTF-8 of the text."""

    piece: str
    id: int
    surface: str
    begin: int
    end: int


@dataclass(frozen=True)
class SentencePieceText:
    """A text and its pieces, with the attributes of sentencepiece's message of that name."""

    text: str
    pieces: Sequence[SentencePiece]
    score: float | None = None
    _serialized: bytes = field(default=b"", repr=False, compare=False)

    def SerializeToString(self) -> bytes:  # noqa: N802
        """The message in protobuf's wire format."""
        return self._serialized


@dataclass(frozen=True)
class NBestSentencePieceText:
    """Segmentations of one text, best first."""

    nbests: Sequence[SentencePieceText]

    def SerializeToString(self) -> bytes:  # noqa: N802
        """The message in protobuf's wire format."""
        return b"".join(_bytes_field(1, nbest.SerializeToString()) for nbest in self.nbests)


def text_message(
    text: bytes, rows: Sequence[tuple[str, int, bytes | None, int, int]], score: float | None = None
) -> SentencePieceText:
    """The message of a text and its (piece, id, surface, begin, end). A surface of `None` is left out."""
    data = bytearray(_bytes_field(1, text))
    for piece, id, surface, begin, end in rows:
        inner = (
            _bytes_field(1, piece.encode())
            + _varint_field(2, id)
            + (b"" if surface is None else _bytes_field(3, surface))
            + _varint_field(4, begin)
            + _varint_field(5, end)
        )
        data += _bytes_field(2, inner)
    if score is not None:
        data += b"\x1d" + struct.pack("<f", score)
    pieces = [
        SentencePiece(piece, id, (surface or b"").decode(errors="replace"), begin, end)
        for piece, id, surface, begin, end in rows
    ]
    return SentencePieceText(text.decode(errors="replace"), pieces, score, bytes(data))


class Model:
    """The pieces of a model with their scores and types, and its specs. Raises `ValueError` on what is no model."""

    def __init__(self, data: bytes) -> None:
        self.pieces: list[str] = []
        self.scores: list[float] = []
        self.types: list[int] = []
        self._trainer: dict[int, bytes | int] = {}
        self.normalizer_spec = b""
        self._denormalizer: dict[int, bytes | int] = {}
        for number, value in _fields(data):
            if number == 1 and isinstance(value, bytes):
                self._add(value)
            elif number == 2 and isinstance(value, bytes):
                self._trainer.update(_fields(value))
            elif number == 3 and isinstance(value, bytes):
                self.normalizer_spec += value
            elif number == 5 and isinstance(value, bytes):
                self._denormalizer.update(_fields(value))
        self.ids = {piece: id for id, piece in reversed(list(enumerate(self.pieces)))}
        self.unk_id = self.types.index(UNKNOWN) if UNKNOWN in self.types else -1
        self.bos_id = self._control_id(46, "<s>")
        self.eos_id = self._control_id(47, "</s>")
        self.pad_id = self._control_id(48, "<pad>")

    @functools.cached_property
    def lengths(self) -> list[int]:
        """How many characters of the normalised text each id stands for; 0 where that is not known from the id."""
        known = zip(self.pieces, self.types, strict=True)
        return [0 if kind in (BYTE, UNKNOWN) else len(piece) for piece, kind in known]

    def _add(self, message: bytes) -> None:
        fields = dict(_fields(message))
        piece, score, kind = fields.get(1, b""), fields.get(2, b"\0\0\0\0"), fields.get(3, NORMAL)
        if not isinstance(piece, bytes) or not isinstance(score, bytes) or not isinstance(kind, int):
            raise ValueError("a piece of the model is malformed")
        self.pieces.append(piece.decode(errors="replace"))
        self.scores.append(struct.unpack("<f", score)[0])
        self.types.append(kind)

    def _control_id(self, number: int, default: str) -> int:
        id = self.ids.get(self._text(number, default), -1)
        return id if id >= 0 and self.types[id] == CONTROL else -1

    def _text(self, number: int, default: str) -> str:
        value = self._trainer.get(number)
        return value.decode() if isinstance(value, bytes) else default

    @property
    def is_unigram(self) -> bool:
        """Whether the model is a Unigram model."""
        return self._trainer.get(3, 1) == 1

    def decode(self, pieces: Sequence[tuple[str, int]]) -> list[str]:
        """The surface of each (piece, id): together they are the text.

        Control pieces are invisible, a space at the beginning goes where the normaliser put one, runs of bytes are
        decoded with U+FFFD for each byte that is no part of a character.
        """
        if self._denormalizer.get(2):
            raise NotImplementedError("decoding pieces with a denormalizer is not supported; decode ids to str")
        flags = dict(_fields(self.normalizer_spec))
        prefix, extra = flags.get(3, 1), flags.get(4, 1)
        surfaces: list[str] = []
        at_start, space_seen, visible = True, False, False
        place = 0
        while place < len(pieces):
            piece, id = pieces[place]
            if id >= 0 and self.types[id] == BYTE:
                end = place
                while end < len(pieces) and pieces[end][1] >= 0 and self.types[pieces[end][1]] == BYTE:
                    end += 1
                surfaces += _byte_surfaces(bytes(int(pieces[at][0][3:5], 16) for at in range(place, end)))
                visible, place = True, end
                continue
            if space_seen or visible:
                at_start = False
            surface, space_seen = self._surface(piece, id, at_start and bool(prefix or extra), bool(extra))
            visible = visible or bool(surface)
            surfaces.append(surface)
            place += 1
        return surfaces

    def _surface(self, piece: str, id: int, strip: bool, strip_all: bool) -> tuple[str, bool]:
        kind = self.types[id] if id >= 0 else UNKNOWN
        if kind == CONTROL:
            return "", False
        if kind == UNKNOWN:
            return (self._text(44, " ⁇ ") if id >= 0 and self.pieces[id] == piece else piece), False
        stripped = strip and piece.startswith(SPACE)
        if stripped:
            piece = piece[1:]
        return piece.replace(SPACE, " "), stripped and not strip_all


class Normalizer:
    """The normaliser of a model, and where each character of what it returns comes from.

    A model that has nothing but the 256 bytes spells what the normaliser made of a text, and says where each byte comes
    from. Pieces that the normaliser leaves alone, the user-defined ones, belong to it too.
    """

    def __init__(self, spec: bytes, user_defined: Sequence[str] = ()) -> None:
        pieces = [("<unk>", UNKNOWN), *((f"<0x{byte:02X}>", BYTE) for byte in range(256))]
        pieces += [(piece, USER_DEFINED) for piece in user_defined]
        model = bytearray()
        for piece, kind in pieces:
            model += _bytes_field(1, _bytes_field(1, piece.encode()) + b"\x15\0\0\0\0" + _varint_field(3, kind))
        trainer = _varint_field(3, 1) + _varint_field(35, 1) + b"".join(_varint_field(n, -1) for n in (41, 42, 43))
        model += _bytes_field(2, trainer) + _bytes_field(3, spec)
        self._core = tokmill.Tokenizer.from_bytes(bytes(model))
        self._bytes = [b"", *(bytes([byte]) for byte in range(256)), *(piece.encode() for piece in user_defined)]

    def normalize(self, text: str | bytes) -> bytes:
        """The normalised text in UTF-8."""
        return b"".join(self._bytes[id] for id in self._core.encode(text).tolist())

    def with_offsets(self, text: str | bytes) -> tuple[bytes, list[int]]:
        """The normalised text, the place in `text` of each of its characters, and where it ends there.

        Places and characters are bytes where `text` is bytes.
        """
        in_bytes = isinstance(text, bytes)
        ids, spans = located(self._core, text)
        parts = [self._bytes[id] for id in ids]
        places: list[int] = []
        for part, (begin, _) in zip(parts, spans, strict=True):
            if len(part) == 1:
                places += [begin] if in_bytes or part[0] & 0xC0 != 0x80 else []
            else:
                places += range(begin, begin + len(part if in_bytes else part.decode()))
        if spans:
            places.append(spans[-1][1])
        else:
            places.append(0)
        return b"".join(parts), places


class Loaded:
    """A model in its parts: the core that encodes, and, read when they are asked for, its pieces and its normaliser."""

    def __init__(self, proto: bytes) -> None:
        self.proto = proto
        self.core = tokmill.Tokenizer.from_bytes(proto)

    @functools.cached_property
    def model(self) -> Model:
        """The pieces and the specs."""
        return Model(self.proto)

    @functools.cached_property
    def normalizer(self) -> Normalizer:
        """The normaliser."""
        kinds = zip(self.model.pieces, self.model.types, strict=True)
        return Normalizer(self.model.normalizer_spec, [piece for piece, kind in kinds if kind == USER_DEFINED])


def located(core: tokmill.Tokenizer, text: str | bytes) -> tuple[list[int], list[tuple[int, int]]]:
    """The ids of a text and where each comes from: in characters of a str, in bytes of bytes."""
    ids, found = core.encode_with_offsets(text, unit="char" if isinstance(text, str) else "byte")
    spans = [(begin, end) for begin, end in found.tolist()]
    return ids.tolist(), spans


def with_flags(spec: bytes, flags: dict[int, bool]) -> bytes:
    """A normaliser spec with some of its flags set: of a field that comes twice, the last counts."""
    return spec + b"".join(_varint_field(number, int(value)) for number, value in flags.items())


def read_only(ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
    """Ids as the arrays that sentencepiece returns: int32[n], not to be written to."""
    array = np.ascontiguousarray(ids).view(np.int32)
    array.flags.writeable = False
    return array


def _byte_surfaces(data: bytes) -> list[str]:
    """For each byte the character that it completes, U+FFFD where it is no part of one, or nothing."""
    surfaces: list[str] = []
    while len(surfaces) < len(data):
        begin = len(surfaces)
        for length in range(1, 5):
            try:
                character = data[begin : begin + length].decode()
            except UnicodeDecodeError:
                continue
            surfaces += [""] * (length - 1) + [character[:1]]
            break
        else:
            surfaces.append("\ufffd")
    return surfaces


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The numbers and values of a message: bytes, or an integer for varints."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} in a sentencepiece model")
        if at + size > len(data):
            raise ValueError("the sentencepiece model is cut short")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("the sentencepiece model is cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _encode_varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


@functools.cache
def _key(number: int, kind: int) -> bytes:
    return _encode_varint(number << 3 | kind)


def _varint_field(number: int, value: int) -> bytes:
    return _key(number, 0) + _encode_varint(value)


def _bytes_field(number: int, value: bytes) -> bytes:
    return _key(number, 2) + _encode_varint(len(value)) + value
