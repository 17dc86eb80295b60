"""SentencePiece models with other pieces: just enough of protocol buffers to change scores and types."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Types of pieces."""


@dataclass
class Piece:
    """A piece of a model."""

    text: str
    score: float
    type: int


def changed(file: bytes, change: Callable[[list[Piece]], None]) -> bytes:
    """The model with its pieces as `change` leaves them."""
    pieces = [_piece(value) for field, value in _fields(file) if field == 1]
    change(pieces)
    rest = b"".join(_field(field, value) for field, value in _fields(file) if field != 1)
    return b"".join(_field(1, _message(piece)) for piece in pieces) + rest


def with_denormalizer(file: bytes, charsmap: bytes) -> bytes:
    """The model with rules for decoded text."""
    return file + _field(5, _field(2, charsmap))


def charsmap(file: bytes) -> bytes:
    """The map of rules in a model."""
    spec = next(value for field, value in _fields(file) if field == 3)
    return next((value for field, value in _fields(spec) if field == 2), b"")


def _piece(message: bytes) -> Piece:
    fields = dict(_fields(message))
    return Piece(fields[1].decode(), struct.unpack("<f", fields[2])[0], fields.get(3, NORMAL))


def _message(piece: Piece) -> bytes:
    score = b"\x15" + struct.pack("<f", piece.score)
    return _field(1, piece.text.encode()) + score + b"\x18" + bytes([piece.type])


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(message):
        tag = varint()
        value: bytes | int
        if tag & 7 == 0:
            value = varint()
        else:
            size = {1: 8, 5: 4}.get(tag & 7) or varint()
            value = message[at : at + size]
            at += size
        yield tag >> 3, value
