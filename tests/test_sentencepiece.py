"""Models of sentencepiece: ids, offsets, decoding and written files equal to the library's."""

from __future__ import annotations

import io
import pickle
import unicodedata
from typing import TYPE_CHECKING, Any

import model_files
import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = "the of and to in that was he it his is with as for had you not be her on at by which have or from this"
WORDS = TEXT.split()

LINES = [
    " ".join(WORDS[(i * k + k * k) % len(WORDS)] + ("ing," if i * k % 7 == 0 else "") for i in range(3, 14))
    + f" {k * 37} Zürich naïve 日本語の{k % 9} 한국어 ﬁ½ ™."
    for k in range(1, 400)
]

_SYMBOLS = ["<sep>", "the", " of ", "日本", "日", "ing,", "\u2581th", "7"]


def _even_scores(pieces: list[model_files.Piece]) -> None:
    """Gives many pieces the score of their neighbours."""
    for piece in pieces:
        if piece.type == model_files.NORMAL:
            piece.score = float(int(piece.score / 40))


def _unused(pieces: list[model_files.Piece]) -> None:
    """Makes every fifth piece one that text does not have, characters among them."""
    for number, piece in enumerate(pieces):
        if piece.type == model_files.NORMAL and number % 5 == 0:
            piece.type = model_files.UNUSED


def _without_unknown(pieces: list[model_files.Piece]) -> None:
    """Leaves everything to the bytes."""
    pieces[0].type = model_files.CONTROL


MODELS: dict[str, dict[str, Any]] = {
    "unigram": {"model_type": "unigram"},
    "unigram with bytes and symbols": {
        "model_type": "unigram",
        "byte_fallback": True,
        "user_defined_symbols": ["<sep>", "the", " of ", "日本"],
        "remove_extra_whitespaces": False,
    },
    "unigram with suffixes": {"model_type": "unigram", "treat_whitespace_as_suffix": True},
    "unigram without prefix": {
        "model_type": "unigram",
        "add_dummy_prefix": False,
        "normalization_rule_name": "nfkc_cf",
        "control_symbols": ["<c>"],
    },
    "unigram across words": {
        "model_type": "unigram",
        "split_by_whitespace": False,
        "normalization_rule_name": "identity",
        "byte_fallback": True,
        "remove_extra_whitespaces": False,
        "allow_whitespace_only_pieces": True,
    },
    "bpe": {"model_type": "bpe"},
    "bpe with bytes": {
        "model_type": "bpe",
        "byte_fallback": True,
        "remove_extra_whitespaces": False,
        "normalization_rule_name": "identity",
    },
    "bpe with symbols": {"model_type": "bpe", "user_defined_symbols": _SYMBOLS},
    "bpe with bytes and symbols": {
        "model_type": "bpe",
        "byte_fallback": True,
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
        "normalization_rule_name": "identity",
        "user_defined_symbols": [*_SYMBOLS, "\u2581\u2581", "\u2581" * 4, "\n", "\n\n"],
    },
    "bpe with suffixes": {"model_type": "bpe", "treat_whitespace_as_suffix": True},
    "bpe with equal scores": {"model_type": "bpe", "change": _even_scores},
    "bpe with unused pieces": {"model_type": "bpe", "byte_fallback": True, "change": _unused},
    "bpe with all at once": {
        "model_type": "bpe",
        "user_defined_symbols": _SYMBOLS,
        "remove_extra_whitespaces": False,
        "change": lambda pieces: (_even_scores(pieces), _unused(pieces)),
    },
    "bpe without unknown": {"model_type": "bpe", "byte_fallback": True, "change": _without_unknown},
    "unigram without unknown": {"model_type": "unigram", "byte_fallback": True, "change": _without_unknown},
    "characters": {"model_type": "char", "use_all_vocab": True, "user_defined_symbols": ["<sep>", "the"]},
    "unigram with unused pieces": {"model_type": "unigram", "byte_fallback": True, "change": _unused},
}


def _train(change: Callable[[list[model_files.Piece]], Any] | None = None, **options: Any) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES),
        model_writer=model,
        vocab_size=600 if options.get("byte_fallback") else 340,
        hard_vocab_limit=False,
        character_coverage=0.99,
        minloglevel=3,
        num_threads=1,
        **options,
    )
    return model_files.changed(model.getvalue(), change) if change else model.getvalue()


