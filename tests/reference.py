"""A slow, readable specification of byte-level BPE, as the oracle for random vocabularies."""

from __future__ import annotations

from dataclasses import dataclass

import regex


@dataclass
class Reference:
    """Cuts text by a pattern and merges the bytes of each piece; the smallest rank first, the leftmost of equals."""

    vocab: dict[bytes, int]
    merges: list[tuple[bytes, bytes]] | None
    """In order of rank. `None`: any two neighbours that form an entry merge, and its id is the rank (tiktoken)."""
    pattern: str | None = None
    """Pieces are its matches; what it does not match is dropped. `None`: the text is one piece."""
    ignore_merges: bool = False
    """A piece that is an entry becomes that entry without merging."""

    def __post_init__(self) -> None:
        self.ranks = {pair: rank for rank, pair in enumerate(self.merges or [])}
        self.bytes_of = {id: token for token, id in self.vocab.items()}

    def rank(self, left: bytes, right: bytes) -> int | None:
        """How early two neighbours merge; `None` for never."""
        return self.vocab.get(left + right) if self.merges is None else self.ranks.get((left, right))

    def encode_piece(self, piece: bytes) -> list[int]:
        if self.ignore_merges and piece in self.vocab:
            return [self.vocab[piece]]
        parts = [bytes([byte]) for byte in piece]
        while True:
            ranked = [
                (rank, at) for at in range(len(parts) - 1) if (rank := self.rank(*parts[at : at + 2])) is not None
            ]
            if not ranked:
                return [self.vocab[part] for part in parts]
            _, at = min(ranked)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]

    def encode(self, text: str) -> list[int]:
        pieces = [text] if self.pattern is None else regex.findall(self.pattern, text)
        return [id for piece in pieces for id in self.encode_piece(piece.encode())]

    def decode(self, ids: list[int]) -> bytes:
        return b"".join(self.bytes_of[id] for id in ids)
