"""What comes out: dtypes, shapes, ownership, rows of unequal length."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tokmill

rows = st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=6), max_size=8)


def ragged(values: list[list[int]]) -> tokmill.Ragged:
    flat = np.array([value for row in values for value in row], np.uint32)
    return tokmill.Ragged(flat, np.cumsum([0, *map(len, values)], dtype=np.int64))


def owner(array: np.ndarray) -> object:
    """What owns the memory of an array."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.base


def test_large_results_are_moved_not_copied(tokenizer: tokmill.Tokenizer) -> None:
    text = "the quick brown fox " * 5000
    ids = tokenizer.encode(text)
    batch = tokenizer.encode_batch(["a b"] * 5000)
    of_one, spans = tokenizer.encode_with_offsets(text)
    of_many, more_spans = tokenizer.encode_batch_with_offsets([text])
    padded, mask = batch.to_padded(length=8)
    arrays = [ids, batch.values, batch.offsets, of_one, spans, of_many.values, more_spans, padded, mask]
    arrays.append(tokenizer.count_batch(["a"] * 5000))
    for array in arrays:
        assert array.nbytes > 4096
        assert not array.flags.owndata, "numpy holds no copy"
        assert type(owner(array)).__name__ == "PySliceContainer", "the vector that the core made is the owner"
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_rows_are_views(tokenizer: tokmill.Tokenizer) -> None:
    batch = tokenizer.encode_batch(["one two three"] * 1000)
    assert all(np.shares_memory(row, batch.values) for row in (batch[0], batch[-1], next(iter(batch))))
    assert batch.values is batch.values


def test_ids_are_borrowed(tokenizer: tokmill.Tokenizer) -> None:
    ids = tokenizer.encode("some text")
    ids.flags.writeable = False
    assert tokenizer.decode(ids) == "some text"
    assert tokenizer.decode(ids[::2]) == tokenizer.decode(ids[::2].tolist())


def test_dtypes_and_shapes(tokenizer: tokmill.Tokenizer) -> None:
    for text in ("", "some text", "some text " * 1000):
        ids, spans = tokenizer.encode_with_offsets(text)
        assert (ids.dtype, ids.ndim) == (np.uint32, 1)
        assert (spans.dtype, spans.shape) == (np.int64, (len(ids), 2))
    for texts in ([], [""], ["a", "", "b c"]):
        batch, spans = tokenizer.encode_batch_with_offsets(texts)
        assert batch.values.dtype == np.uint32
        assert (batch.offsets.dtype, batch.offsets.shape) == (np.int64, (len(texts) + 1,))
        assert spans.shape == (len(batch.values), 2)
        counts = tokenizer.count_batch(texts)
        assert (counts.dtype, counts.shape) == (np.int64, (len(texts),))


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int32, np.int64, np.uint64, list, tuple, np.asarray, iter])
def test_ids_of_any_integer_type(tokenizer: tokmill.Tokenizer, kind: type) -> None:
    ids = [65, 70, 80]
    given_ids = np.array(ids, kind) if isinstance(kind, type) and issubclass(kind, np.generic) else kind(ids)
    assert tokenizer.decode(given_ids) == tokenizer.decode(np.array(ids, np.uint32))


@given(values=rows)
def test_rows(values: list[list[int]]) -> None:
    batch = ragged(values)
    assert len(batch) == len(values)
    assert [row.tolist() for row in batch] == values
    assert [batch[row].tolist() for row in range(-len(values), len(values))] == values * 2
    for row in (len(values), -len(values) - 1):
        with pytest.raises(IndexError):
            batch[row]
    assert copy.copy(batch) == copy.deepcopy(batch) == pickle.loads(pickle.dumps(batch)) == batch == ragged(values)
    assert (batch == ragged([*values, []])) is False
    assert batch != values


@given(values=rows, cut=st.slices(8))
def test_slices(values: list[list[int]], cut: slice) -> None:
    assert [row.tolist() for row in ragged(values)[cut]] == values[cut]


@given(
    values=rows, length=st.none() | st.integers(0, 8), side=st.sampled_from(["left", "right"]), pad=st.integers(0, 9)
)
def test_padding(values: list[list[int]], length: int | None, side: str, pad: int) -> None:
    padded, mask = ragged(values).to_padded(pad_id=pad, length=length, side=side)
    width = max(map(len, values), default=0) if length is None else length
    assert (padded.dtype, padded.shape) == (np.uint32, (len(values), width))
    assert (mask.dtype, mask.shape) == (np.bool_, (len(values), width))
    for row, ids, held in zip(values, padded.tolist(), mask.tolist(), strict=True):
        kept = row[max(0, len(row) - width) :] if side == "left" else row[:width]
        missing = width - len(kept)
        if side == "left":
            assert ids == [pad] * missing + kept
            assert held == [False] * missing + [True] * len(kept)
        else:
            assert ids == kept + [pad] * missing
            assert held == [True] * len(kept) + [False] * missing


@pytest.mark.parametrize("offsets", [[], [1, 3], [0, 2], [0, 4], [0, 2, 1, 3], [0, -1, 3]])
def test_senseless_offsets_are_refused(offsets: list[int]) -> None:
    with pytest.raises(tokmill.TokmillError, match="offsets"):
        tokmill.Ragged(np.arange(3, dtype=np.uint32), np.array(offsets, np.int64))


def test_offsets_spoiled_later_are_refused(tokenizer: tokmill.Tokenizer) -> None:
    batch = tokenizer.encode_batch(["a b c", "d"])
    batch.offsets[1] = 1000
    with pytest.raises(tokmill.TokmillError, match="offsets"):
        batch.to_padded()
    with pytest.raises(tokmill.TokmillError, match="offsets"):
        tokenizer.decode_batch(batch)
    batch[0]


def test_padding_beyond_memory_is_refused(tokenizer: tokmill.Tokenizer) -> None:
    batch = tokenizer.encode_batch(["a", "b"])
    for length in (2**62, 2**63 - 1):
        with pytest.raises(tokmill.TokmillError, match="memory"):
            batch.to_padded(length=length)