@pytest.fixture(scope="module", params=MODELS)
def models(request: pytest.FixtureRequest) -> tuple[tokmill.Tokenizer, sentencepiece.SentencePieceProcessor]:
    file = _train(**MODELS[request.param])
    return tokmill.Tokenizer.from_bytes(file), sentencepiece.SentencePieceProcessor(model_proto=file)


_TEXTS = st.one_of(
    st.text(st.sampled_from(list(" \t\n7\u00a0\u3000\u2581abehtof.,<>sp\u0301é日本語の한ﬁ™\u200b\x00½xЖ😀"))),
    st.lists(
        st.sampled_from(
            [*WORDS, " ", "  ", "    ", "<sep>", "<s>", " of ", "日", "there", "\u2581", "日本", "ing", "é"]
        )
    ).map("".join),
    st.sampled_from(LINES),
)


def _spans(peer: sentencepiece.SentencePieceProcessor, text: str) -> list[list[int]]:
    return [list(span) for span in peer.encode_as_offset_mapping(text)["offsets"]]


@given(_TEXTS)
def test_ids_offsets_and_decoding_are_those_of_the_library(models: Any, text: str) -> None:
    tokenizer, peer = models
    expected = peer.encode(text)
    assert tokenizer.encode(text).tolist() == expected
    ids, spans = tokenizer.encode_with_offsets(text)
    assert ids.tolist() == expected
    assert spans.tolist() == _spans(peer, text)
    assert tokenizer.decode(expected) == peer.decode(expected)


@given(st.data())
def test_any_ids_decode_as_in_the_library(models: Any, data: st.DataObject) -> None:
    tokenizer, peer = models
    ids = data.draw(st.lists(st.integers(0, peer.get_piece_size() - 1), max_size=12))
    assert tokenizer.decode(ids) == peer.decode(ids)


def test_written_models_load_in_the_library(models: Any) -> None:
    tokenizer, peer = models
    written = tokenizer.to_bytes(format="sentencepiece")
    again = sentencepiece.SentencePieceProcessor(model_proto=written)
    for line in LINES:
        assert again.encode(line) == peer.encode(line)
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy == tokenizer
    assert copy.to_bytes(format="sentencepiece") == written


def test_long_texts_are_those_of_the_library() -> None:
    """Long enough for scores beyond which the library counts anew."""
    file = _train(**MODELS["unigram"])
    tokenizer, peer = tokmill.Tokenizer.from_bytes(file), sentencepiece.SentencePieceProcessor(model_proto=file)
    text = " ".join(LINES * 4)
    assert tokenizer.encode(text).tolist() == peer.encode(text)
    assert tokenizer.encode(text, threads=4).tolist() == peer.encode(text)


def test_the_best_segmentations_are_those_of_the_library() -> None:
    file = _train(**MODELS["unigram"])
    tokenizer, peer = tokmill.Tokenizer.from_bytes(file), sentencepiece.SentencePieceProcessor(model_proto=file)
    for text in ("this is that", "which had you", "日本語の"):
        best = tokenizer.nbest(text, 10)
        scores = [score for _, score in best]
        assert scores == sorted(scores, reverse=True)
        expected = peer.nbest_encode(text, nbest_size=10, out_type=int)
        score = dict.fromkeys(map(tuple, expected))
        assert len(best) == len(expected)
        assert best[0][0].tolist() == expected[0]
        # Of segmentations with the same score either may come first, or last.
        inner = [tuple(ids.tolist()) for ids, value in best if value > scores[-1] + 1e-4]
        assert set(inner) <= set(score)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_samples_are_distributed_as_all_segmentations_are_likely(alpha: float) -> None:
    tokenizer = tokmill.Tokenizer.from_bytes(_train(**MODELS["unigram"]))
    text, draws = "which had not", 3000
    segmentations = tokenizer.nbest(text, 1000)
    assert 10 < len(segmentations) < 1000, "all of them are listed"
    weights = np.exp(alpha * np.array([score for _, score in segmentations]))
    expected = draws * weights / weights.sum()
    place = {tuple(ids.tolist()): number for number, (ids, _) in enumerate(segmentations)}
    found = np.zeros(len(segmentations))
    for seed in range(draws):
        found[place[tuple(tokenizer.sample(text, alpha=alpha, seed=seed).tolist())]] += 1
    assert (np.abs(found - expected) <= 5 * np.sqrt(expected) + 3).all()


