"""The n-gram model against a dictionary of counts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokmill import NgramModel, TokmillError

documents = st.lists(st.lists(st.integers(0, 4), max_size=12), min_size=1, max_size=4).filter(any)


def by_dictionary(documents: list[list[int]], vocab_size: int, order: int, context: list[int]) -> np.ndarray:
    result = np.full(vocab_size, 1 / vocab_size)
    for length in range(min(order - 1, len(context)) + 1):
        suffix = context[len(context) - length :]
        counts = Counter(
            document[at + length]
            for document in documents
            for at in range(len(document) - length)
            if document[at : at + length] == suffix
        )
        if not counts:
            break
        total = sum(counts.values())
        result *= 0.75 * len(counts) / total
        for token, count in counts.items():
            result[token] += (count - 0.75) / total
    return result


@given(documents, st.integers(1, 4), st.lists(st.integers(0, 4), max_size=6))
def test_the_distribution_is_that_of_the_counts(data: list[list[int]], order: int, context: list[int]) -> None:
    model = NgramModel(5, order).fit(data)
    rows = model([np.array(context, dtype=np.uint32), []])
    assert rows.shape == (2, 5)
    assert np.exp(rows[0]) == pytest.approx(by_dictionary(data, 5, order, context), abs=1e-12)
    assert np.exp(rows).sum(axis=1) == pytest.approx([1, 1])


def test_what_it_refuses() -> None:
    with pytest.raises(TokmillError, match="from 0 to 2"):
        NgramModel(3).fit([[0, 3]])
    with pytest.raises(TokmillError, match="needs ids"):
        NgramModel(3).fit([[], []])
    with pytest.raises(TokmillError, match="order=0"):
        NgramModel(3, 0)
    with pytest.raises(TokmillError, match="not been fitted"):
        NgramModel(3)([[0]])
