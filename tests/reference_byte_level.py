"""A slow, readable specification of byte-level probabilities, as the oracle for the engine.

A token model gives the probability of the next token after some tokens. What is wanted is the probability of the next
byte after some bytes. Everything here is a sum over lists made by brute force; numbers may be `fractions.Fraction`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import numpy as np

Sequence: TypeAlias = tuple[int, ...]
Number: TypeAlias = Fraction | float
Encode: TypeAlias = Callable[[bytes], Iterable[int]]
TokenModel: TypeAlias = Callable[[Sequence], Mapping[int, Number]]
"""The probabilities of the tokens that may come next, and of the end as `END`."""

END = -1


def strings(alphabet: bytes, longest: int, shortest: int = 0) -> list[bytes]:
    """All byte strings over an alphabet, of these lengths."""
    lengths = range(shortest, longest + 1)
    return [bytes(string) for n in lengths for string in itertools.product(sorted(set(alphabet)), repeat=n)]


# -- covers ---------------------------------------------------------------------------------------------------------


def decode(tokens: Mapping[int, bytes], sequence: Iterable[int]) -> bytes:
    return b"".join(tokens[id] for id in sequence)


def full_cover(tokens: Mapping[int, bytes], text: bytes) -> set[Sequence]:
    """Every sequence whose bytes begin with the text, while those of the sequence without its last token do not."""
    if not text:
        return {()}
    last = {(id,) for id, token in tokens.items() if token.startswith(text)}
    inner = {
        (id, *rest)
        for id, token in tokens.items()
        if token and len(token) < len(text) and text.startswith(token)
        for rest in full_cover(tokens, text[len(token) :])
    }
    return last | inner


def canonical_cover(tokens: Mapping[int, bytes], encode: Encode, text: bytes, tails: Iterable[bytes]) -> set[Sequence]:
    """The members of the full cover with which the encoding of some longer text begins.

    A sequence begins the encoding of a text that begins with `text` exactly if it is found by encoding all of them;
    `tails` are long enough when they reach past the last token and as far as the encoder looks ahead.
    """
    cover = set()
    for tail in tails:
        length, sequence = 0, []
        for id in encode(text + tail) if text else ():
            if length >= len(text):
                break
            sequence.append(int(id))
            length += len(tokens[int(id)])
        cover.add(tuple(sequence))
    return cover


# -- models ---------------------------------------------------------------------------------------------------------


def probability(model: TokenModel, sequence: Sequence) -> Number:
    """The probability that the model's tokens begin with these."""
    product: Number = Fraction(1)
    for at, id in enumerate(sequence):
        product *= model(sequence[:at]).get(id, 0)
        if not product:
            break
    return product


@dataclass
class Chain:
    """Text drawn byte by byte: each byte depends on the last `order` ones, and after each the text may end."""

    order: int
    rows: Mapping[bytes, Mapping[int, Number]]
    """The probabilities of the next byte after each string of up to `order` bytes."""
    stop: Number = Fraction(0)
    """The probability of the end, at every place."""

    def next(self, text: bytes) -> dict[int, Number]:
        """The probabilities of the next byte, and of the end."""
        row = self.rows[text[max(0, len(text) - self.order) :]]
        return {byte: p * (1 - self.stop) for byte, p in row.items()} | {END: self.stop}

    def mass(self, text: bytes) -> Number:
        """The probability that the text begins so."""
        product: Number = Fraction(1)
        for at, byte in enumerate(text):
            product *= self.next(text[:at]).get(byte, 0)
        return product


@dataclass
class InducedModel:
    """The token model of a tokenizer whose texts come from a chain: a perfect model, which knows what a boundary says.

    P(t1..tk) is the mass of the texts whose encoding begins with t1..tk, found by looking at every tail of a length.
    """

    tokens: Mapping[int, bytes]
    encode: Encode
    chain: Chain
    tail: int
    """Bytes to look beyond a sequence: as many as can change how the encoder cuts it."""
    _masses: dict[Sequence, Number] = field(default_factory=dict)

    def mass(self, sequence: Sequence) -> Number:
        """The probability that the encoding of the text begins with these tokens."""
        if sequence not in self._masses:
            self._masses[sequence] = self._sum(sequence)
        return self._masses[sequence]

    def _sum(self, sequence: Sequence) -> Number:
        begin = decode(self.tokens, sequence)
        total: Number = Fraction(0)
        alphabet = bytes(byte for row in self.chain.rows.values() for byte in row)
        for tail in strings(alphabet, self.tail):
            text = begin + tail
            ends = len(tail) < self.tail
            weight = self.chain.mass(text) * (self.chain.stop if ends else 1)
            if weight and tuple(int(id) for id in self.encode(text))[: len(sequence)] == sequence:
                total += weight
        return total

    def __call__(self, sequence: Sequence) -> dict[int, Number]:
        here = self.mass(sequence)
        if not here:
            return {}
        row = {id: self.mass((*sequence, id)) / here for id in self.tokens}
        text = decode(self.tokens, sequence)
        closed = tuple(int(id) for id in self.encode(text)) == sequence
        return row | {END: self.chain.mass(text) * self.chain.stop / here if closed else Fraction(0)}


