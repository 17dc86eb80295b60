"""The face of tokenizers beside its owner: every attribute and mapping of encodings, settings, components, training."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
from typing import TYPE_CHECKING, Any

import components
import pytest
import tokenizers as owner
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from texts import CORPUS, texts

import tokmill
from tokmill.compat import tokenizers as face

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODELS = {
    "byte-level BPE": components.byte_level_bpes,
    "BPE": components.character_bpes(),
    "WordPiece": components.word_pieces,
    "WordLevel": components.word_levels,
    "Unigram": st.builds(
        lambda dropped, fallback: {
            "type": "Unigram",
            "unk_id": 0,
            "vocab": [["[UNK]", 0.0]]
            + [
                [piece, -1.0 - n / 7]
                for n, piece in enumerate(["[CLS]", "[SEP]", "▁the", "▁", " ", "ab", "the", *"abcdeghinot.'é漢"])
                if piece not in dropped
            ]
            + ([[f"<0x{byte:02X}>", -9.0] for byte in range(256)] if fallback else []),
            "byte_fallback": fallback,
        },
        st.sets(st.sampled_from([" ", "e", "t", "é"])),
        st.booleans(),
    ),
}

truncations = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "max_length": st.integers(0, 12),
            "stride": st.integers(0, 3),
            "strategy": st.sampled_from(["longest_first", "only_first", "only_second"]),
            "direction": st.sampled_from(["left", "right"]),
        }
    ),
)
paddings = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "direction": st.sampled_from(["left", "right"]),
            "pad_id": st.integers(0, 3),
            "pad_type_id": st.integers(0, 3),
            "pad_token": st.sampled_from(["[PAD]", "x"]),
            "length": st.one_of(st.none(), st.integers(0, 20)),
            "pad_to_multiple_of": st.one_of(st.none(), st.integers(0, 9)),
        }
    ),
)
any_texts = st.one_of(texts, components.dense_texts)
words = st.lists(any_texts, max_size=4)


def outcome(call: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[bool, Any]:
    """Whether a call succeeds, and what it gives. Panics of the owner are errors."""
    try:
        return True, call(*arguments, **options)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | AssertionError):
            raise
        return False, error


def attributes(encoding: Any) -> dict[str, Any]:
    """All that an encoding tells, the overflowing ones too."""
    n = len(encoding)
    found = {
        name: getattr(encoding, name)
        for name in (
            "ids",
            "type_ids",
            "tokens",
            "offsets",
            "attention_mask",
            "special_tokens_mask",
            "word_ids",
            "sequence_ids",
            "n_sequences",
        )
    }
    sequences = range(3)
    found["char_to_token"] = [[encoding.char_to_token(at, s) for at in range(0, 30, 2)] for s in sequences]
    found["char_to_word"] = [[encoding.char_to_word(at, s) for at in range(0, 30, 2)] for s in sequences]
    for name in ("token_to_chars", "token_to_word", "token_to_sequence"):
        found[name] = [getattr(encoding, name)(token) for token in range(n + 2)]
    for name in ("word_to_chars", "word_to_tokens"):
        found[name] = [[getattr(encoding, name)(word, s) for word in range(12)] for s in sequences]
    overflowing = encoding.overflowing
    found["windows"] = len(overflowing)
    found["overflowing"] = [attributes(one) for one in overflowing[:4]]
    found["length"] = n
    return found


def assert_same(theirs: tuple[bool, Any], ours: tuple[bool, Any]) -> None:
    """Both give equal encodings, or both fail."""
    if isinstance(ours[1], tokmill.TokmillError) and "not supported" in str(ours[1]):
        reject()
    if ours[0] and type(theirs[1]).__name__ == "PanicException":
        # The owner is broken there, and there is nothing to compare with.
        reject()
    assert theirs[0] == ours[0], (theirs[1], ours[1])
    if theirs[0]:
        expected, given = theirs[1], ours[1]
        if not isinstance(expected, list):
            expected, given = [expected], [given]
        assert [attributes(one) for one in expected] == [attributes(one) for one in given]


def both(document: str) -> tuple[Any, Any]:
    """The file in the owner's library and in the face; what either refuses is passed over."""
    good, theirs = outcome(owner.Tokenizer.from_str, document)
    if not good:
        reject()
    try:
        tokmill.Tokenizer.from_bytes(json.dumps({**json.loads(document), "post_processor": None}))
    except tokmill.TokmillError as error:
        if "not supported" not in str(error):
            raise
        reject()
    return theirs, face.Tokenizer.from_str(document)


