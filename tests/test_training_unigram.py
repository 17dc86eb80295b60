"""Unigram training: exact sizes, determinism, files that their owners read alike, and errors."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import pytest
import sentencepiece
from texts import CORPUS, FRAGMENTS
from tokenizers import Tokenizer as Peer

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable
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
@pytest.mark.parametrize("normalization", ["identity", "nfc", "nfkc", "nmt_nfkc"])
def test_sentencepiece_encodes_alike(normalization: str, byte_fallback: bool, tmp_path: Path) -> None:
    size = 900 if byte_fallback else 600
    ours = tokmill.train_unigram(
        DOCUMENTS, size, normalization=normalization, layout="sentencepiece", byte_fallback=byte_fallback
    )
    ours.save(tmp_path / "u.model")
    peer = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "u.model"))
    assert peer.get_piece_size() == size
    assert tokmill.Tokenizer.from_file(tmp_path / "u.model") == ours
    for text in [*CORPUS, *FRAGMENTS, *AWKWARD]:
        assert ours.encode(text).tolist() == peer.encode(text), text


@pytest.mark.parametrize("normalization", ["nfc", "nfkc"])
def test_maps_of_characters_are_those_of_unicode(normalization: str) -> None:
    """Without marks that would have to change places, which no list of replacements can do."""
    ours = tokmill.train_unigram(DOCUMENTS, 900, normalization=normalization, layout="sentencepiece")
    for text in [
        "e\u0301te\u0301",
        "A\u030a",
        "\u1112\u1161\u11ab",
        "\ufb01 \u2460 \uff21",
        "\u0958",
        "o\u0302\u0301",
        "caf\u00e9",
    ]:
        assert ours.encode(text).tolist() == ours.encode(unicodedata.normalize(normalization.upper(), text)).tolist()


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
        ({"method": "x"}, "method"),
        ({"layout": "x"}, "layout"),
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


# -- options, as sentencepiece means them ------------------------------------------------------------------------------

MIXED_LINES = [
    "abc1 abc2 abc12 abc21 12abc x86 x86 v2v2",
    "слово слово wordслово wordслово wordслово 東京tokyo 東京tokyo 東京都 東京都 カナかな漢字",
    "of the of the of the in the in the by the by the",
    "1234 1234 123 12 2026 2026 one-two one-two a.b a.b",
    "internationalization internationalizations internationally",
]


def pieces_of_sentencepiece(lines: list[str], size: int, folder: Path, **options: object) -> list[str]:
    """The normal pieces of a model of about `size` entries."""
    (folder / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    sentencepiece.SentencePieceTrainer.Train(
        input=str(folder / "lines.txt"),
        model_prefix=str(folder / "peer"),
        vocab_size=size,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        minloglevel=2,
        num_threads=1,
        **options,
    )
    peer = sentencepiece.SentencePieceProcessor(model_file=str(folder / "peer.model"))
    special = [peer.is_control, peer.is_unknown, peer.is_byte, peer.is_unused]
    return [peer.id_to_piece(id) for id in range(len(peer)) if not any(is_special(id) for is_special in special)]


def pieces_of_tokmill(lines: list[str], size: int, **options: object) -> list[str]:
    ours = tokmill.train_unigram(lines, size, normalization="identity", byte_fallback=False, **options)
    return [piece for piece in ours.vocab() if piece not in ours.special_tokens]


SCRIPTS = {"latin": "[a-z]", "cyrillic": "[а-я]", "han": "[\u3040-\u30ff\u4e00-\u9fff]"}


def joins_scripts(piece: str) -> bool:
    return sum(re.search(script, piece) is not None for script in SCRIPTS.values()) > 1


@pytest.mark.parametrize(
    ("line", "size", "ours", "theirs", "violates"),
    [
        (
            "wordслово wordслово словоword 東京tokyo 東京tokyo 京tok",
            28,
            {"split_by_unicode_script": False},
            {"split_by_unicode_script": False},
            joins_scripts,
        ),
        (
            "abc1 abc2 abc12 abc21 12abc x86 x86 v2v2",
            18,
            {"split_by_number": False},
            {"split_by_number": False},
            lambda piece: re.search("[a-z][0-9]|[0-9][a-z]", piece) is not None,
        ),
        (
            "of the of the of the in the in the by the by the",
            20,
            {"split_by_whitespace": False},
            {"split_by_whitespace": False},
            lambda piece: "\u2581" in piece[1:],
        ),
        (
            "internationalization internationalizations internationally",
            30,
            {"max_piece_chars": 24},
            {"max_sentencepiece_length": 24},
            lambda piece: len(piece) > 16,
        ),
    ],
)
def test_what_pieces_may_hold(
    line: str,
    size: int,
    ours: dict[str, object],
    theirs: dict[str, object],
    violates: Callable[[str], bool],
    tmp_path: Path,
) -> None:
    lines = [line] * 40
    assert not any(map(violates, pieces_of_sentencepiece(lines, size, tmp_path)))
    assert not any(map(violates, pieces_of_tokmill(lines, size)))
    assert any(map(violates, pieces_of_sentencepiece(lines, size, tmp_path, **theirs)))
    assert any(map(violates, pieces_of_tokmill(lines, size, **ours)))


def test_each_digit_alone(tmp_path: Path) -> None:
    def joined(pieces: list[str]) -> bool:
        return any(re.search("[0-9]", piece) and len(piece) > 1 for piece in pieces)

    lines = MIXED_LINES * 40
    assert joined(pieces_of_sentencepiece(lines, 120, tmp_path))
    assert joined(pieces_of_tokmill(lines, 120))
    assert not joined(pieces_of_sentencepiece(lines, 120, tmp_path, split_digits=True))
    assert not joined(pieces_of_tokmill(lines, 120, split_digits=True))


@pytest.mark.parametrize("coverage", [1.0, 0.9995, 0.98])
@pytest.mark.parametrize("required", ["", "xй"])
def test_covered_characters_are_those_of_sentencepiece(coverage: float, required: str, tmp_path: Path) -> None:
    lines = MIXED_LINES * 30 + ["rare: ß ø ж 語"]
    theirs = pieces_of_sentencepiece(lines, 120, tmp_path, character_coverage=coverage, required_chars=required)
    ours = pieces_of_tokmill(lines, 120, character_coverage=coverage, required_chars=required)
    assert {piece for piece in ours if len(piece) == 1} == {piece for piece in theirs if len(piece) == 1}
    assert set("".join(ours)) == set("".join(theirs))


def test_reserved_pieces_are_those_of_sentencepiece(tmp_path: Path) -> None:
    lines = MIXED_LINES * 40
    (tmp_path / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    sentencepiece.SentencePieceTrainer.Train(
        input=str(tmp_path / "lines.txt"),
        model_prefix=str(tmp_path / "peer"),
        vocab_size=400,
        normalization_rule_name="identity",
        hard_vocab_limit=False,
        byte_fallback=True,
        control_symbols=["<sep>"],
        user_defined_symbols=["of the", "x86"],
        minloglevel=2,
    )
    ours = tokmill.train_unigram(
        lines,
        400,
        normalization="identity",
        layout="sentencepiece",
        special_tokens=["<s>", "</s>", "<sep>"],
        user_defined_symbols=["of the", "x86"],
    )
    ours.save(tmp_path / "ours.model")
    loaded, peer = (
        sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / name)) for name in ("ours.model", "peer.model")
    )
    for id in range(4 + 2 + 256):
        assert loaded.id_to_piece(id) == peer.id_to_piece(id)
        assert (loaded.is_control(id), loaded.is_byte(id)) == (peer.is_control(id), peer.is_byte(id))
    for text in ["one of the x86s", "<sep> of the", "x8686"]:
        reserved = [id for id in ours.encode(text).tolist() if id < 6]
        assert reserved == [id for id in peer.encode(text) if id < 6]
        assert ours.encode(text).tolist() == loaded.encode(text)
    assert not any("of\u2581the" in piece or "x86" in piece for piece in list(ours.vocab())[262:])


# -- MinGram -----------------------------------------------------------------------------------------------------------


def fewest(word: str, pieces: set[str]) -> int:
    """The least number of pieces of a word."""
    least = [0] + [len(word) + 1] * len(word)
    for end in range(1, len(word) + 1):
        ways = (least[begin] + 1 for begin in range(end) if word[begin:end] in pieces)
        least[end] = min(ways, default=least[end])
    return least[-1]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mingram_segments_into_the_fewest_pieces(layout: str, tmp_path: Path) -> None:
    ours = tokmill.train_unigram(
        DOCUMENTS, 1000, method="mingram", normalization="identity", layout=layout, character_coverage=1.0
    )
    assert ours.vocab_size == 1000
    assert tokmill.train_unigram(DOCUMENTS[::-1], 1000, method="mingram", normalization="identity", layout=layout,
                                 character_coverage=1.0, threads=2) == ours  # fmt: skip
    pieces = set(ours.vocab())
    for word in {word for text in CORPUS for word in text.split()}:
        if set(word) <= pieces:
            assert ours.count(word) == fewest("\u2581" + word, pieces), word
    usual = tokmill.train_unigram(DOCUMENTS, 1000, normalization="identity", layout=layout, character_coverage=1.0)
    assert sum(map(ours.count, CORPUS)) <= sum(map(usual.count, CORPUS))
    name = "m.model" if layout == "sentencepiece" else "m.json"
    ours.save(tmp_path / name)
    for text in [*CORPUS, *FRAGMENTS]:
        if layout == "sentencepiece":
            expected = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / name)).encode(text)
        else:
            expected = Peer.from_file(str(tmp_path / name)).encode(text, add_special_tokens=False).ids
        assert ours.encode(text).tolist() == expected, text
