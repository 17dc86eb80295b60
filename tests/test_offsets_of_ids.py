"""Short cuts of the face of tokenizers beside the plain way: offsets that ids tell, lists that share their tuples."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import components
import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from texts import CORPUS, texts

import tokmill
from tokmill._tokmill import _spans

if TYPE_CHECKING:
    from pathlib import Path

MODELS: dict[str, Any] = {"byte-level BPE": components.byte_level_bpes, "BPE": components.character_bpes()}


def told(core: tokmill.Tokenizer, batch: list[str]) -> bool:
    """Whether ids tell the offsets of a batch; if they do, these are those of the second pass."""
    ids = core.encode_batch(batch, allowed_special="all")
    found = core._offsets_of_ids(batch, ids.values, ids.offsets)
    if found is None:
        return False
    _, offsets, _, surfaces = core._encode_batch_details(batch, allowed_special="all")
    assert found.tolist() == offsets.tolist()
    assert surfaces == {}
    return True


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(max_examples=60)
def test_ids_tell_what_a_second_pass_finds(model: str, data: st.DataObject) -> None:
    try:
        core = tokmill.Tokenizer.from_bytes(data.draw(components.documents(MODELS[model])).encode())
    except tokmill.TokmillError:
        reject()
    for text in data.draw(st.lists(texts, max_size=6)):
        told(core, [text])


@pytest.mark.parametrize(
    "name", ["gpt2.json", "llama2.json", "llama3_1.json.gz", "clip_base.json.gz", "gemma2.json.gz"]
)
def test_real_ids_tell_offsets(name: str, data: Path) -> None:
    raw = (data / "vocabs" / name).read_bytes()
    core = tokmill.Tokenizer.from_bytes(gzip.decompress(raw) if name.endswith(".gz") else raw)
    special = [token for token, _ in list(core.special_tokens.items())[:2]]
    plain = [*CORPUS, "", " ", "\n", "é", "\u2581", " a\u2581b", "漢", *special, *(f"a {token} b" for token in special)]
    answers = [told(core, [text]) for text in plain]
    # Clip lowers words and marks their ends; Gemma has added tokens for runs of blanks, which are spelled with marks.
    assert all(answers[: len(CORPUS)]) == (name[:5] not in ("clip_", "gemma"))
    assert told(core, ["the same", "ünd", "漢字"]) == (name != "clip_base.json.gz")


def test_other_ids_tell_nothing(data: Path) -> None:
    core = tokmill.Tokenizer.from_bytes((data / "vocabs" / "gpt2.json").read_bytes())
    ids = core.encode("two words")
    for values in (ids[:-1], ids[::-1].copy(), np.append(ids, ids[-1])):
        assert core._offsets_of_ids(["two words"], values, np.array([0, len(values)])) is None
    with pytest.raises(tokmill.TokmillError):
        core._offsets_of_ids(["two words"], ids, np.array([0, 99]))
    assert core._offsets_of_ids(["two words", ""], ids, np.array([0, len(ids)])) is None


numbers = st.one_of(st.integers(0, 40), st.integers(0, 2**13), st.integers(2**17, 2**32 - 1))


@given(values=st.lists(numbers, max_size=40), data=st.data())
def test_lists_of_spans_are_those_of_numpy(values: list[int], data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(values)))
    end = data.draw(st.integers(begin, len(values)))
    lengths = data.draw(st.lists(st.integers(-3, 20), min_size=len(values), max_size=len(values)))
    spans = [(value - 2, value - 2 + length) for value, length in zip(values, lengths, strict=True)]
    assert _spans(np.array(spans, dtype=np.int64).reshape(-1, 2), begin, end) == spans[begin:end]
    for first, last in ((begin, len(values) + 1), (end + 1, end)):
        with pytest.raises(tokmill.TokmillError):
            _spans(np.zeros((len(values), 2), np.int64), first, last)


def test_lists_take_arrays_of_one_shape_only() -> None:
    for shape in ((4, 3), (2, 1), (3, 0)):
        with pytest.raises(tokmill.TokmillError):
            _spans(np.zeros(shape, np.int64), 0, 1)
    with pytest.raises(tokmill.TokmillError):
        _spans(np.zeros((4, 4), np.int64)[:, ::2], 0, 1)
