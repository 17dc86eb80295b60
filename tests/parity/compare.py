"""Two libraries on the same documents."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .owners import Encoded, Owner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .vocabularies import Vocabulary


@dataclass
class Agreement:
    """How many documents were compared, and how many of them differ in what."""

    documents: int = 0
    tokens: int = 0
    ids: int = 0
    offsets: int = 0
    decoded: int = 0
    example: str = ""
    """The first difference."""

    def __bool__(self) -> bool:
        return not self.example

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.documents + other.documents,
            self.tokens + other.tokens,
            self.ids + other.ids,
            self.offsets + other.offsets,
            self.decoded + other.decoded,
            self.example or other.example,
        )


class Pair:
    """A vocabulary in its owner and in tokmill."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.owner: Owner = vocabulary.load_owner(vocabulary.path)
        self.ours = vocabulary.load(vocabulary.path)
        self.as_bytes = vocabulary.as_bytes

    def fragments(self) -> list[str]:
        """What stands in the vocabulary and is to stand in strings too."""
        specials = list(self.ours.special_tokens)[:8]
        return ["\u2581", "\u2581\u2581", "<0x41>", "<0x0A>", "\u2047", *specials]

    def compare(self, documents: list[str], *, specials: bool) -> Agreement:
        """Compares ids, offsets where the owner gives any, and decoded text where it is the owner's to say."""
        expected = self.owner.encode(documents, specials=specials)
        given = self._encode(documents, "all" if specials and self.owner.specials else "none")
        found = Agreement(documents=len(documents), tokens=len(expected.values))
        wrong = differing(given.ends, expected.ends, given.values, expected.values)
        found.ids = len(wrong)
        if found.ids:
            found.example = _example("ids", documents, wrong[0], given.rows(), expected.rows())
            return found
        if expected.spans is not None and given.spans is not None:
            wrong = differing(given.ends, expected.ends, given.spans, expected.spans)
            found.offsets = len(wrong)
            if found.offsets:
                found.example = _example("offsets", documents, wrong[0], _spans(given), _spans(expected))
        if self.owner.decodes:
            theirs = self.owner.decode(expected)
            as_bytes = bool(theirs) and isinstance(theirs[0], bytes)
            ours: Sequence[str | bytes] = [
                self.ours.decode_bytes(row) if as_bytes else self.ours.decode(row) for row in expected.rows()
            ]
            wrong = [number for number, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]
            found.decoded = len(wrong)
            if found.decoded and not found.example:
                found.example = _example("decoded", documents, wrong[0], ours, theirs)
        return found

    def _encode(self, documents: list[str], allowed: str) -> Encoded:
        texts = [document.encode() for document in documents] if self.as_bytes else documents
        unit = "byte" if self.as_bytes else "char"
        rows, spans = self.ours.encode_batch_with_offsets(texts, unit=unit, allowed_special=allowed, threads=1)
        plain = self.ours.encode_batch(texts, allowed_special=allowed, threads=2)
        counts = self.ours.count_batch(texts, allowed_special=allowed, threads=1)
        # Three ways to the same ids.
        assert np.array_equal(plain.values, rows.values), "ids with and without offsets differ"
        assert np.array_equal(plain.offsets, rows.offsets), "ids with and without offsets differ"
        assert np.array_equal(counts, np.diff(rows.offsets)), "the counts are not those of the ids"
        return Encoded(rows.values, rows.offsets, spans)


@functools.lru_cache(maxsize=1)
def pair(vocabulary: Vocabulary) -> Pair:
    """The pair of a vocabulary; tests that go by vocabulary load each once."""
    return Pair(vocabulary)


def differing(
    ends: np.ndarray, expected_ends: np.ndarray, values: np.ndarray, expected_values: np.ndarray
) -> list[int]:
    """The numbers of the rows that are not the same."""
    if np.array_equal(ends, expected_ends) and np.array_equal(values, expected_values):
        return []
    same = [
        np.array_equal(values[ends[row] : ends[row + 1]], expected_values[expected_ends[row] : expected_ends[row + 1]])
        for row in range(len(ends) - 1)
    ]
    return [row for row, equal in enumerate(same) if not equal]


def _spans(encoded: Encoded) -> list[list[list[int]]]:
    assert encoded.spans is not None
    spans = encoded.spans.tolist()
    return [spans[begin:end] for begin, end in zip(encoded.ends[:-1], encoded.ends[1:], strict=True)]


def _example(what: str, documents: list[str], number: int, ours: Sequence, theirs: Sequence) -> str:
    """The first difference in a document, with what stands around it."""
    one, other = ours[number], theirs[number]
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    begin = max(at - 3, 0)
    document = documents[number] if len(documents[number]) <= 200 else f"a text of {len(documents[number])} characters"
    return (
        f"{what} of {document!r}, from place {begin} on: {one[begin : at + 8]!r} here, {other[begin : at + 8]!r} there"
    )
