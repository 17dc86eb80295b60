"""The byte engine against the specification: small tokenizers by brute force, real ones by languages of a few texts."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from byte_models import FIRST_ORDER, A, B, bpe, induced, ordinary, random_model, vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from parity import vocabularies
from reference_byte_level import FiniteLanguage, TokenModel, logits_of, strings
from slow_byte_engine import SlowEngine
from texts import FRAGMENTS

import tokmill
from tokmill import TokmillError

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

# -- tokenizers -----------------------------------------------------------------------------------------------------

PATTERNS = {
    "none": None,
    "look-ahead": r" ?a+|1|\s+(?!\S)|\s+",
    "letters and blanks": r" ?\p{L}+|\p{N}|\s+",
    "threes from the right": r"\d{1,3}(?=(?:\d{3})*(?!\d))|\D+",
    "contractions": r"'a| ?[ab]+|1| ?'+|\s+(?!\S)|\s+",
}
ALPHABET = {"threes from the right": b"1a", "contractions": b"a' 1"}


@st.composite
def merge_lists(draw: st.DrawFn, alphabet: bytes, longest: int = 4) -> tuple[tuple[bytes, bytes], ...]:
    """Merges as a trainer could have made them: each of two tokens that are there, each token once."""
    tokens = [bytes([byte]) for byte in alphabet]
    merges = []
    for _ in range(draw(st.integers(0, 5))):
        pairs = [(x, y) for x in tokens for y in tokens if len(x + y) <= longest and x + y not in tokens]
        if not pairs:
            break
        merges.append(draw(st.sampled_from(pairs)))
        tokens.append(b"".join(merges[-1]))
    return tuple(merges)


@st.composite
def small_tokenizers(draw: st.DrawFn) -> tuple[tokmill.Tokenizer, bytes]:
    name = draw(st.sampled_from(sorted(PATTERNS)))
    alphabet = ALPHABET.get(name, b"a 1" if PATTERNS[name] else b"ab")
    return bpe(alphabet, draw(merge_lists(alphabet)), PATTERNS[name]), alphabet


def ready(state: tokmill.ByteState, step) -> tokmill.ByteState:
    """Supply what is pending, and check what the request says of it."""
    while len(request := state.pending()):
        sequences = [sequence.tolist() for sequence in request.sequences]
        depth_of = dict(zip(request.nodes.tolist(), request.depths.tolist(), strict=True))
        assert len(depth_of) == len(request) == len(sequences)
        assert depth_of == dict(zip(request.nodes.tolist(), map(len, sequences), strict=True))
        for node, parent, token, sequence in zip(
            request.nodes.tolist(), request.parents.tolist(), request.tokens.tolist(), sequences, strict=True
        ):
            assert parent < node
            assert not sequence or token == sequence[-1]
            if parent in depth_of:
                assert sequences[request.nodes.tolist().index(parent)] == sequence[:-1]
        state.supply(request, step(sequences))
    return state


def engine_of(tokenizer: tokmill.Tokenizer, **options: object) -> tokmill.ByteEngine:
    return tokmill.ByteEngine(tokenizer, end_of_text=tokenizer.vocab_size - 1, **options)


def step_of(tokenizer: tokmill.Tokenizer, model: TokenModel):
    return logits_of(model, tokenizer.vocab_size, tokenizer.vocab_size - 1)


# -- perfect models -------------------------------------------------------------------------------------------------


@given(small_tokenizers(), st.data())
def test_a_perfect_model_gives_the_truth(made: tuple[tokmill.Tokenizer, bytes], data: st.DataObject) -> None:
    tokenizer, alphabet = made
    texts = data.draw(
        st.lists(st.lists(st.sampled_from(sorted(alphabet)), max_size=9).map(bytes), min_size=1, max_size=12)
    )
    # Beginnings and continuations of one another, where tokenizers change their mind.
    texts += [text[: len(text) // 2] for text in texts] + [text + texts[0] for text in texts[:3]]
    language = FiniteLanguage({text: 1.0 + at for at, text in enumerate(dict.fromkeys(texts))}, tokenizer.encode)
    for semantics in ("canonical", "all"):
        engine = engine_of(tokenizer, semantics=semantics)
        for text in language.texts:
            state = engine.start()
            for at in range(len(text) + 1):
                ready(state, step_of(tokenizer, language))
                assert np.exp(state.next()) == pytest.approx(language.next(text[:at]), abs=1e-12)
                assert state.log_prob == pytest.approx(np.log(language.mass(text[:at])), abs=1e-12)
                assert abs(state.leak) < 1e-12
                state.push(text[at : at + 1])


def test_the_table_of_a_first_order_chain() -> None:
    tokenizer = bpe(b"AB", ((b"A", b"A"),))
    tokens = ordinary(tokenizer)
    assert tokens == vocabulary(b"A", b"B", b"AA")
    chain, model = induced(tokens, tokenizer.encode, FIRST_ORDER, order=1)
    engine = engine_of(tokenizer)
    for text in strings(b"AB", 6):
        state = ready(engine.start(text), step_of(tokenizer, model))
        expected = [float(chain.next(text)[symbol]) for symbol in (A, B)]
        assert np.exp(state.next())[[A, B]] == pytest.approx(expected, abs=1e-12)
        assert np.exp(state.log_prob) == pytest.approx(float(chain.mass(text)), rel=1e-12)


# -- any model ------------------------------------------------------------------------------------------------------


@given(small_tokenizers(), st.integers(0, 50), st.data())
def test_any_model_as_the_specification_has_it(
    made: tuple[tokmill.Tokenizer, bytes], seed: int, data: st.DataObject
) -> None:
    tokenizer, alphabet = made
    text = data.draw(st.lists(st.sampled_from(sorted(alphabet)), max_size=4).map(bytes))
    tokens = ordinary(tokenizer)
    model = random_model(len(tokens), seed)
    tails = tuple(strings(alphabet, 5 if len(alphabet) > 3 else 6))
    encode = functools.cache(lambda text: tokenizer.encode(text).tolist())
    for semantics, slow in [
        ("canonical", SlowEngine(tokens, encode, tails, end_of_text=len(tokens))),
        ("all", SlowEngine(tokens, None, end_of_text=len(tokens))),
    ]:
        state = ready(engine_of(tokenizer, semantics=semantics).start(text), step_of(tokenizer, model))
        twin = slow.start(text)
        twin.supply(request := twin.pending(), step_of(tokenizer, model)(request.sequences))
        assert np.exp(state.next()) == pytest.approx(np.exp(twin.next()), abs=1e-9)
        assert state.log_prob == pytest.approx(twin.log_prob, abs=1e-9)
        assert state.end() == pytest.approx(twin.end(), abs=1e-9)
        cover = {tuple(ids): log_prob for ids, log_prob in state.cover()}
        assert cover == pytest.approx({tuple(ids): log_prob for ids, log_prob in twin.cover()}, abs=1e-9)
        assert np.exp(state.next()).sum() + np.exp([*state.specials.values()]).sum() == pytest.approx(1, abs=1e-12)
        assert state.interval == (state.log_prob, state.log_prob)
        if semantics == "all":
            assert abs(state.leak) < 1e-12


@given(small_tokenizers(), st.data())
def test_forks_pushes_and_rollbacks_are_fresh_starts(
    made: tuple[tokmill.Tokenizer, bytes], data: st.DataObject
) -> None:
    tokenizer, alphabet = made
    step = step_of(tokenizer, random_model(len(ordinary(tokenizer)), 1))
    engine = engine_of(tokenizer)
    pieces = st.lists(st.sampled_from(sorted(alphabet)), max_size=4).map(bytes)
    states = [(engine.start(), b"")]
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(states) - 1))
        state, text = states[at]
        match data.draw(st.sampled_from(["push", "rollback", "fork", "supply"])):
            case "push":
                piece = data.draw(pieces)
                state.push(piece)
                states[at] = (state, text + piece)
            case "rollback":
                count = data.draw(st.integers(0, len(text)))
                state.rollback(count)
                states[at] = (state, text[: len(text) - count])
            case "fork":
                states.append((state.fork(), text))
            case "supply":
                ready(state, step)
    for state, text in states:
        assert state.text == text
        fresh = ready(engine.start(text), step)
        # Exactly the same where the text is possible: what was done in between leaves no trace.
        assert ready(state, step).next().tolist() == fresh.next().tolist()
        assert state.cover() == fresh.cover()


@given(st.text("ab", min_size=1, max_size=7), st.integers(0, 20), st.integers(1, 4))
def test_a_beam_brackets_the_truth(text: str, seed: int, beam: int) -> None:
    tokenizer = bpe(b"ab", ((b"a", b"b"), (b"b", b"a"), (b"ab", b"a")))
    step = step_of(tokenizer, random_model(len(ordinary(tokenizer)), seed))
    exact = ready(engine_of(tokenizer, semantics="all").start(text), step)
    pruned = ready(engine_of(tokenizer, semantics="all", beam=beam).start(text), step)
    lower, upper = pruned.interval
    assert lower - 1e-12 <= exact.log_prob <= upper + 1e-12
    assert np.exp(pruned.next()).sum() == pytest.approx(1, abs=1e-12)
    wide = ready(engine_of(tokenizer, semantics="all", beam=1000).start(text), step)
    assert wide.next() == pytest.approx(exact.next(), abs=1e-12)
    assert wide.interval == (wide.log_prob, wide.log_prob)


def test_a_fork_goes_on_when_the_other_was_told() -> None:
    tokenizer = bpe(b"ab", ((b"a", b"b"),))
    step = step_of(tokenizer, random_model(3, 1))
    state = engine_of(tokenizer, semantics="all", beam=2).start(b"abab")
    fork = state.fork()
    assert ready(state, step).next().tolist() == ready(fork, step).next().tolist()


def test_logits_of_minus_infinity_and_far_apart() -> None:
    tokenizer = bpe(b"ab", ((b"a", b"b"),))
    certain = ready(engine_of(tokenizer).start(), lambda _: np.array([[0.0, -np.inf, -np.inf, -np.inf]])).next()
    assert certain[ord("a")] == 0
    far = ready(engine_of(tokenizer).start(), lambda _: np.array([[0.0, -10_000.0, -20_000.0, -np.inf]])).next()
    assert far[ord("b")] == pytest.approx(-10_000)
    assert far[256] == -np.inf


def test_the_prefix_is_no_text() -> None:
    tokenizer = bpe(b"ab", ((b"a", b"b"),))
    model = random_model(3, 1)
    end = tokenizer.vocab_size - 1
    seen = []

    def step(sequences: list[list[int]]) -> np.ndarray:
        seen.extend(sequences)
        assert all(sequence[:2] == [end, 0] for sequence in sequences)
        return step_of(tokenizer, model)([sequence[2:] for sequence in sequences])

    state = ready(engine_of(tokenizer).start("a", [end, 0]), step)
    plain = ready(engine_of(tokenizer).start("a"), step_of(tokenizer, model))
    assert state.next().tolist() == plain.next().tolist()
    assert state.text == b"a"


# -- real vocabularies ----------------------------------------------------------------------------------------------

NASTY = [
    "  leading, and  double   blanks \n\n\n then\tmore\r\n   ",
    "it's we'll I'D you’re 'tis O'Neil's 1234567 x1234 12 3,456,789.00 ½²",
    "def f(x):\n    return {'a': [1,  2], \"b\": None}  # ok\n\n\n",
    "Съешь ещё, 中文分词 東京 カタカナ 한국어 العربية 👩‍👩‍👧‍👦 🦜 e\u0301 A\u030a ﬁ",
    "camelCaseHTTPServer SCREAMING_SNAKE https://x.y/z?q=1&r=2 a\u00a0b\u3000c\u2028d",
]


REAL = ["gpt2", "llama3.1", "qwen2.5", "deepseek_v3", "superbpe"]
REAL += ["r50k_base", "cl100k_base", "o200k_base", "whisper", "llama3"]


@pytest.mark.parametrize("name", REAL)
def test_real_tokenizers_under_a_perfect_model(data: Path, name: str) -> None:
    """The texts, and others that go on differently from any place in them."""
    tokenizer = load(name)
    texts = [text for text in map(str.encode, NASTY) if is_tokenizable(tokenizer, text)]
    others = [
        text[:at] + other
        for text in texts
        for at in range(0, len(text), 5)
        for other in (b"", b"  a", b"'s 1\n", b"\xf0\x9f")
    ]
    texts += [text for text in others if is_tokenizable(tokenizer, text)]
    engine = tokmill.ByteEngine(tokenizer)
    end = engine.end_of_text
    assert end is not None
    language = FiniteLanguage(dict.fromkeys(texts, 1.0), tokenizer.encode)
    dense = logits_of(language, tokenizer.vocab_size, end)
    lm = tokmill.ByteLM(engine, dense, max_contexts=16)
    assert len(texts) > 100
    for text in texts[:4]:
        session = lm.start()
        for at, byte in enumerate(text):
            assert np.exp(session.next()) == pytest.approx(language.next(text[:at]), abs=1e-9), text[:at]
            session.push(bytes([byte]))
        assert session.leak < 1e-9


def is_tokenizable(tokenizer: tokmill.Tokenizer, text: bytes) -> bool:
    """Whether a text stays as it is: normalisers change some, and refuse what is not UTF-8."""
    try:
        return tokenizer.decode_bytes(tokenizer.encode(text)) == text
    except TokmillError:
        return False


@functools.cache
def load(name: str) -> tokmill.Tokenizer:
    vocabulary = vocabularies.KNOWN[name]
    if not vocabulary.path.is_file():
        pytest.skip(f"no data: {vocabulary.path} does not exist")
    return with_end(vocabulary.load(vocabulary.path))


def with_end(tokenizer: tokmill.Tokenizer) -> tokmill.Tokenizer:
    if tokmill.ByteEngine(tokenizer).end_of_text is not None:
        return tokenizer
    return tokenizer.with_special_tokens({**tokenizer.special_tokens, "<|endoftext|>": tokenizer.vocab_size})


TAILS = [
    *(
        text.encode()
        for text in [*"aZs1 \n\r\t./-'éß\u0301中か²\u00a0🙂", "", "ll", "11", "111", "  ", " a", "\na", "s ", "1a"]
    ),
    *[b"\xa9", b"\xb8\xad", b"\x80", b"\x80\x80", b"\x80\x80\x80", b"\x9f\x99\x82", b"\x99\x82", b"\x82"],
]
"""Ways to go on: what pretokenizers tell apart, and ends of characters that may have been begun."""

CONTINUATIONS = [bytes([byte]) for byte in range(0x80, 0xC0)]
"""The bytes that characters go on with."""


@pytest.mark.parametrize("name", REAL)
@given(
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=6), st.integers(0, 3), st.randoms(use_true_random=False)
)
@settings(max_examples=settings().max_examples // 6)
def test_covers_are_what_texts_are_encoded_to(
    data: Path, name: str, parts: list[str], cut: int, random: Random
) -> None:
    """Awkward prompts: what encodings of longer texts begin with is in the cover, and nothing else is."""
    tokenizer = load(name)
    text = "".join(parts).encode()
    prompt = text[: max(1, len(text) - cut)]
    special = set(tokenizer.special_tokens.values())

    @functools.cache
    def ids_of(text: bytes) -> tuple[int, ...]:
        if not is_tokenizable(tokenizer, text):
            return ()
        ids = tuple(tokenizer.encode(text).tolist())
        return () if special.intersection(ids) else ids

    def covering(ids: tuple[int, ...], text: bytes) -> tuple[int, ...]:
        lengths = itertools.accumulate(len(tokenizer.token_bytes(id)) for id in ids)
        return ids[: next(count for count, length in enumerate(lengths, 1) if length >= len(text))]

    step = np.zeros((len(prompt) + 8, tokenizer.vocab_size), dtype=np.float32)
    state = tokmill.ByteEngine(tokenizer).start(prompt)
    while len(request := state.pending()):
        state.supply(request, step[: len(request)])
    cover = {tuple(ids) for ids, _ in state.cover()}
    for tail in TAILS:
        if ids := ids_of(prompt + tail):
            assert covering(ids, prompt) in cover, (prompt, tail)
    if not is_tokenizable(tokenizer, "e\u0301".encode()):
        return  # The engine leaves it to the caller that texts are in the normal form: its cover holds others too.
    for member in random.sample(sorted(cover), min(8, len(cover))):
        spelled = b"".join(map(tokenizer.token_bytes, member))
        pairs = itertools.chain(itertools.product(TAILS, repeat=2), itertools.product(CONTINUATIONS, repeat=2))
        tails = itertools.chain(TAILS, CONTINUATIONS, map(b"".join, pairs))
        assert any(ids_of(spelled + tail)[: len(member)] == member for tail in tails), (prompt, member)


@pytest.mark.parametrize("name", ["gpt2", "llama3.1", "o200k_base"])
def test_a_uniform_model_counts_first_bytes(data: Path, name: str) -> None:
    tokenizer = load(name)
    engine = tokmill.ByteEngine(tokenizer, semantics="all")
    counts = np.zeros(256)
    special = set(tokenizer.special_tokens.values())
    tokens = [tokenizer.token_bytes(id) for id in sorted({*tokenizer.vocab().values()} - special)]
    for token in tokens:
        counts[token[0]] += 1
    state = ready(engine.start(), lambda sequences: np.zeros((len(sequences), tokenizer.vocab_size)))
    found = np.exp(state.next()[:256])
    assert found / found.sum() == pytest.approx(counts / counts.sum(), abs=1e-12)