class FiniteLanguage:
    """A few texts, each with its probability, and the token model that a tokenizer makes of them.

    It is perfect as an oracle: the truth about bytes is counted from the texts, whatever the tokenizer does at the end
    of what has been read so far.
    """

    def __init__(self, texts: Mapping[bytes, float], encode: Encode) -> None:
        total = math.fsum(texts.values())
        self.texts = {text: p / total for text, p in texts.items()}
        self._rows: dict[Sequence, dict[int, float]] = {}
        for text, p in self.texts.items():
            sequence = (*(int(id) for id in encode(text)), END)
            for at, id in enumerate(sequence):
                row = self._rows.setdefault(sequence[:at], {})
                row[id] = row.get(id, 0.0) + p

    def __call__(self, sequence: Sequence) -> dict[int, float]:
        row = self._rows.get(sequence, {})
        total = math.fsum(row.values())
        return {id: p / total for id, p in row.items()}

    def mass(self, text: bytes) -> float:
        """The probability that the text begins so."""
        return math.fsum(p for other, p in self.texts.items() if other.startswith(text))

    def next(self, text: bytes) -> np.ndarray:
        """The probabilities float64[257] of the next byte, and of the end."""
        row = np.zeros(257)
        for other, p in self.texts.items():
            if other.startswith(text):
                row[other[len(text)] if len(other) > len(text) else 256] += p
        return row / row.sum()


# -- next bytes -----------------------------------------------------------------------------------------------------


@dataclass
class ReferenceByteModel:
    """The byte model of a token model."""

    tokens: Mapping[int, bytes]
    """Those that stand for bytes, none of them empty."""
    model: TokenModel
    encode: Encode | None = None
    """`None`: every segmentation counts (semantics "all")."""
    tails: Iterable[bytes] = ()

    def cover(self, text: bytes) -> set[Sequence]:
        if self.encode is None:
            return full_cover(self.tokens, text)
        return canonical_cover(self.tokens, self.encode, text, self.tails)

    def mass(self, text: bytes) -> Number:
        """The probability that the text begins so: M(x)."""
        return sum((probability(self.model, c) for c in self.cover(text)), Fraction(0))

    def end_mass(self, text: bytes) -> Number:
        """The probability that the text is this one: E(x)."""
        if self.encode is None:
            complete = {c for c in full_cover(self.tokens, text) if decode(self.tokens, c) == text}
        else:
            complete = {tuple(int(id) for id in self.encode(text))}
        return sum((probability(self.model, c) * self.model(c).get(END, 0) for c in complete), Fraction(0))

    def masses(self, text: bytes) -> list[Number]:
        """M(xb) for the 256 bytes, and E(x)."""
        possible = {byte for token in self.tokens.values() for byte in token}
        return [self.mass(text + bytes([byte])) if byte in possible else 0 for byte in range(256)] + [
            self.end_mass(text)
        ]

    def next(self, text: bytes) -> list[Number]:
        """The probabilities of the 256 bytes and of the end, adding up to one."""
        masses = self.masses(text)
        total = sum(masses)
        return [mass / total for mass in masses]

    def leak(self, text: bytes) -> Number:
        """What part of M(x) the model gives to sequences that the tokenizer cannot go on to make."""
        return 1 - sum(self.masses(text)) / self.mass(text)


def log(numbers: Iterable[Number]) -> np.ndarray:
    """Natural logarithms, of zero minus infinity."""
    return np.array([math.log(number) if number else -math.inf for number in numbers])


def logits_of(model: TokenModel, vocab_size: int, end: int | None = None) -> Callable[..., np.ndarray]:
    """A step for the library: log-probabilities float64[n, vocab_size] after each sequence, the end at id `end`."""

    def step(sequences: Iterable[Iterable[int]]) -> np.ndarray:
        rows = []
        for sequence in sequences:
            row = np.zeros(vocab_size)
            for id, p in model(tuple(int(id) for id in sequence)).items():
                if id != END:
                    row[id] = p
                elif end is not None:
                    row[end] = p
            if not row.any():
                row[:] = 1  # A context of probability zero, of which the model knows nothing.
            with np.errstate(divide="ignore"):
                rows.append(np.log(row))
        return np.array(rows).reshape(len(rows), vocab_size)

    return step
