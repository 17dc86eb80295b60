"""WordPiece training: the vocabulary of Hugging Face's trainer where it is determined, of a textbook elsewhere."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_training import train_characters
from texts import CORPUS, FRAGMENTS, texts
from tokenizers import Tokenizer as Peer
from tokenizers import models, normalizers, pre_tokenizers, trainers

import tokmill
from tokmill._tokmill import WordCounter, _train_characters

if TYPE_CHECKING:
    from pathlib import Path

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
DOCUMENTS = CORPUS * 3
WORDS = st.dictionaries(st.text(alphabet="abé#", min_size=1, max_size=9), st.integers(1, 40), min_size=1, max_size=14)


def bert(*, lowercase: bool = True) -> Peer:
    peer = Peer(models.WordPiece(unk_token="[UNK]"))
    peer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    peer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return peer


def words_of(documents: list[str], *, lowercase: bool = True) -> Counter[str]:
    peer = bert(lowercase=lowercase)
    cut = peer.pre_tokenizer.pre_tokenize_str
    return Counter(word for text in documents for word, _ in cut(peer.normalizer.normalize_str(text)))


def marked(words: Counter[str]) -> list[str]:
    """Every letter inside a word with its prefix. As special tokens they have ids that no hash map decides."""
    return sorted({f"##{letter}" for word in words for letter in word[1:]})


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("frequency", [1, 3])
def test_entries_are_those_of_tokenizers(lowercase: bool, frequency: int) -> None:
    specials = SPECIALS + marked(words_of(DOCUMENTS, lowercase=lowercase))
    peer = bert(lowercase=lowercase)
    trainer = trainers.WordPieceTrainer(
        vocab_size=900, min_frequency=frequency, special_tokens=specials, show_progress=False
    )
    peer.train_from_iterator(DOCUMENTS, trainer)
    ours = tokmill.train_wordpiece(
        DOCUMENTS, 900, special_tokens=specials, min_frequency=frequency, lowercase=lowercase
    )
    assert ours.vocab() == peer.get_vocab()


@given(documents=st.lists(texts, min_size=1, max_size=6), size=st.integers(0, 60), frequency=st.integers(1, 3))
@settings(max_examples=60)
def test_entries_of_random_corpora(documents: list[str], size: int, frequency: int) -> None:
    words = words_of(documents)
    specials = SPECIALS + marked(words)
    size += len(specials) + len(set("".join(words)))
    if not words:
        return
    peer = bert()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=frequency, special_tokens=specials, show_progress=False
    )
    peer.train_from_iterator(documents, trainer)
    ours = tokmill.train_wordpiece(documents, size, special_tokens=specials, min_frequency=frequency)
    assert ours.vocab() == peer.get_vocab()


@given(
    words=WORDS,
    more=st.integers(0, 30),
    frequency=st.integers(1, 3),
    prefix=st.sampled_from(["", "##", "#"]),
    suffix=st.sampled_from(["", "</w>"]),
    limit=st.none() | st.integers(1, 4),
    longest=st.none() | st.integers(2, 4),
)
def test_merges_are_those_of_the_textbook(
    words: dict[str, int],
    more: int,
    frequency: int,
    prefix: str,
    suffix: str,
    limit: int | None,
    longest: int | None,
) -> None:
    counter = WordCounter(pattern=r"[^ ]+", normalizer=None, threads=1, memory_limit=None)
    counter.push([" ".join([word] * count) for word, count in words.items()])
    counts = counter.finish()
    entries, merges, size = train_characters(
        {piece.decode(): count for piece, count in counts.to_dict().items()},
        ["<s>", "a"],
        more,
        min_frequency=frequency,
        prefix=prefix,
        suffix=suffix,
        limit_alphabet=limit,
        max_token_chars=longest,
    )
    options: dict[str, object] = {
        "vocab_size": size,
        "min_frequency": frequency,
        "special_tokens": ["<s>", "a"],
        "initial_alphabet": ["z"],
        "limit_alphabet": limit,
        "continuing_subword_prefix": prefix,
        "end_of_word_suffix": suffix,
        "max_token_chars": longest,
        "byte_level": False,
        "may_exceed": True,
        "threads": None,
        "memory_limit": None,
        "progress": None,
    }
    assert _train_characters(counts, options) == (entries, merges)


def test_the_tokenizer_is_read_and_encodes_alike(tmp_path: Path) -> None:
    ours = tokmill.train_wordpiece(DOCUMENTS, 900)
    assert ours.vocab_size == 900
    ours.save(tmp_path / "t.json")
    peer = Peer.from_file(str(tmp_path / "t.json"))
    peer.encode_special_tokens = True
    for text in [*CORPUS, *FRAGMENTS]:
        assert ours.encode(text).tolist() == peer.encode(text, add_special_tokens=False).ids, text
        assert ours.encode(text, add_special_tokens=True).tolist() == peer.encode(text).ids, text
    assert tokmill.Tokenizer.from_file(tmp_path / "t.json") == ours
    assert ours.special_tokens == {name: id for id, name in enumerate(SPECIALS)}
    assert json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["model"]["type"] == "WordPiece"


def test_neither_threads_nor_order_nor_limits_matter(tmp_path: Path) -> None:
    whole = tokmill.train_wordpiece(DOCUMENTS, 900, threads=1)
    assert tokmill.train_wordpiece(DOCUMENTS[::-1], 900, threads=2) == whole
    (tmp_path / "text.txt").write_text("\n".join(DOCUMENTS), encoding="utf-8", newline="\n")
    assert tokmill.train_wordpiece(tmp_path / "text.txt", 900, memory_limit=1 << 30) == whole
    halves = [tokmill.count_wordpiece_words(DOCUMENTS[::2]), tokmill.count_wordpiece_words(DOCUMENTS[1::2])]
    assert tokmill.train_wordpiece(halves[0] + halves[1], 900) == whole


def test_the_alphabet_can_be_limited() -> None:
    trained = tokmill.train_wordpiece(DOCUMENTS, 200, limit_alphabet=20, initial_alphabet="\u2603", max_token_chars=3)
    entries = [entry.removeprefix("##") for entry in trained.vocab() if entry not in SPECIALS]
    assert len({entry for entry in entries if len(entry) == 1}) == 20
    assert "\u2603" in entries
    assert max(map(len, entries)) == 3


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (DOCUMENTS, {"vocab_size": 20}, "option vocab_size: 20 is too small: special tokens and alphabet alone have"),
        (DOCUMENTS, {"unk_token": "<unk>"}, "option unk_token: '<unk>' is none of special_tokens"),
        (DOCUMENTS, {"template": "<s> $A"}, "<s>"),
        (DOCUMENTS, {"memory_limit": 1 << 20}, "memory_limit"),
        (DOCUMENTS, {"progress": "loud"}, "progress"),
        ([], {}, "is empty"),
        ([b"ok \xff\xfe"], {}, r'holds "\xff\xfe", which is not UTF-8'),
    ],
)
def test_what_makes_no_sense_is_refused(source: list[str], options: dict[str, object], message: str) -> None:
    with pytest.raises(tokmill.TokmillError, match=re.escape(message)):
        tokmill.train_wordpiece(source, **options)


def test_other_special_tokens_have_no_default_template() -> None:
    trained = tokmill.train_wordpiece(DOCUMENTS, 600, special_tokens=["<unk>"], unk_token="<unk>")
    assert trained.encode("the fox", add_special_tokens=True).tolist() == trained.encode("the fox").tolist()


@pytest.mark.parametrize(
    ("normalizer", "pre_tokenizer"),
    [
        (normalizers.NFKC(), pre_tokenizers.Whitespace()),
        (normalizers.Lowercase(), pre_tokenizers.Metaspace()),
        (normalizers.NFD(), pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
        (normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()),
        (normalizers.NFC(), pre_tokenizers.ByteLevel()),
    ],
)
def test_words_are_those_of_a_tokenizers_stages(
    normalizer: normalizers.Normalizer, pre_tokenizer: pre_tokenizers.PreTokenizer
) -> None:
    peer = Peer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    peer.normalizer, peer.pre_tokenizer = normalizer, pre_tokenizer
    counter = WordCounter.with_stages_of(
        tokmill.Tokenizer.from_bytes(peer.to_str().encode()), threads=1, memory_limit=None
    )
    counter.push(DOCUMENTS)
    expected = Counter(
        word for text in DOCUMENTS for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))
    )
    assert {word.decode(): count for word, count in counter.finish().to_dict().items()} == expected