def configure(pair: tuple[Any, Any], truncation: dict[str, Any] | None, padding: dict[str, Any] | None) -> None:
    """Sets truncation and padding of both."""
    for tokenizer in pair:
        if truncation is not None and not outcome(tokenizer.enable_truncation, **truncation)[0]:
            tokenizer.no_truncation()
        if padding is not None:
            tokenizer.enable_padding(**padding)
    assert pair[0].truncation == pair[1].truncation
    assert pair[0].padding == pair[1].padding


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(max_examples=40)
def test_encodings_agree(model: str, data: st.DataObject) -> None:
    theirs, ours = both(data.draw(components.documents(MODELS[model])))
    configure((theirs, ours), data.draw(truncations), data.draw(paddings))
    specials = data.draw(st.booleans())
    for flag in (False, True):
        theirs.encode_special_tokens = ours.encode_special_tokens = flag
        text, pair = data.draw(any_texts), data.draw(st.one_of(st.none(), any_texts))
        arguments = {"pair": pair, "add_special_tokens": specials}
        assert_same(outcome(theirs.encode, text, **arguments), outcome(ours.encode, text, **arguments))
        batch = data.draw(st.lists(st.one_of(any_texts, st.tuples(any_texts, any_texts)), max_size=4))
        for method in ("encode_batch", "encode_batch_fast"):
            assert_same(
                outcome(getattr(theirs, method), batch, add_special_tokens=specials),
                outcome(getattr(ours, method), batch, add_special_tokens=specials),
            )
    pretokenized = data.draw(st.lists(st.one_of(words, st.tuples(words, words)), max_size=3))
    options = {"is_pretokenized": True, "add_special_tokens": specials}
    assert_same(
        outcome(theirs.encode_batch, pretokenized, **options), outcome(ours.encode_batch, pretokenized, **options)
    )


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(max_examples=25)
def test_encodings_change_as_the_owners(model: str, data: st.DataObject) -> None:
    theirs, ours = both(data.draw(components.documents(MODELS[model])))
    # Two, as the windows of all are joined with one another.
    batch = data.draw(st.lists(any_texts.map(lambda text: text[:20]), min_size=1, max_size=2))
    found = [outcome(one.encode_batch, batch) for one in (theirs, ours)]
    assert_same(*found)
    if not found[0][0]:
        return
    length, stride = data.draw(st.integers(0, 8)), data.draw(st.integers(0, 2))
    side, other = data.draw(st.sampled_from(["left", "right"])), data.draw(st.sampled_from(["left", "right"]))
    growing = data.draw(st.booleans())
    results = []
    for (_, encodings), kind, tokenizer in zip(found, (owner, face), (theirs, ours), strict=True):
        changed = [pickle.loads(pickle.dumps(one)) for one in encodings]

        def change(changed: list[Any] = changed, kind: Any = kind, tokenizer: Any = tokenizer) -> Any:
            for one in changed:
                one.truncate(length, stride=stride, direction=side)
                one.pad(length + 3, direction=other, pad_id=7, pad_type_id=2, pad_token="p")
            merged = kind.Encoding.merge(changed, growing_offsets=growing)
            merged.set_sequence_id(0)
            return [*changed, merged, tokenizer.post_process(changed[0])]

        results.append(outcome(change))
    assert_same(*results)


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(max_examples=25)
def test_the_rest_agrees(model: str, data: st.DataObject) -> None:
    theirs, ours = both(data.draw(components.documents(MODELS[model])))
    assert json.loads(theirs.to_str()) == json.loads(ours.to_str())
    assert theirs.get_vocab() == ours.get_vocab()
    assert theirs.get_vocab_size() == ours.get_vocab_size()
    assert theirs.get_vocab_size(False) == ours.get_vocab_size(False)
    assert str(theirs.get_added_tokens_decoder()) == str(ours.get_added_tokens_decoder())
    known = sorted(theirs.get_vocab().values())
    for id in (*known[:20], *known[-5:], known[-1] + 1):
        assert theirs.id_to_token(id) == ours.id_to_token(id)
    for token in theirs.get_vocab():
        assert theirs.token_to_id(token) == ours.token_to_id(token)
    rows = data.draw(st.lists(st.lists(st.sampled_from([*known, known[-1] + 9]), max_size=12), min_size=1, max_size=3))
    for skip in (False, True):
        expected = outcome(theirs.decode_batch, rows, skip_special_tokens=skip)
        if expected[0]:
            assert ours.decode_batch(rows, skip_special_tokens=skip) == expected[1]
            assert [ours.decode(ids, skip) for ids in rows] == expected[1]
            assert [ours._decode_staged(ids, skip) for ids in rows] == expected[1]
    copies = (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)))
    assert all(one.to_str() == ours.to_str() for one in copies)
    assert len({pickle.dumps(one) for one in (ours, *copies)}) == 1