def test_samples_repeat_with_their_seed() -> None:
    tokenizer = tokmill.Tokenizer.from_bytes(_train(**MODELS["unigram"]))
    text = LINES[0]
    first = tokenizer.sample(text, alpha=0.2, seed=5)
    assert np.array_equal(first, tokenizer.sample(text, alpha=0.2, seed=5))
    drawn = {tokenizer.sample(text, alpha=0.2, seed=seed).tobytes() for seed in range(20)}
    assert len(drawn) > 5
    assert tokenizer.decode(first) == tokenizer.decode(tokenizer.encode(text))
    assert np.array_equal(tokenizer.sample(text, nbest=1, seed=1), tokenizer.nbest(text, 1)[0][0])


@pytest.mark.parametrize("name", ["nfkc", "nmt_nfkc"])
def test_maps_of_rules_are_those_of_the_library(name: Any) -> None:
    """Assigned characters, what they decompose into, and marks behind those that are forms of others."""
    options: dict[str, Any] = {"model_type": "unigram", "remove_extra_whitespaces": False}
    theirs = sentencepiece.SentencePieceProcessor(model_proto=_train(**options, normalization_rule_name=name))
    trained = tokmill.train_unigram(
        LINES, 340, normalization=name, layout="sentencepiece", remove_extra_whitespaces=False
    )
    ours = sentencepiece.SentencePieceProcessor(model_proto=trained.to_bytes(format="sentencepiece"))
    codes = (*range(1, 0xD800), *range(0xE000, 0x34000), *range(0xE0000, 0xE0200))
    characters = list(map(chr, codes))
    decomposed = [unicodedata.normalize("NFD", character) for character in characters]
    forms = [c for c in characters if len(form := unicodedata.normalize("NFKD", c)) == 1 and form != c]
    marks = [chr(code) for code in range(0x300, 0x346)] + ["\u3099", "\u309a", "\u0653", "\u1161", "\u11a8"]
    strings = [*characters, *decomposed, *(form + mark for form in forms for mark in marks)]
    for begin in range(0, len(strings), 5_000):
        # A letter that nothing composes with, so that the strings stay apart.
        text = "a".join(strings[begin : begin + 5_000])
        assert ours.normalize(text) == theirs.normalize(text)


def test_models_of_words_are_refused_by_name() -> None:
    with pytest.raises(tokmill.TokmillError, match="WORD"):
        tokmill.Tokenizer.from_bytes(_train(model_type="word", use_all_vocab=True))


def test_rules_for_decoded_text_are_refused_by_name() -> None:
    file = _train(**MODELS["bpe"])
    with pytest.raises(tokmill.TokmillError, match="denormalizer"):
        tokmill.Tokenizer.from_bytes(model_files.with_denormalizer(file, model_files.charsmap(file)))


def _damage(file: bytes, change: Callable[[bytearray], None]) -> bytes:
    changed = bytearray(file)
    change(changed)
    return bytes(changed)


def test_damaged_models_are_errors() -> None:
    file = _train(**MODELS["unigram"])
    for cut in (10, 100, len(file) // 2, len(file) - 3):
        with pytest.raises(tokmill.TokmillError):
            tokmill.Tokenizer.from_bytes(file[:cut])
    for at in range(0, min(len(file), 4000), 7):
        flipped = _damage(file, lambda bytes_, at=at: bytes_.__setitem__(at, bytes_[at] ^ 0x55))
        try:
            tokmill.Tokenizer.from_bytes(flipped).encode("the of and")
        except tokmill.InternalError:
            raise
        except tokmill.TokmillError:
            pass


def test_convert_writes_a_model(tmp_path: Path) -> None:
    tokenizer = tokmill.Tokenizer.from_bytes(_train(**MODELS["bpe with bytes"]))
    tokenizer.save(tmp_path / "copy.model")
    assert tokmill.Tokenizer.from_file(tmp_path / "copy.model") == tokenizer
    tokenizer.save(tmp_path / "tokenizer.json")
    converted = tokmill.Tokenizer.from_file(tmp_path / "tokenizer.json")
    assert all(np.array_equal(converted.encode(line), tokenizer.encode(line)) for line in LINES)
