"""SuperBPE: two stages, merges of the textbook, and an ordinary tokenizer.json in the end."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import naive_training
import peers
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import texts
from tokenizers import Tokenizer as Peer

import tokmill

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [
    "the",
    "of",
    "and",
    "a",
    "in",
    "to",
    "it",
    "is",
    "that",
    "he",
    "was",
    "for",
    "on",
    "are",
    "with",
    "as",
    "I",
    "his",
    "they",
    "be",
    "at",
    "one",
    "have",
    "this",
    "from",
]
LINES = [f"{' '.join(WORDS[n * step % len(WORDS)] for step in range(1, 2 + n % 9))}: {n}.\n" for n in range(300)] + [
    "The quick brown fox, in the middle of the night.\n"
] * 3


def words_of(entry: bytes) -> int:
    return sum(1 for word in entry.split(b" ") if word)


@pytest.fixture(scope="module")
def trained() -> tokmill.Tokenizer:
    return tokmill.train_superbpe(LINES, 420, transition=330, special_tokens=["<|endoftext|>"])


few_words = st.lists(st.sampled_from(["a", "ab", "ba", ":", "12345", ",", "é"]), max_size=12).map(" ".join)


@given(
    lines=st.lists(few_words, max_size=12).filter(any),
    transition=st.integers(256, 264),
    more=st.integers(0, 30),
    frequency=st.integers(1, 3),
    max_words=st.integers(1, 4),
)
def test_merges_are_those_of_the_textbook(
    lines: list[str], transition: int, more: int, frequency: int, max_words: int
) -> None:
    def allowed(entry: bytes) -> bool:
        return b": " not in entry and words_of(entry) <= max_words

    patterns = (r" ?\p{L}+| ?[^\s\p{L}\p{N}]+|\p{N}{3}|\p{N}+|\s+", r"\p{N}+")
    first = [piece.encode() for line in lines for piece in re.findall(r" ?[^\W\d]+| ?[:,]|\d{3}|\d+|\s+", line)]
    second = [piece.encode() for line in lines for piece in re.findall(r"\d+|\D+", line)]
    # GPT-2's alphabet has the printable bytes first.
    alphabet = [tokmill.train_bpe(["a"], 256).token_bytes(id) for id in range(256)]
    start = naive_training.train(first, (alphabet, []), transition, frequency)
    entries, merges = naive_training.train(second, start, transition + more, frequency, allowed)

    ours = tokmill.train_superbpe(
        lines,
        transition + more,
        transition=transition,
        patterns=patterns,
        min_frequency=frequency,
        max_words=max_words,
    )
    assert ours.merges == [(entries[left], entries[right]) for left, right in merges]


def test_later_tokens_span_words_and_keep_to_the_veto(trained: tokmill.Tokenizer) -> None:
    entries = [trained.token_bytes(id) for id in range(257, len(trained))]
    first, second = entries[: 330 - 257], entries[330 - 257 :]
    assert max(map(words_of, first)) == 1
    assert max(map(words_of, second)) == 4
    assert not any(b": " in entry for entry in entries)
    assert not any(b"\n" in entry[:-1] for entry in entries)
    assert trained.merges[: 330 - 257] == tokmill.train_bpe(LINES, 329, pattern="superbpe").merges
    plain = tokmill.train_bpe(LINES, 420, pattern="superbpe")
    assert trained.count("".join(LINES)) < 0.8 * plain.count("".join(LINES))


def test_the_veto_is_an_option() -> None:
    free = tokmill.train_superbpe(LINES, 700, transition=330, max_words=None, forbidden=())
    entries = [free.token_bytes(id) for id in range(len(free))]
    assert max(map(words_of, entries)) > 4
    assert any(b": " in entry for entry in entries)
    strict = tokmill.train_superbpe(LINES, 420, transition=330, veto={"regex": "quick"})
    assert not any(b"quick" in strict.token_bytes(id) for id in range(len(strict)))


@given(text=texts)
def test_tokenizers_reads_the_file_alike(trained: tokmill.Tokenizer, text: str) -> None:
    peer = Peer.from_str(trained.to_bytes().decode())
    for line in (text, text + LINES[len(text) % len(LINES)], "".join(LINES[:40])):
        assert trained.encode(line).tolist() == peer.encode(line).ids
    assert trained.decode(trained.encode(text)) == text


def test_sources_and_order_change_nothing(trained: tokmill.Tokenizer, tmp_path: Path) -> None:
    options = {"transition": 330, "special_tokens": ["<|endoftext|>"]}
    (tmp_path / "a.txt").write_text("".join(LINES[200:]), encoding="utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress("".join(LINES[:200]).encode()))
    for source in (LINES[::-1], iter(LINES), pa.array(LINES), [tmp_path / "a.txt", tmp_path / "b.txt.gz"]):
        for limit in (None, 100_000_000):
            if limit is None or source is LINES:
                assert tokmill.train_superbpe(source, 420, **options, memory_limit=limit, threads=2) == trained


def test_superwords_are_those_of_the_whole_corpus() -> None:
    # Nothing of the last part is in the first, a thousand times as large one.
    corpus = ["alpha beta\n"] * 100_000 + ["gamma delta epsilon\n"] * 100
    ours = tokmill.train_superbpe(corpus, 300, transition=285)
    entries = [ours.token_bytes(id) for id in range(len(ours))]
    assert any(b" delta" in entry and words_of(entry) > 1 for entry in entries)


def test_a_base_keeps_its_ids() -> None:
    base = tokmill.train_bpe(LINES, 300, pattern="gpt2", special_tokens=["<|endoftext|>"])
    ours = tokmill.train_superbpe(LINES, 400, transition=300, base=base)
    assert ours.merges[: len(base.merges)] == base.merges
    assert ours.special_tokens == base.special_tokens
    assert max(words_of(ours.token_bytes(id)) for id in range(300, 400)) > 1
    with pytest.raises(tokmill.TokmillError, match="transition"):
        tokmill.train_superbpe(LINES, 400, transition=299, base=base)


def test_senseless_requests_are_refused() -> None:
    with pytest.raises(TypeError, match="counts of words"):
        tokmill.train_superbpe(tokmill.count_words(LINES), 400, transition=300)
    with pytest.raises(tokmill.TokmillError, match="transition"):
        tokmill.train_superbpe(LINES, 400, transition=401)
    with pytest.raises(tokmill.TokmillError, match="empty substring"):
        tokmill.train_superbpe(LINES, 400, transition=300, forbidden=[b""])


def test_progress_names_the_phases() -> None:
    phases: list[str] = []
    tokmill.train_superbpe(LINES, 400, transition=300, progress=lambda phase, done, total: phases.append(phase))
    assert list(dict.fromkeys(phases)) == ["count", "merge", "encode"]


def test_published_ids(data: Path) -> None:
    vocabulary = tokmill.Tokenizer.from_file(data / "vocabs" / "superbpe_t180k" / "tokenizer.json.gz")
    ids = vocabulary.encode("By the way, I am a fan of the Milky Way.").tolist()
    assert ids == [189205, 181251, 244, 4332, 180235, 199785, 13]
    # No token of the second stage breaks the rules of the veto, and none goes past the end of a line.
    later = [vocabulary.token_bytes(id) for id in range(180_000, 200_000)]
    assert max(map(words_of, later)) == 4
    assert not any(b": " in entry or b"\n" in entry[:-1] for entry in later)
    assert peers.spell(vocabulary.token_bytes(189205)) == "ByĠtheĠway"