@given(data=st.data())
@settings(max_examples=30)
def test_added_tokens_agree(data: st.DataObject) -> None:
    theirs, ours = both(data.draw(components.documents(MODELS["WordPiece"])))
    for _ in range(2):
        flags = st.fixed_dictionaries(
            {}, optional={name: st.booleans() for name in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        )
        contents = st.sampled_from(["<new>", "ab", "Word", "the", "", "[CLS]"])
        given_tokens = data.draw(st.lists(st.tuples(contents, st.one_of(st.none(), flags)), max_size=4))
        special = data.draw(st.booleans())
        counts = []
        for tokenizer, kind in ((theirs, owner), (ours, face)):
            tokens = [text if known is None else kind.AddedToken(text, **known) for text, known in given_tokens]
            counts.append((tokenizer.add_special_tokens if special else tokenizer.add_tokens)(tokens))
        assert counts[0] == counts[1]
    assert theirs.get_vocab() == ours.get_vocab()
    assert str(theirs.get_added_tokens_decoder()) == str(ours.get_added_tokens_decoder())
    text = data.draw(any_texts)
    assert_same(outcome(theirs.encode, text), outcome(ours.encode, text))


def test_components_are_live() -> None:
    model = face.models.WordLevel({"a": 0, "b": 1, "<unk>": 2}, unk_token="<unk>")
    tokenizer = face.Tokenizer(model)
    tokenizer.pre_tokenizer = face.pre_tokenizers.Split("-", "removed")
    assert tokenizer.encode("a-b A").ids == [0, 2]
    tokenizer.pre_tokenizer = face.pre_tokenizers.Sequence(
        [face.pre_tokenizers.Split("-", "removed"), face.pre_tokenizers.CharDelimiterSplit("x")]
    )
    tokenizer.normalizer = face.normalizers.Lowercase()
    tokenizer.pre_tokenizer[1] = face.pre_tokenizers.CharDelimiterSplit(" ")
    assert tokenizer.encode("a-b A").ids == [0, 1, 0]
    tokenizer.pre_tokenizer[1].delimiter = "y"
    assert tokenizer.encode("ayb-b").tokens == ["a", "b", "b"]
    model.unk_token = "a"
    assert tokenizer.encode("zzz").ids == [0]


class Upper:
    """A normalizer and a pretokenizer made in Python."""

    def normalize(self, normalized: Any) -> None:
        normalized.uppercase()

    def pre_tokenize(self, pretokenized: Any) -> None:
        pretokenized.split(lambda _, text: text.split(" ", "merged_with_next"))


@given(text=any_texts, pair=any_texts)
@settings(max_examples=30)
def test_components_made_in_python_agree(text: str, pair: str) -> None:
    vocab = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, **{c: n + 3 for n, c in enumerate("ABTHEDOG. ")}}
    vocab.update({f"##{c}": n + 40 for n, c in enumerate("ABTHEDOG. É漢")})
    made = []
    for kind in (owner, face):
        tokenizer = kind.Tokenizer(kind.models.WordPiece(vocab, unk_token="[UNK]"))
        tokenizer.normalizer = kind.normalizers.Normalizer.custom(Upper())
        tokenizer.pre_tokenizer = kind.pre_tokenizers.PreTokenizer.custom(Upper())
        tokenizer.post_processor = kind.processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
        tokenizer.add_tokens([kind.AddedToken("word", lstrip=True), kind.AddedToken("[MASK]", normalized=False)])
        made.append(tokenizer)
    theirs, ours = made
    assert_same(outcome(theirs.encode, text, pair), outcome(ours.encode, text, pair))
    assert_same(
        outcome(theirs.encode, text.split(), is_pretokenized=True),
        outcome(ours.encode, text.split(), is_pretokenized=True),
    )
    with pytest.raises(Exception, match="Custom"):
        ours.to_str()


TRAINERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "BPE": ("BPE", "BpeTrainer", {"vocab_size": 300, "special_tokens": ["<s>", "the"]}),
    "limited": ("BPE", "BpeTrainer", {"vocab_size": 200, "limit_alphabet": 30, "initial_alphabet": ["z", "ж"]}),
    "long": ("BPE", "BpeTrainer", {"vocab_size": 300, "max_token_length": 4, "min_frequency": 2}),
    "WordLevel": ("WordLevel", "WordLevelTrainer", {"vocab_size": 50, "special_tokens": ["<unk>"]}),
}


