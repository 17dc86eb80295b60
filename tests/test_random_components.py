"""Agreement with tokenizers on random tokenizer.json files: ids, offsets, type ids and decoded text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import components
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from texts import texts
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

MODELS = {
    "byte-level BPE": components.documents(components.byte_level_bpes),
    "BPE": components.documents(components.character_bpes()),
    "WordPiece": components.documents(components.word_pieces),
    "WordLevel": components.documents(components.word_levels),
}


def load(document: str) -> tuple[Tokenizer, tokmill.Tokenizer]:
    """The file in both libraries; a case that either refuses by name is passed over."""
    try:
        ours = tokmill.Tokenizer.from_bytes(document)
    except tokmill.TokmillError as error:
        if "not supported" not in str(error):
            raise
        reject()
    reference = reference_call(Tokenizer.from_str, document)
    normalize = reference.normalizer.normalize_str if reference.normalizer else str
    tokens = [token for token in reference.get_added_tokens_decoder().values() if token.normalized]
    if len({normalize(token.content) for token in tokens}) < len(tokens):
        # Which of tokens that are the same in normalised text is found there depends on a hash.
        reject()
    return reference, ours


def reference_call(call: Callable[..., Result], *arguments: Any, **options: Any) -> Result:
    """What the reference gives; where it fails or panics, there is nothing to compare with."""
    try:
        return call(*arguments, **options)
    except BaseException as error:
        if type(error).__name__ not in ("PanicException", "Exception"):
            raise
        reject()


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_encoding_agrees(model: str, data: st.DataObject) -> None:
    reference, ours = load(data.draw(MODELS[model]))
    text = data.draw(st.one_of(texts, components.dense_texts))
    for specials in (False, True):
        expected = reference_call(reference.encode, text, add_special_tokens=specials)
        ids, offsets = ours.encode_with_offsets(text, allowed_special="all", add_special_tokens=specials)
        assert ids.tolist() == expected.ids
        assert list(map(tuple, offsets.tolist())) == expected.offsets
        assert ours.count(text, allowed_special="all", add_special_tokens=specials) == len(expected.ids)
    reference.encode_special_tokens = True
    expected = reference_call(reference.encode, text, add_special_tokens=False)
    assert ours.encode(text).tolist() == expected.ids


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_decoding_agrees(model: str, data: st.DataObject) -> None:
    reference, ours = load(data.draw(MODELS[model]))
    known = sorted(reference.get_vocab().values())
    rows = data.draw(st.lists(st.lists(st.sampled_from(known), max_size=12), min_size=1, max_size=4))
    for skip in (False, True):
        for ids in rows:
            expected = reference_call(reference.decode, ids, skip_special_tokens=skip)
            assert ours.decode(ids, skip_special_tokens=skip) == expected
            if "\ufffd" not in expected:
                assert ours.decode_bytes(ids, skip_special_tokens=skip).decode() == expected
        assert ours.decode_batch(rows, skip_special_tokens=skip) == [
            ours.decode(ids, skip_special_tokens=skip) for ids in rows
        ]


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_streaming_agrees(model: str, data: st.DataObject) -> None:
    reference, ours = load(data.draw(MODELS[model]))
    known = sorted(reference.get_vocab().values())
    ids = data.draw(st.lists(st.sampled_from(known), max_size=12))
    theirs, stream = DecodeStream(skip_special_tokens=False), ours.stream()
    given, expected = "", ""
    for id in ids:
        expected += reference_call(theirs.step, reference, id) or ""
        given += stream.push(id)
        assert given.startswith(expected)


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_saving_keeps_everything(model: str, data: st.DataObject) -> None:
    reference, ours = load(data.draw(MODELS[model]))
    text = data.draw(texts)
    saved = ours.to_bytes().decode()
    again = Tokenizer.from_str(saved)
    expected = reference_call(reference.encode, text)
    encoded = again.encode(text)
    assert (encoded.ids, encoded.offsets, encoded.type_ids) == (expected.ids, expected.offsets, expected.type_ids)
    assert reference_call(reference.decode, expected.ids) == again.decode(expected.ids)
    assert tokmill.Tokenizer.from_bytes(saved).to_bytes().decode() == saved
    stored, written = json.loads(reference.to_str()), json.loads(saved)
    assert all(stored[key] == written[key] for key in ("normalizer", "post_processor", "decoder"))
