"""`tokmill.accelerate`: tokenizers of transformers give the same on tokmill, whatever they are asked for."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import transformers
from accelerated import DATA, REAL, SMALL, accelerated, original
from texts import CORPUS, FRAGMENTS

import tokmill
from tokmill.compat import tokenizers as face
from tokmill.integrations.accelerate import decode_stream_patch

NAMES = [
    *SMALL,
    *[pytest.param(name, marks=pytest.mark.skipif(not DATA.is_dir(), reason="no data")) for name in REAL],
]
TEXTS = [*CORPUS, " ".join(FRAGMENTS), "", " ", "a"]
PAIRS = list(zip(TEXTS, reversed(TEXTS), strict=True))
WORDS = [text.split() for text in TEXTS]
OFFSETS = {"return_offsets_mapping": True, "return_special_tokens_mask": True, "return_length": True}
CUT = {"truncation": True, "max_length": 12}

CALLS: list[tuple[Any, dict[str, Any]]] = [
    (TEXTS, {}),
    (TEXTS[0], {}),
    (TEXTS[0], {"text_pair": TEXTS[1], **OFFSETS}),
    (TEXTS, {"padding": True, **OFFSETS}),
    (TEXTS, {"padding": True, "return_tensors": "np", **OFFSETS}),
    (TEXTS, {"padding": True, "return_tensors": "np", "padding_side": "left", "return_token_type_ids": True}),
    (TEXTS, {"padding": "max_length", **CUT, "return_tensors": "np", "return_special_tokens_mask": True}),
    (TEXTS, {"padding": True, "pad_to_multiple_of": 8, "return_tensors": "np"}),
    (TEXTS[0], {"return_tensors": "np"}),
    (TEXTS, {**CUT, "stride": 3, "return_overflowing_tokens": True, **OFFSETS}),
    (TEXTS, {**CUT, "stride": 3, "return_overflowing_tokens": True, "padding": True, "return_tensors": "np"}),
    (TEXTS, {"add_special_tokens": False}),
    (PAIRS, {"padding": True, "return_tensors": "np", "return_token_type_ids": True}),
    (PAIRS, {"truncation": "only_second", "max_length": 300, **OFFSETS}),
    (PAIRS, {"truncation": "longest_first", "max_length": 20, "padding": True}),
    (WORDS, {"is_split_into_words": True, **OFFSETS}),
    (WORDS, {"is_split_into_words": True, "padding": True, "return_tensors": "np"}),
    (TEXTS, {"split_special_tokens": True}),
]


def as_lists(value: Any) -> Any:
    """A value with lists for arrays."""
    return [as_lists(one) for one in value] if isinstance(value, list | tuple | np.ndarray) else value


def outcome(tokenizer: Any, call: tuple[Any, dict[str, Any]]) -> Any:
    """Everything that a call gives, or what it raises."""
    try:
        batch = tokenizer(call[0], **call[1])
    except Exception as error:
        return str(error)
    names = ("tokens", "word_ids", "sequence_ids")
    rows = range(len(batch.encodings))
    kinds = {key: (type(value).__name__, getattr(value, "dtype", None)) for key, value in batch.items()}
    mapped = [
        (batch.char_to_token(row, 3), batch.token_to_chars(row, 0), batch.token_to_word(row, 0))
        for row in rows
        if len(batch.encodings[row].ids) and isinstance(call[0], list)
    ]
    lists = [(batch.encodings[row].ids, batch.encodings[row].attention_mask) for row in rows]
    values = {key: as_lists(value) for key, value in batch.items()}
    return values, kinds, [[getattr(batch, name)(row) for name in names] for row in rows], mapped, lists


@pytest.mark.parametrize("name", NAMES)
def test_calls_give_the_same(name: str) -> None:
    theirs, ours = original(name), accelerated(name)
    assert isinstance(ours.backend_tokenizer, face.Tokenizer)
    for call in CALLS:
        assert outcome(ours, call) == outcome(theirs, call), call[1]


@pytest.mark.parametrize("name", SMALL)
def test_tensors_of_torch_are_the_same(name: str) -> None:
    torch = pytest.importorskip("torch")
    theirs, ours = original(name), accelerated(name)
    for call in [(TEXTS, {"padding": True}), (TEXTS, {"padding": True, **OFFSETS}), (TEXTS[0], {}), (TEXTS[:2], {})]:
        one = outcome(theirs, (call[0], {**call[1], "return_tensors": "pt"}))
        other = outcome(ours, (call[0], {**call[1], "return_tensors": "pt"}))
        assert one[1:] == other[1:]
        if isinstance(one[0], dict):
            assert all(torch.equal(one[0][key], other[0][key]) for key in one[0])


@pytest.mark.parametrize("name", SMALL)
def test_a_face_may_be_given_to_transformers(name: str) -> None:
    theirs = original(name)
    backend = face.Tokenizer.from_str(theirs.backend_tokenizer.to_str())
    special = {key: str(value) for key, value in theirs.special_tokens_map.items() if isinstance(value, str)}
    ours = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **special)
    for call in CALLS:
        assert outcome(ours, call) == outcome(theirs, call), call[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_way_back_gives_the_same(name: str) -> None:
    theirs, ours = original(name), accelerated(name)
    rows = theirs(TEXTS)["input_ids"]
    for skip in (True, False):
        assert ours.batch_decode(rows, skip_special_tokens=skip) == theirs.batch_decode(rows, skip_special_tokens=skip)
    assert ours.decode(rows[0][:3]) == theirs.decode(rows[0][:3])
    tokens = theirs.convert_ids_to_tokens(rows[0])
    assert ours.convert_ids_to_tokens(rows[0]) == tokens == ours.tokenize(TEXTS[0], add_special_tokens=True)
    assert ours.convert_tokens_to_ids(tokens) == theirs.convert_tokens_to_ids(tokens)
    assert ours.convert_tokens_to_string(tokens) == theirs.convert_tokens_to_string(tokens)
    assert ours.get_vocab() == theirs.get_vocab()
    assert (len(ours), repr(ours), ours.added_tokens_decoder) == (
        len(theirs),
        repr(theirs),
        theirs.added_tokens_decoder,
    )


def test_chat_templates() -> None:
    theirs, ours = original("byte-level"), accelerated("byte-level")
    chat = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Well, héllo 👍!"}]
    for options in [
        {"tokenize": True, "return_dict": True, "add_generation_prompt": True},
        {"tokenize": True, "return_dict": True, "return_tensors": "np"},
        {"tokenize": True, "return_dict": True, "return_assistant_tokens_mask": True},
        {"tokenize": False},
    ]:
        one, other = theirs.apply_chat_template(chat, **options), ours.apply_chat_template(chat, **options)
        assert as_lists(list(other.values()) if options["tokenize"] else other) == as_lists(
            list(one.values()) if options["tokenize"] else one
        )


@pytest.mark.parametrize("name", SMALL)
def test_decode_stream(name: str) -> None:
    theirs, ours = original(name), accelerated(name)
    assert type(ours) is type(theirs)
    for text in CORPUS:
        ids = theirs(text)["input_ids"]
        outputs = []
        for tokenizer in (theirs, ours):
            stream = tokenizers.decoders.DecodeStream(skip_special_tokens=True)
            outputs.append([stream.step(tokenizer._tokenizer, id) for id in ids])
        assert outputs[0] == outputs[1]


def test_the_patch_of_the_stream_ends_with_its_context() -> None:
    tokenizer = tokmill.accelerate(original("byte-level"), patch_decode_stream=False)
    ids = tokenizer("Hello")["input_ids"]
    with decode_stream_patch():
        patched = tokenizers.decoders.DecodeStream
        stream = patched([])
        assert "".join(stream.step(tokenizer._tokenizer, id) or "" for id in ids) == "Hello"
    with decode_stream_patch():
        assert tokenizers.decoders.DecodeStream is patched


def test_text_streamers() -> None:
    torch = pytest.importorskip("torch")
    tokenizer = accelerated("byte-level")
    streamer = transformers.TextIteratorStreamer(tokenizer, timeout=10)
    text = "Hello, wörld! 漢字 👩‍👩‍👧‍👦 done\n"
    for id in tokenizer(text)["input_ids"]:
        streamer.put(torch.tensor([id]))
    streamer.end()
    assert "".join(streamer) == text


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded(name: str, tmp_path: Path) -> None:
    theirs, ours = original(name), accelerated(name)
    for kind, tokenizer in [("theirs", theirs), ("ours", ours)]:
        tokenizer.save_pretrained(tmp_path / kind)
    names = sorted(path.name for path in (tmp_path / "theirs").iterdir())
    assert sorted(path.name for path in (tmp_path / "ours").iterdir()) == names
    for file in [file for file in names if file.endswith("json")]:
        one, other = [json.loads((tmp_path / kind / file).read_text("utf-8")) for kind in ("theirs", "ours")]
        assert other == one, file
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")
    assert isinstance(again._tokenizer, tokenizers.Tokenizer)
    assert tokmill.accelerate(again)(TEXTS)["input_ids"] == theirs(TEXTS)["input_ids"]


@pytest.mark.parametrize("name", SMALL)
def test_tokens_can_be_added(name: str) -> None:
    theirs, ours = original(name), accelerated(name)
    text = "a <new> b<new>  Word words <sep> c"
    counts = []
    for tokenizer in (theirs, ours):
        added = tokenizer.add_tokens(["<new>", tokenizers.AddedToken("Word", single_word=True, lstrip=True)])
        special = tokenizer.add_special_tokens({"bos_token": "<sep>"})
        counts.append((added, special, len(tokenizer), tokenizer.bos_token_id))
    assert counts[0] == counts[1]
    assert outcome(ours, ([text], OFFSETS)) == outcome(theirs, ([text], OFFSETS))
    ids = theirs(text)["input_ids"]
    assert ours.decode(ids, skip_special_tokens=True) == theirs.decode(ids, skip_special_tokens=True)


def test_a_new_one_is_trained_from_it() -> None:
    theirs, ours = original("byte-level"), accelerated("byte-level")
    vocabs = [
        tokenizer.train_new_from_iterator(CORPUS, 400, show_progress=False).get_vocab() for tokenizer in (theirs, ours)
    ]
    assert vocabs[0] == vocabs[1]


@pytest.mark.parametrize("name", SMALL)
def test_copies_and_pickles(name: str) -> None:
    tokenizer = accelerated(name)
    expected = outcome(tokenizer, (TEXTS, {"padding": True, "return_tensors": "np"}))
    data = pickle.dumps(tokenizer)
    for twin in (copy.deepcopy(tokenizer), pickle.loads(data)):
        assert isinstance(twin._tokenizer, face.Tokenizer)
        assert twin._tokenizer is not tokenizer._tokenizer
        assert outcome(twin, (TEXTS, {"padding": True, "return_tensors": "np"})) == expected


def test_again_is_nothing_new() -> None:
    tokenizer = accelerated("bert")
    backend = tokenizer._tokenizer
    assert tokmill.accelerate(tokenizer) is tokenizer
    assert tokenizer._tokenizer is backend


class Upper:
    def normalize(self, normalized: Any) -> None:
        normalized.uppercase()


def random_ids() -> Any:
    tokenizer = original("byte-level")
    tokenizer.backend_tokenizer.model.dropout = 0.5
    return tokenizer


def made_in_python() -> Any:
    tokenizer = original("byte-level")
    tokenizer.backend_tokenizer.normalizer = tokenizers.normalizers.Normalizer.custom(Upper())
    return tokenizer


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (random_ids, "dropout"),
        (made_in_python, "cannot be written as JSON"),
        (lambda: original("byte-level").backend_tokenizer, "not a fast tokenizer"),
    ],
)
def test_what_cannot_run_is_left_alone(make: Any, reason: str) -> None:
    tokenizer = make()
    backend = getattr(tokenizer, "_tokenizer", None)
    with pytest.warns(tokmill.AccelerationWarning, match=reason):
        assert tokmill.accelerate(tokenizer) is tokenizer
    assert getattr(tokenizer, "_tokenizer", None) is backend


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from tokmill.integrations._backend import Backend

    honest = Backend.encode_batch

    def wrong(self: Any, input: Any, *arguments: Any, **options: Any) -> Any:
        changed = ["different" if text == "only here" else text for text in input]
        return honest(self, changed, *arguments, **options)

    monkeypatch.setattr(Backend, "encode_batch", wrong)
    tokenizer = original("byte-level", model_max_length=7)
    tokenizer(["a", "b c d e f g h"], truncation=True, padding=True)
    settings = tokenizer._tokenizer.truncation, tokenizer._tokenizer.padding
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokmill.accelerate(copy.deepcopy(tokenizer))
    with pytest.warns(tokmill.AccelerationWarning, match="ids of 'only here' would be"):
        tokmill.accelerate(tokenizer, sample=["only here"])
    assert isinstance(tokenizer._tokenizer, tokenizers.Tokenizer)
    assert (tokenizer._tokenizer.truncation, tokenizer._tokenizer.padding) == settings
