"""The byte-level engine as Python sees it: requests, logits in every type, states."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from texts import CORPUS

import tokmill

SPECIALS = ["<|endoftext|>", "<|sep|>"]


@pytest.fixture(scope="module")
def tokenizer() -> tokmill.Tokenizer:
    return tokmill.train_bpe(CORPUS, vocab_size=400, pattern="o200k_base", special_tokens=SPECIALS)


@pytest.fixture(scope="module")
def engine(tokenizer: tokmill.Tokenizer) -> tokmill.ByteEngine:
    return tokmill.ByteEngine(tokenizer)


def model(sequences: tokmill.Ragged, vocab_size: int) -> npt.NDArray[np.float64]:
    """Logits that look random and depend on all of a sequence."""
    rows = [np.random.default_rng([len(ids), *map(int, ids)]).normal(size=vocab_size) for ids in sequences]
    return np.array(rows).reshape(len(rows), vocab_size)


def run(state: tokmill.ByteState, vocab_size: int) -> tokmill.ByteState:
    while len(request := state.pending()):
        state.supply(request, model(request.sequences, vocab_size))
    return state


def test_probabilities_of_all_that_comes_next_add_up_to_one(engine: tokmill.ByteEngine) -> None:
    for text in ["", "The quick", "don't ", "  \n ", "12", "naïve caf\u00e9"]:
        state = run(engine.start(text, [0]), engine.vocab_size)
        following = state.next()
        assert following.shape == (257,)
        assert following.dtype == np.float64
        others = sum(np.exp(log) for log in state.specials.values())
        assert np.exp(following).sum() + others == pytest.approx(1, abs=1e-12)
        assert state.end() == following[256]
        assert state.text == text.encode()
        assert 0 <= state.leak < 1


def test_a_text_is_as_probable_as_its_covers(engine: tokmill.ByteEngine) -> None:
    state = run(engine.start(b"the c"), engine.vocab_size)
    cover = state.cover()
    assert np.logaddexp.reduce([log for _, log in cover]) == pytest.approx(state.log_prob, abs=1e-12)
    assert all(engine.tokenizer.decode_bytes(ids).startswith(b"the c") for ids, _ in cover)
    assert cover == sorted(cover, key=lambda member: -member[1])
    assert state.interval == (state.log_prob, state.log_prob)


def test_requests_are_a_tree(engine: tokmill.ByteEngine) -> None:
    request = engine.start("hello world", [1, 0]).pending()
    assert request.nodes.dtype == np.uint32
    assert request.parents.dtype == np.int64
    assert request.tokens.dtype == np.uint32
    assert request.depths.dtype == np.uint32
    sequences = dict(zip(request.nodes.tolist(), request.sequences, strict=True))
    assert (request.nodes[0], request.parents[0], request.depths[0]) == (0, -1, 2)
    for node, parent, token, depth in zip(request.nodes, request.parents, request.tokens, request.depths, strict=True):
        ids = sequences[int(node)]
        assert len(ids) == depth
        assert ids[-1] == token
        if parent >= 0:
            assert ids[:-1].tolist() == sequences[int(parent)].tolist()
    assert [row.tolist() for row in engine.start().pending().sequences] == [[]]


def as_bfloat16(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.uint16]:
    return (logits.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def test_logits_of_every_type_and_layout(engine: tokmill.ByteEngine) -> None:
    size = engine.vocab_size

    def following(
        convert: object, tolerance: float, dtype: str | None = None, strict: bool = False
    ) -> npt.NDArray[np.float64]:
        state = tokmill.ByteEngine(engine.tokenizer, strict=strict).start("an ex")
        request = state.pending()
        state.supply(request, convert(model(request.sequences, size)), dtype=dtype)  # type: ignore[operator]
        found = np.exp(state.next())
        expected = np.exp(run(engine.start("an ex"), size).next())
        np.testing.assert_allclose(found, expected, atol=tolerance)
        return found

    following(lambda logits: logits, 0)
    following(lambda logits: logits.tolist(), 0)
    following(lambda logits: np.asfortranarray(logits), 0)
    following(lambda logits: np.repeat(logits, 2, axis=1)[:, ::2], 0)
    following(lambda logits: np.hstack([logits, np.full((len(logits), 9), np.nan)]), 0)
    following(lambda logits: np.hstack([logits, logits])[:, :size], 0)
    following(lambda logits: logits - 1e4, 1e-9)
    following(lambda logits: logits.astype(np.float32), 1e-6)
    following(lambda logits: logits.astype(np.float32), 1e-6, strict=True)
    following(lambda logits: logits.astype(np.float16), 1e-2)
    following(as_bfloat16, 1e-1, dtype="bfloat16")


def test_what_is_wrong_with_logits_is_said(engine: tokmill.ByteEngine) -> None:
    state = engine.start()
    request = state.pending()
    size = engine.vocab_size
    for logits, complaint in [
        (np.zeros((1, size - 1)), "columns"),
        (np.zeros((2, size)), "2 rows for 1 contexts"),
        (np.zeros(size), "2 dimensions"),
        (np.zeros((1, size), np.int64), "float64, float32 and float16"),
        (np.full((1, size), np.nan), "NaN"),
        (np.full((1, size), -np.inf), "-inf"),
    ]:
        with pytest.raises(tokmill.TokmillError, match=complaint):
            state.supply(request, logits)
    with pytest.raises(tokmill.TokmillError, match="bfloat16"):
        state.supply(request, np.zeros((1, size), np.float32), dtype="bfloat16")
    with pytest.raises(tokmill.TokmillError, match="pending"):
        state.next()
    assert len(state.pending()) == 1


def test_forks_go_their_own_ways(engine: tokmill.ByteEngine) -> None:
    state = run(engine.start("some"), engine.vocab_size)
    fork = state.fork()
    fork.push(b" more")
    assert (state.text, fork.text) == (b"some", b"some more")
    assert len(state.pending()) == 0
    assert len(fork.pending()) > 0
    numbers = set(fork.pending().nodes.tolist())
    state.push(b"thing")
    assert numbers.isdisjoint(set(state.pending().nodes.tolist()))
    run(fork, engine.vocab_size).rollback(5)
    expected = run(engine.start("some"), engine.vocab_size)
    np.testing.assert_allclose(run(fork, engine.vocab_size).next(), expected.next(), atol=1e-12)
    with pytest.raises(tokmill.TokmillError, match="n_bytes"):
        fork.rollback(5)


def test_a_beam_bounds_what_it_drops(tokenizer: tokmill.Tokenizer) -> None:
    exact = run(tokmill.ByteEngine(tokenizer, semantics="all").start("the t"), tokenizer.vocab_size)
    beam = run(tokmill.ByteEngine(tokenizer, semantics="all", beam=2).start("the t"), tokenizer.vocab_size)
    low, high = beam.interval
    assert low == beam.log_prob
    assert low <= exact.log_prob <= high


def test_ends_of_text(tokenizer: tokmill.Tokenizer) -> None:
    end, separator = (tokenizer.special_tokens[token] for token in SPECIALS)
    assert tokmill.ByteEngine(tokenizer).end_of_text == end
    assert tokmill.ByteEngine(tokenizer, end_of_text=separator).end_of_text == separator
    engine = tokmill.ByteEngine(tokenizer, end_of_text="<|sep|>")
    assert engine.end_of_text == separator
    assert list(run(engine.start(), engine.vocab_size).specials) == [end]
    with pytest.raises(tokmill.TokmillError, match="end_of_text"):
        tokmill.ByteEngine(tokenizer, end_of_text="<|nothing|>")


def test_what_cannot_be_is_refused() -> None:
    tokenizer = tokmill.train_bpe(CORPUS, vocab_size=300, pattern=r"(?<=a)b|.")
    with pytest.raises(tokmill.TokmillError, match="looks back"):
        tokmill.ByteEngine(tokenizer)
    assert tokmill.ByteEngine(tokenizer, verify=True).semantics == "canonical"
    with pytest.raises(tokmill.TokmillError, match="semantics"):
        tokmill.ByteEngine(tokenizer, semantics="some")  # type: ignore[arg-type]
    with pytest.raises(tokmill.TokmillError, match="beam"):
        tokmill.ByteEngine(tokenizer, beam=0)
    with pytest.raises(tokmill.UnknownId):
        tokmill.ByteEngine(tokenizer, verify=True).start(b"", [10**6])
