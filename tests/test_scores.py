"""Scores of segmentations: those of an enumeration of all of them, of `nbest`, and of sentencepiece."""

from __future__ import annotations

import io
import itertools
import json
from typing import TYPE_CHECKING

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from texts import CORPUS

import tokmill

if TYPE_CHECKING:
    from collections.abc import Iterator

SCORES = {"a": -1.5, "b": -2.0, "c": -2.5, "ab": -2.25, "bc": -3.0, "abc": -3.5, "xy": -4.0, "é": -1.0, "<s>": 0.0}
BYTES = {f"<0x{byte:02X}>": -9.0 for byte in range(256)}


def _unigram(vocabulary: dict[str, float], *, byte_fallback: bool = False) -> tokmill.Tokenizer:
    vocab = [["<unk>", -8.0], *([piece, score] for piece, score in vocabulary.items())]
    model = {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": byte_fallback}
    special = {"id": 9, "content": "<s>", "special": True, "normalized": False}
    flags = {"single_word": False, "lstrip": False, "rstrip": False}
    return tokmill.Tokenizer.from_bytes(json.dumps({"added_tokens": [{**special, **flags}], "model": model}))


PLAIN = _unigram(SCORES)
WITH_BYTES = _unigram({**SCORES, **BYTES}, byte_fallback=True)
LOWEST = {PLAIN: -18.0, WITH_BYTES: -19.0}
"""What an unknown character costs: ten less than the least score."""


def _ways(text: str) -> Iterator[list[str]]:
    """All ways to cut a text into entries and unknown characters."""
    if not text:
        yield []
    for end in range(1, len(text) + 1):
        if text[:end] in SCORES or end == 1:
            for rest in _ways(text[end:]):
                yield [text[:end], *rest]


def _enumerated(tokenizer: tokmill.Tokenizer, text: str) -> dict[tuple[int, ...], float]:
    """The ids of all segmentations, with the best score that has them."""
    found: dict[tuple[int, ...], float] = {}
    ids_of = tokenizer.vocab()
    for way in _ways(text):
        ids: list[int] = []
        for known, parts in itertools.groupby(way, SCORES.__contains__):
            run = list(parts)
            if known:
                ids += [ids_of[part] for part in run]
            elif "".join(run) in ids_of:
                ids.append(ids_of["".join(run)])
            elif tokenizer == WITH_BYTES:
                ids += [ids_of[f"<0x{byte:02X}>"] for byte in "".join(run).encode()]
            else:
                ids.append(0)
        score = sum(SCORES.get(part, LOWEST[tokenizer]) for part in way)
        found[tuple(ids)] = max(score, found.get(tuple(ids), score))
    return found


@pytest.mark.parametrize("tokenizer", LOWEST, ids=["unknown", "bytes"])
@given(text=st.text("abcxyé語", max_size=7), data=st.data())
def test_a_score_is_that_of_an_enumeration(tokenizer: tokmill.Tokenizer, text: str, data: st.DataObject) -> None:
    found = _enumerated(tokenizer, text)
    for ids, score in found.items():
        assert tokenizer.score(ids, text) == pytest.approx(score)
    best = tokenizer.encode(text).tolist()
    assert found[tuple(best)] == pytest.approx(max(found.values()))
    for ids, score in tokenizer.nbest(text, 50):
        # Unknown characters that spell an entry have its id: the better of two ways with the same ids counts.
        assert tokenizer.score(ids, text) == pytest.approx(found[tuple(ids.tolist())])
        assert tokenizer.score(ids, text) >= score - 1e-9
    other = tuple(data.draw(st.lists(st.integers(0, len(tokenizer) - 1), max_size=5)))
    if other not in found:
        with pytest.raises(tokmill.TokmillError, match="segmentation of the text"):
            tokenizer.score(other, text)


def test_ids_alone() -> None:
    assert PLAIN.score([1, 4]) == PLAIN.score([1, 4], "aab") == -3.75
    assert PLAIN.score([0, 1]) == -19.5
    assert PLAIN.score([0, 1], "語語a") == -37.5
    assert WITH_BYTES.score(WITH_BYTES.encode("語a")) == WITH_BYTES.score(WITH_BYTES.encode("語a"), "語a") == -20.5
    assert PLAIN.score([]) == PLAIN.score([], "") == 0.0


def test_special_tokens_count_nothing() -> None:
    assert PLAIN.score([9, 1, 9], "<s>a<s>", allowed_special="all") == PLAIN.score([1], "a")
    with pytest.raises(tokmill.TokmillError, match="segmentation of the text"):
        PLAIN.score([1], "<s>a", allowed_special="all")


def test_what_has_no_score_is_refused(tokenizer: tokmill.Tokenizer) -> None:
    with pytest.raises(tokmill.TokmillError, match="not Unigram"):
        tokenizer.score([1])
    with pytest.raises(tokmill.UnknownId):
        PLAIN.score([len(PLAIN)])


@pytest.mark.parametrize("options", [{}, {"byte_fallback": True}, {"user_defined_symbols": ["the", "漢字"]}])
def test_scores_of_sentencepiece(options: dict[str, object]) -> None:
    """Its lists of the best are in order of them, and scores of known pieces are sums of those that it tells."""
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in CORPUS * 3 for line in text.splitlines()]),
        model_writer=file,
        model_type="unigram",
        vocab_size=800 if "byte_fallback" in options else 500,
        hard_vocab_limit=False,
        character_coverage=0.98,
        minloglevel=3,
        num_threads=1,
        **options,
    )
    library = sentencepiece.SentencePieceProcessor(model_proto=file.getvalue())
    tokenizer = tokmill.Tokenizer.from_bytes(file.getvalue())
    sums = 0
    for text in (*(line[:60] for line in CORPUS), "the 漢字 ℵ and the", "ℵℵ"):
        found = library.nbest_encode(text, nbest_size=8, out_type=int)
        scores = [tokenizer.score(ids, text) for ids in found]
        assert all(later <= earlier + 1e-3 for earlier, later in itertools.pairwise(scores))
        assert scores[0] == pytest.approx(tokenizer.score(tokenizer.encode(text), text), rel=1e-4)
        for ids, score in zip(found, scores, strict=True):
            pieces = [library.id_to_piece(id) for id in ids]
            if not any(map(library.is_unknown, ids)) and not any(map(library.is_byte, ids)) and not options:
                assert score == pytest.approx(sum(map(library.get_score, ids)), rel=1e-4), pieces
                sums += 1
    assert options or sums > 20