@pytest.mark.parametrize("name", TRAINERS)
@pytest.mark.parametrize("byte_level", [False, True])
def test_trained_models_agree(name: str, byte_level: bool) -> None:
    model, trainer, options = TRAINERS[name]
    # Without ties that the owner breaks in the order of a hash table.
    corpus = [" ".join(text.split()) for text in CORPUS[:2]] * 3 + ["the dog sees the other dog"] * 7
    if "limit_alphabet" in options:
        corpus = ["abcdefghijklm" * 3 + "nopqrstuvw" * 2, "z"]
        options = {**options, "limit_alphabet": 15}
    found = []
    for kind in (owner, face):
        tokenizer = kind.Tokenizer(getattr(kind.models, model)())
        tokenizer.normalizer = kind.normalizers.NFC()
        tokenizer.pre_tokenizer = kind.pre_tokenizers.ByteLevel() if byte_level else kind.pre_tokenizers.Whitespace()
        made = getattr(kind.trainers, trainer)(show_progress=False, **options)
        tokenizer.train_from_iterator([corpus[:3], *corpus[3:]], made)
        found.append(json.loads(tokenizer.to_str()))
    assert found[0] == found[1]


def test_affixes_are_learned() -> None:
    """The owner numbers characters with affixes in the order of a hash table, so that only the tokens agree."""
    tokenizer = face.BertWordPieceTokenizer()
    tokenizer.train_from_iterator(CORPUS[:2], vocab_size=200, show_progress=False)
    reference = owner.BertWordPieceTokenizer()
    reference.train_from_iterator(CORPUS[:2], vocab_size=200, show_progress=False)
    assert set(tokenizer.get_vocab()) >= {"[PAD]", "the", "##s"}
    letters = {token for token in reference.get_vocab() if len(token.removeprefix("##")) == 1}
    assert {token for token in tokenizer.get_vocab() if len(token.removeprefix("##")) == 1} == letters


def test_unigram_is_learned() -> None:
    tokenizer = face.SentencePieceUnigramTokenizer()
    tokenizer.train_from_iterator(CORPUS * 3, vocab_size=350, show_progress=False, unk_token="<unk>")
    assert tokenizer.get_vocab_size() == 350
    again = owner.Tokenizer.from_str(tokenizer.to_str())
    for text in CORPUS:
        assert tokenizer.encode(text).tokens == again.encode(text).tokens
        assert tokenizer.encode(text).offsets == again.encode(text).offsets


REAL = [
    "bert_base_cased.json",
    "bert_uncased.json",
    "clip_base.json.gz",
    "deepseek_v3.json.gz",
    "gemma2.json.gz",
    "gpt2.json",
    "llama2.json",
    "llama3_1.json.gz",
    "qwen2_5.json.gz",
    "kl3m-005-multi-word.json.gz",
    "xlmr_from_gguf.json.gz",
    "xlnet_base_cased.json.gz",
]


@pytest.mark.parametrize("name", REAL)
def test_real_vocabularies_agree(name: str, data: Path) -> None:
    raw = (data / "vocabs" / name).read_bytes()
    document = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    theirs, ours = owner.Tokenizer.from_str(document), face.Tokenizer.from_str(document)
    lines = [line[:300] for path in sorted((data / "text").glob("*.txt"))[:6] for line in _lines(path)[:12]]
    batch: list[Any] = [*CORPUS, *lines]
    for truncation, padding in ((None, None), ({"max_length": 40, "stride": 5}, {"direction": "left"})):
        for tokenizer in (theirs, ours):
            tokenizer.no_truncation()
            tokenizer.no_padding()
        configure((theirs, ours), truncation, padding)
        assert_same(outcome(theirs.encode_batch, batch), outcome(ours.encode_batch, batch))
        pairs = list(zip(batch[:16], reversed(batch[:16]), strict=True))
        assert_same(outcome(theirs.encode_batch, pairs), outcome(ours.encode_batch, pairs))
    split = [text.split() for text in batch]
    assert_same(
        outcome(theirs.encode_batch, split, is_pretokenized=True),
        outcome(ours.encode_batch, split, is_pretokenized=True),
    )
    ids = [encoding.ids for encoding in theirs.encode_batch(batch)]
    assert theirs.decode_batch(ids) == ours.decode_batch(ids)
    stream, other = owner.decoders.DecodeStream(), face.decoders.DecodeStream()
    for id in ids[0]:
        assert stream.step(theirs, id) == other.step(ours, id)


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8", errors="ignore")[:20000].splitlines() if line]
