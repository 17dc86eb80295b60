"""An n-gram model over token ids, in numpy alone: a token model that is trained in seconds.

Absolute discounting, interpolated with the shorter contexts down to the uniform distribution (Ney, Essen and Kneser,
1994): p(t | c) = max(n(ct) - d, 0) / n(c) + d distinct(c) / n(c) p(t | c without its first token). The n-grams lie in a
trie whose levels are sorted arrays, so what followed a context is one range, found by binary search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from tokmill._tokmill import TokmillError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt


class NgramModel:
    """A model that looks at the last `order - 1` tokens; a step function for `ByteLM`.

    A call with sequences returns log-probabilities float64[sequences, vocab_size].
    """

    def __init__(self, vocab_size: int, order: int = 3, *, discount: float = 0.75) -> None:
        if vocab_size < 1 or order < 1 or not 0 < discount < 1:
            raise TokmillError(f"no model has vocab_size={vocab_size}, order={order} and discount={discount}")
        self.vocab_size = vocab_size
        self.order = order
        self.discount = discount
        self._levels: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []

    def fit(self, documents: Iterable[npt.ArrayLike]) -> Self:
        """Count the n-grams of documents, each an array of ids, and return the model.

        No n-gram goes over the border of documents. An end-of-text token is one of the ids where it is wanted.

        Raises:
            TokmillError: An id is out of range, or there are no ids.
        """
        parts = [np.asarray(document, dtype=np.int64) for document in documents]
        ids = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
        if not len(ids) or ids.min() < 0 or ids.max() >= self.vocab_size:
            raise TokmillError(f"an n-gram model needs ids, from 0 to {self.vocab_size - 1}")
        ends = np.repeat(np.cumsum([len(part) for part in parts]), [len(part) for part in parts])
        at = np.arange(len(ids))  # Where the n-grams of a level begin,
        node = np.zeros(len(ids), dtype=np.int64)  # and what number those one token shorter have.
        self._levels = []
        for length in range(self.order):
            inside = at + length < ends[at]
            at, node = at[inside], node[inside]
            keys, node, counts = np.unique(
                node * self.vocab_size + ids[at + length], return_inverse=True, return_counts=True
            )
            self._levels.append((keys, counts))
        return self

    def __call__(self, sequences: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
        """Return the log-probabilities float64[sequences, vocab_size] of the token after each sequence."""
        if not self._levels:
            raise TokmillError("the n-gram model has not been fitted")
        rows = np.empty((len(sequences), self.vocab_size))
        for row, sequence in zip(rows, sequences, strict=True):
            row[:] = self._distribution(np.asarray(sequence).tolist())
        return np.log(rows, out=rows)

    def _distribution(self, context: list[int]) -> npt.NDArray[np.float64]:
        result = np.full(self.vocab_size, 1 / self.vocab_size)
        for length in range(min(self.order - 1, len(context)) + 1):
            found = self._followers(context[len(context) - length :])
            if found is None:
                break
            tokens, counts = found
            total = counts.sum()
            result *= self.discount * len(tokens) / total
            result[tokens] += (counts - self.discount) / total
        return result

    def _followers(self, context: list[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
        """The tokens that followed these, and how often each; None where none did."""
        node = 0
        for depth in range(len(context)):
            keys, _ = self._levels[depth]
            key = node * self.vocab_size + context[depth]
            node = int(np.searchsorted(keys, key))
            if node == len(keys) or keys[node] != key:
                return None
        keys, counts = self._levels[len(context)]
        begin, end = np.searchsorted(keys, [node * self.vocab_size, (node + 1) * self.vocab_size])
        return (keys[begin:end] - node * self.vocab_size, counts[begin:end]) if begin < end else None
