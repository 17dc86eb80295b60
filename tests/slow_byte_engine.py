"""The byte engine's twin: the same interface, made of nothing but the sums of the specification."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from reference_byte_level import Encode, Sequence, canonical_cover, decode, full_cover

from tokmill import TokmillError


@dataclass(frozen=True)
class SlowEngine:
    """What stands in for `tokmill.ByteEngine`."""

    tokens: Mapping[int, bytes]
    """Those that stand for bytes."""
    encode: Encode | None
    """`None` for the semantics "all"."""
    tails: tuple[bytes, ...] = (b"",)
    end_of_text: int | None = None
    extra: int = 0
    """Ids that are neither: the model gives them probability and nothing makes use of it."""

    @property
    def vocab_size(self) -> int:
        return len(self.tokens) + (self.end_of_text is not None) + self.extra

    def start(self, text: bytes | str = b"", prefix_ids: object = ()) -> SlowState:
        state = SlowState(self, tuple(prefix_ids), {}, {}, b"")
        state.push(text.encode() if isinstance(text, str) else text)
        return state

    def cover(self, text: bytes) -> set[Sequence]:
        if self.encode is None:
            return full_cover(self.tokens, text)
        return canonical_cover(self.tokens, self.encode, text, self.tails)


@dataclass
class SlowRequest:
    nodes: np.ndarray
    parents: np.ndarray
    tokens: np.ndarray
    depths: np.ndarray
    sequences: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.nodes)


@dataclass
class SlowState:
    engine: SlowEngine
    prefix: Sequence
    numbers: dict[Sequence, int]
    """The node of each context, shared with all forks, as are the rows."""
    rows: dict[Sequence, np.ndarray]
    """Log-probabilities of the next token after each."""
    text: bytes

    def contexts(self) -> set[Sequence]:
        """What the probability of the text, and of the byte after it, needs to know."""
        found: set[Sequence] = {()}
        for sequence in self.engine.cover(self.text):
            complete = decode(self.engine.tokens, sequence) == self.text
            found |= {sequence[:length] for length in range(len(sequence) + complete)}
        return found

    def pending(self) -> SlowRequest:
        missing = sorted((c for c in self.contexts() if c not in self.rows), key=lambda c: (len(c), c))
        for context in missing:
            self.numbers.setdefault(context, len(self.numbers))
        return SlowRequest(
            np.array([self.numbers[c] for c in missing], dtype=np.uint32),
            np.array([self.numbers[c[:-1]] if c else -1 for c in missing], dtype=np.int64),
            np.array([c[-1] if c else 0 for c in missing], dtype=np.uint32),
            np.array([len(c) for c in missing], dtype=np.uint32),
            [np.array(self.prefix + c, dtype=np.uint32) for c in missing],
        )

    def supply(self, request: SlowRequest, logits: np.ndarray, *, dtype: str | None = None) -> None:
        assert dtype is None
        context_of = {number: context for context, number in self.numbers.items()}
        for node, row in zip(request.nodes.tolist(), np.asarray(logits, dtype=np.float64), strict=True):
            known = row[: self.engine.vocab_size]
            self.rows[context_of[node]] = known - np.logaddexp.reduce(known)

    def push(self, data: bytes) -> None:
        self.text += data

    def rollback(self, n_bytes: int) -> None:
        self.text = self.text[: len(self.text) - n_bytes]

    def fork(self) -> SlowState:
        return SlowState(self.engine, self.prefix, self.numbers, self.rows, self.text)

    def _probability(self, sequence: Sequence) -> float:
        return math.exp(sum(self.rows[sequence[:at]][id] for at, id in enumerate(sequence)))

    def _mass(self, text: bytes) -> float:
        return math.fsum(map(self._probability, self.engine.cover(text)))

    def _masses_of_ids(self, ids: list[int]) -> dict[int, float]:
        """The probabilities of the text with a token after it that has no bytes."""
        if self.engine.encode is not None:
            complete = {tuple(int(id) for id in self.engine.encode(self.text))}
        else:
            complete = {c for c in self.engine.cover(self.text) if decode(self.engine.tokens, c) == self.text}
        return {id: math.fsum(self._probability(c) * math.exp(self.rows[c][id]) for c in complete) for id in ids}

    def next(self) -> np.ndarray:
        if len(self.pending()):
            raise TokmillError("contexts are pending")
        possible = {byte for token in self.engine.tokens.values() for byte in token}
        masses = [self._mass(self.text + bytes([byte])) if byte in possible else 0.0 for byte in range(256)]
        end = self.engine.end_of_text
        masses.append(0.0 if end is None else self._masses_of_ids([end])[end])
        with np.errstate(divide="ignore"):
            return np.log(masses) - math.log(math.fsum(masses))

    def end(self) -> float:
        return float(self.next()[256])

    @property
    def log_prob(self) -> float:
        return math.log(self._mass(self.text))

    def cover(self) -> list[tuple[list[int], float]]:
        members = sorted(self.engine.cover(self.text))
        return [(list(c), sum(self.rows[c[:at]][id] for at, id in enumerate(c))) for c in members]
