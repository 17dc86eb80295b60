"""Unigram training: exact sizes, determinism, files that their owners read alike, and errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import sentencepiece
from texts import CORPUS, FRAGMENTS
from tokenizers import Tokenizer as Peer

import tokmill

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = CORPUS * 3

AWKWARD = ["", " ", "  two  blanks ", "tab\there", "\u2581mark", "e\u0301 \ufb01 \u2460", "\u00a0x", "zzzz qqqq"]


@pytest.mark.parametrize("byte_fallback", [True, False])
@pytest.mark.parametrize("normalization", ["identity", "nfc", "nfkc", "nmt_nfkc"])
def test_tokenizers_encodes_alike(normalization: str, byte_fallback: bool, tmp_path: Path) -> None:
    size = 900 if byte_fallback else 600
    ours = tokmill.train_unigram(DOCUMENTS, size, normalization=normalization, byte_fallback=byte_fallback)
    ours.save(tmp_path / "u.json")
    peer = Peer.from_file(str(tmp_path / "u.json"))
    assert ours.vocab_size == peer.get_vocab_size() == size
    assert tokmill.Tokenizer.from_file(tmp_path / "u.json") == ours
    peer.encode_special_tokens = True
    for text in [*CORPUS, *FRAGMENTS, *AWKWARD]:
        assert ours.encode(text).tolist() == peer.encode(text, add_special_tokens=False).ids, text


@pytest.mark.parametrize("byte_fallback", [True, False])
def test_sentencepiece_encodes_alike(byte_fallback: bool, tmp_path: Path) -> None:
    size = 900 if byte_fallback else 600
    ours = tokmill.train_unigram(
        DOCUMENTS, size, normalization="identity", layout="sentencepiece", byte_fallback=byte_fallback
    )
    ours.save(tmp_path / "u.model")
    peer = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "u.model"))
    assert peer.get_piece_size() == size
    assert tokmill.Tokenizer.from_file(tmp_path / "u.model") == ours
    for text in [*CORPUS, *FRAGMENTS, *AWKWARD]:
        assert ours.encode(text).tolist() == peer.encode(text), text


def test_both_layouts_hold_the_same_model() -> None:
    layouts = [tokmill.train_unigram(DOCUMENTS, 1000, normalization="identity", layout=name) for name in LAYOUTS]
    assert layouts[0].vocab() == layouts[1].vocab()
    for text in CORPUS:
        line = text.strip()
        assert layouts[0].encode(line).tolist() == layouts[1].encode(line).tolist()
        assert layouts[0].decode(layouts[0].encode(line)) == layouts[1].decode(layouts[1].encode(line))


LAYOUTS = ("tokenizers", "sentencepiece")


def test_neither_threads_nor_order_matter(tmp_path: Path) -> None:
    whole = tokmill.train_unigram(DOCUMENTS, 900, threads=1)
    (tmp_path / "text.txt").write_text("\n".join(DOCUMENTS), encoding="utf-8", newline="\n")
    assert tokmill.train_unigram(DOCUMENTS[::-1], 900, threads=2).fingerprint == whole.fingerprint
    halves = [tokmill.count_unigram_words(DOCUMENTS[::2]), tokmill.count_unigram_words(DOCUMENTS[1::2])]
    assert tokmill.train_unigram(halves[0] + halves[1], 900).fingerprint == whole.fingerprint
    limited = tokmill.train_unigram(DOCUMENTS, 900, memory_limit=1 << 30)
    assert limited.fingerprint == whole.fingerprint


def test_tokens_have_their_places() -> None:
    trained = tokmill.train_unigram(
        DOCUMENTS, 1000, special_tokens=["<bos>", "<eos>"], user_defined_symbols=["<sep>"], template="<bos> $A <eos>"
    )
    assert trained.special_tokens == {"<unk>": 0, "<bos>": 1, "<eos>": 2}
    assert trained.encode("the<sep>cat").tolist().count(3) == 1
    framed = trained.encode("the cat", add_special_tokens=True).tolist()
    assert (framed[0], framed[-1]) == (1, 2)


@pytest.mark.parametrize("text", ["the cat sat", "naïve café", "日本語 \U0001f600"])
def test_bytes_stand_for_what_is_not_covered(text: str) -> None:
    trained = tokmill.train_unigram(["the cat sat on the mat " * 9], 275, normalization="identity")
    assert trained.decode(trained.encode(text)) == text


def test_score_pruning_makes_fewer_tokens() -> None:
    by_score, by_likelihood = (
        tokmill.train_unigram(DOCUMENTS, 900, method=method, token_cost=0.0) for method in ("score_pruning", "em")
    )
    assert sum(map(by_score.count, CORPUS)) <= sum(map(by_likelihood.count, CORPUS))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 3}, "vocab_size"),
        ({"vocab_size": 10_000_000}, "supports at most"),
        ({"normalization": "nfd"}, "normalization"),
        ({"method": "mingram"}, "MinGram"),
        ({"method": "x"}, "method"),
        ({"layout": "x"}, "layout"),
        ({"layout": "sentencepiece"}, "normalization"),
        ({"layout": "sentencepiece", "normalization": "identity", "template": "<s> $A"}, "template"),
        ({"template": "<x> $A"}, "<x>"),
        ({"special_tokens": ["a", "a"]}, "twice"),
        ({"character_coverage": 2.0}, "character_coverage"),
        ({"max_piece_chars": 99}, "max_piece_chars"),
        ({"memory_limit": 1 << 20}, "memory_limit"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(tokmill.TokmillError, match=re.escape(message)):
        tokmill.train_unigram(DOCUMENTS, **({"vocab_size": 1000} | options))


def test_progress_is_told_and_can_end_it() -> None:
    phases: list[str] = []
    tokmill.train_unigram(DOCUMENTS, 1000, progress=lambda phase, done, total: phases.append(phase))
    assert list(dict.fromkeys(phases)) == ["count", "seed", "prune"]

    def stop(phase: str, done: int, total: int | None) -> None:
        if phase == "prune":
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        tokmill.train_unigram(DOCUMENTS, 1000, progress=stop)
