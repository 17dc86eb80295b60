"""Scoring, sampling and ensembles: what `ByteLM` and `Ensemble` make of an engine."""

from __future__ import annotations

import gc
from collections import Counter
from fractions import Fraction

import character_models
import numpy as np
import pytest
from byte_models import FIRST_ORDER, A, B, bpe, chi_square, induced, lm_on, ordinary, random_model
from character_models import BLANK, Layout
from hypothesis import given
from hypothesis import strategies as st
from reference_byte_level import ReferenceByteModel, log, logits_of, strings

from tokmill import ByteEngine, TokmillError
from tokmill.byte_lm import ByteLM, CachedModel, Ensemble
from tokmill.byte_lm.sampling import Sampler, utf8_mask

TOKENIZER = bpe(b"ab", ((b"a", b"b"), (b"b", b"a"), (b"ab", b"a")))
TOKENS = ordinary(TOKENIZER)
END = len(TOKENS)

texts = st.text("ab", max_size=6).map(str.encode)
seeds = st.integers(0, 5)


def lm_of(seed: int = 0) -> ByteLM:
    return lm_on(TOKENIZER, random_model(len(TOKENS), seed))


class Keeping:
    """A step function as a `CachedModel`, which notes what it is asked."""

    def __init__(self, step) -> None:
        self._step = step
        self.sequences: list[list[int]] = []
        self.calls: list[int] = []
        self.released: set[int] = set()

    def step(self, parents: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        for parent, token in zip(parents.tolist(), tokens.tolist(), strict=True):
            assert -1 <= parent < len(self.sequences)
            assert parent not in self.released
            self.sequences.append([*(self.sequences[parent] if parent >= 0 else []), token])
        self.calls.append(len(tokens))
        return self._step(self.sequences[len(self.sequences) - len(tokens) :])

    def release(self, contexts: np.ndarray) -> None:
        assert not self.released & set(contexts.tolist())
        self.released |= set(contexts.tolist())


def ignoring_first(step):
    """A model that has seen one token before, and does not mind it."""
    return lambda sequences: step([sequence[1:] for sequence in sequences])


# -- identities -----------------------------------------------------------------------------------------------------


@given(texts, seeds)
def test_next_is_that_of_the_specification(text: bytes, seed: int) -> None:
    model = random_model(len(TOKENS), seed)
    found = lm_of(seed).next(text)
    assert found.dtype == np.float64
    assert found == pytest.approx(log(ReferenceByteModel(TOKENS, model).next(text)), abs=1e-9)
    assert np.exp(found).sum() == pytest.approx(1, abs=1e-12)


@given(texts, seeds)
def test_chain_rule(text: bytes, seed: int) -> None:
    reference = ReferenceByteModel(TOKENS, random_model(len(TOKENS), seed))
    score = lm_of(seed).score(text, end=True)
    assert score.total == pytest.approx(np.log(float(reference.end_mass(text))), abs=1e-9)
    assert score.log_probs.sum() == pytest.approx(np.log(float(reference.mass(text))), abs=1e-9)
    assert score.log_probs.shape == (len(text),)
    if text:
        assert score.bits_per_byte == pytest.approx(-score.total / np.log(2) / len(text))
    else:
        assert np.isnan(score.bits_per_byte)


@given(texts, st.integers(0, 6), st.integers(1, 5))
def test_where_a_text_is_cut_does_not_matter(text: bytes, cut: int, max_contexts: int) -> None:
    whole = lm_of().score(text).log_probs
    lm = lm_of()
    lm.max_contexts = max_contexts
    parts = [lm.score(text[:cut]), lm.score(text[cut:], prompt=text[:cut])]
    assert np.concatenate([part.log_probs for part in parts]) == pytest.approx(whole, abs=1e-12)
    session = lm.start(text[:cut])
    assert lm.score(text[cut:], prompt=session).log_probs == pytest.approx(whole[cut:], abs=1e-12)
    assert session.text == text[:cut]


@given(st.lists(texts, max_size=4), st.integers(1, 40))
def test_batches_are_their_members(batch: list[bytes], max_contexts: int) -> None:
    lm = lm_of()
    lm.max_contexts = max_contexts
    singles = [lm_of().next(text) for text in batch]
    assert lm.next_batch(batch).shape == (len(batch), 257)
    assert lm.next_batch(batch) == pytest.approx(np.array(singles).reshape(-1, 257), abs=1e-12)
    for text, score in zip(batch, lm.score_batch(batch, end=True), strict=True):
        alone = lm_of().score(text, end=True)
        assert score.log_probs == pytest.approx(alone.log_probs, abs=1e-12)
        assert score.end == pytest.approx(alone.end, abs=1e-12)


def test_sessions_fork_and_go_back() -> None:
    lm = lm_of()
    session = lm.start("a")
    fork = session.fork()
    fork.push(b"ba")
    session.push(b"a")
    assert (session.text, fork.text) == (b"aa", b"aba")
    assert fork.next() == pytest.approx(lm.next(b"aba"), abs=1e-12)
    fork.rollback(2)
    fork.push(b"a")
    assert fork.next() == pytest.approx(session.next(), abs=1e-12)
    assert session.log_prob == pytest.approx(lm.score(b"aa").total, abs=1e-12)
    assert session.end() == session.next()[256]


# -- calling the model ----------------------------------------------------------------------------------------------


def test_scoring_is_one_call() -> None:
    calls = []
    step = lm_of()._runner._step

    def counting(sequences):
        calls.append(len(sequences))
        return step(sequences)

    lm = ByteLM(lm_of().engine, counting, max_contexts=10_000)
    lm.score(b"ababab")
    assert len(calls) == 1
    lm.score_batch([b"ababab", b"bbb"])
    assert len(calls) == 2


@given(st.lists(texts, min_size=1, max_size=3), st.integers(1, 9))
def test_a_model_that_keeps_contexts_gives_the_same(batch: list[bytes], max_contexts: int) -> None:
    step = lm_of()._runner._step
    keeping = Keeping(ignoring_first(step))
    assert isinstance(keeping, CachedModel)
    lm = ByteLM(lm_of().engine, keeping, prefix_ids=[END], max_contexts=max_contexts)
    plain = lm_of()
    assert lm.next_batch(batch) == pytest.approx(plain.next_batch(batch), abs=1e-12)
    assert lm.sample_batch(batch, 4, seed=3) == plain.sample_batch(batch, 4, seed=3)
    for score, expected in zip(lm.score_batch(batch), plain.score_batch(batch), strict=True):
        assert score.log_probs == pytest.approx(expected.log_probs, abs=1e-12)
    for text in batch:
        assert lm.sample_tokens(3, prompt=text, seed=5).tolist() == plain.sample_tokens(3, prompt=text, seed=5).tolist()
    session = lm.start(b"ab", prefix_ids=[END, 0, 1, 2])
    fork = session.fork()
    fork.push(b"b")
    fork.next()
    del session
    fork.push(b"a")
    fork.next()
    del fork
    gc.collect()
    last = len(keeping.sequences)
    lm.next(b"")  # Before the step the model is told.
    assert keeping.released == set(range(last))


def test_a_model_that_keeps_contexts_needs_a_first_token() -> None:
    lm = ByteLM(lm_of().engine, Keeping(lm_of()._runner._step))
    for call in (lm.next, lambda text: lm.sample_tokens(1, prompt=text)):
        with pytest.raises(TokmillError, match="prefix_ids"):
            call(b"a")


@pytest.mark.parametrize("shape", [(2, 6), (6,), (1, 1, 6)])
def test_logits_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    lm = ByteLM(lm_of().engine, lambda _: np.zeros(shape))
    with pytest.raises(TokmillError, match="shape"):
        lm.next(b"")


def test_misuse_of_a_model() -> None:
    for one, other in [(lm_of(), lm_of()), (Ensemble([lm_of()]), Ensemble([lm_of()]))]:
        with pytest.raises(TokmillError, match="another model"):
            one.next(other.start(b"a"))
    with pytest.raises(TypeError, match="neither a function"):
        ByteLM(lm_of().engine, 5)
    with pytest.raises(TokmillError, match="max_contexts"):
        ByteLM(lm_of().engine, lambda _: None, max_contexts=0)


@given(st.lists(texts, min_size=1, max_size=2), st.integers(1, 3))
def test_a_beam_is_scored_without_evaluating_anything_twice(batch: list[bytes], beam: int) -> None:
    model = random_model(len(TOKENS), 3)
    step = logits_of(model, END + 1, END)
    seen: list[list[tuple[int, ...]]] = []

    def noting(sequences: list[np.ndarray]) -> np.ndarray:
        seen.append([tuple(sequence.tolist()) for sequence in sequences])
        return step(sequences)

    lm = ByteLM(ByteEngine(TOKENIZER, semantics="all", beam=beam, end_of_text=END), noting)
    scores = lm.score_batch(batch)
    contexts = [context for call in seen for context in call]
    assert len(contexts) <= sum(len(set(contexts)) for _ in batch)
    for text, score in zip(batch, scores, strict=True):
        state = ByteEngine(TOKENIZER, semantics="all", beam=beam, end_of_text=END).start()
        for at in range(len(text)):
            while len(request := state.pending()):
                state.supply(request, step(request.sequences))
            assert score.log_probs[at] == pytest.approx(state.next()[text[at]], abs=1e-12)
            state.push(text[at : at + 1])


# -- sampling -------------------------------------------------------------------------------------------------------


def test_bytes_are_drawn_as_they_are_distributed() -> None:
    lm = lm_of()
    drawn = Counter(lm.sample_batch([b"ab"] * 3000, 2, seed=1))
    expected = {}
    first = np.exp(lm.next(b"ab"))
    for text in strings(b"ab", 2):
        given_text = np.exp(lm.score(text, prompt=b"ab").total)
        expected[text] = given_text * (np.exp(lm.next(b"ab" + text)[256]) if len(text) < 2 else 1)
    assert expected[b""] == pytest.approx(first[256])
    outcomes = list(expected)
    counts = np.array([drawn[text] for text in outcomes])
    assert counts.sum() == 3000
    assert chi_square(counts, np.array([expected[text] for text in outcomes])) < 4


def test_covers_are_drawn_as_they_are_distributed() -> None:
    lm = lm_of()
    session = lm.start(b"abab")
    cover = {tuple(ids): np.exp(log_prob) for ids, log_prob in session.cover()}
    drawn = Counter(tuple(lm.sample_cover(session, seed=seed).tolist()) for seed in range(3000))
    outcomes = list(cover)
    weights = np.array([cover[outcome] for outcome in outcomes])
    assert np.log(weights.sum()) == pytest.approx(session.log_prob)
    counts = np.array([drawn[outcome] for outcome in outcomes])
    assert counts.sum() == 3000
    assert chi_square(counts, weights / weights.sum()) < 4


def test_tokens_continue_a_cover() -> None:
    lm = lm_of()
    drawn = Counter()
    for seed in range(2000):
        ids = lm.sample_tokens(3, prompt=b"ab", seed=seed).tolist()
        text = b"".join(TOKENS[id] for id in ids)
        assert text.startswith(b"ab")
        drawn[text[2:3]] += 1
    # Three tokens are enough for the next byte, or for the end in its place.
    expected = np.exp(lm.next(b"ab"))[[*b"ab", 256]]
    assert chi_square(np.array([drawn[key] for key in (b"a", b"b", b"")]), expected) < 4


def test_draws_repeat_and_do_not_depend_on_the_batch() -> None:
    lm = lm_of()
    batch = lm.sample_batch([b"", b"ab", b"b"], 8, seed=7)
    assert batch == lm_of().sample_batch([b"", b"ab", b"b"], 8, seed=7)
    assert batch[0] == lm.sample(8, seed=7)
    assert batch[:2] == lm.sample_batch([b"", b"ab"], 8, seed=7)
    assert lm.sample_cover(b"aba", seed=1).tolist() == lm.sample_cover(b"aba", seed=1).tolist()
    assert len({lm.sample(20) for _ in range(20)}) > 1


def test_greedy_and_narrow_sampling() -> None:
    lm = lm_of()
    text = b""
    while len(text) < 6 and (best := int(lm.next(text).argmax())) != 256:
        text += bytes([best])
    assert lm.sample(6, seed=1, temperature=0) == text
    assert lm.sample(6, seed=2, top_k=1) == text
    assert lm.sample(6, seed=3, top_p=1e-9) == text
    assert lm.sample(0) == b""


def test_the_sampler_narrows_in_order() -> None:
    log_probs = np.log(np.array([0.1, 0.4, 0.2, 0.3]))
    assert Sampler().probabilities(log_probs) == pytest.approx(np.exp(log_probs))
    assert Sampler(top_k=2).probabilities(log_probs) == pytest.approx([0, 4 / 7, 0, 3 / 7])
    assert Sampler(top_p=0.7).probabilities(log_probs - 5) == pytest.approx([0, 4 / 7, 0, 3 / 7])
    assert Sampler(top_p=0.71).probabilities(log_probs) == pytest.approx([0, 4 / 9, 2 / 9, 3 / 9])
    assert Sampler(top_k=3, top_p=0.5).probabilities(log_probs) == pytest.approx([0, 4 / 7, 0, 3 / 7])
    assert Sampler(top_p=1.0).probabilities(log_probs) == pytest.approx(np.exp(log_probs))
    assert Sampler(0.5).probabilities(log_probs) == pytest.approx(np.array([1, 16, 4, 9]) / 30)
    assert Sampler(0).probabilities(log_probs).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    "options", [{"temperature": -1}, {"temperature": np.nan}, {"top_k": 0}, {"top_p": 0}, {"top_p": 1.5}]
)
def test_options_that_make_no_sense(options: dict[str, float]) -> None:
    with pytest.raises(TokmillError, match=next(iter(options))):
        lm_of().sample(1, **options)


def test_stops_end_the_text_and_are_left_out() -> None:
    lm = lm_on(TOKENIZER, random_model(len(TOKENS), 0, end=False))
    whole = lm.sample(12, seed=6)
    assert len(whole) == 12
    assert lm.sample(12, seed=6, stop=whole[3:5]) == whole[: whole.index(whole[3:5])]
    assert lm.sample(12, seed=6, stop=[whole[:3].decode(), whole[1:3]]) == b""
    with pytest.raises(TokmillError, match="empty"):
        lm.sample(2, stop=["a", ""])


def test_masks_rule_out_bytes() -> None:
    lm = lm_of()
    only_b = np.zeros(256, dtype=bool)
    only_b[ord("b")] = True

    def mask(output: bytes) -> np.ndarray:
        return only_b if not output else np.ones(257, dtype=bool)

    # A mask of 256 leaves the end of the text alone.
    assert {text[:1] for text in lm.sample_batch([b"a"] * 20, 2, seed=1, mask=mask)} == {b"b", b""}
    with pytest.raises(TokmillError, match="nothing that is allowed"):
        lm.sample(1, mask=lambda _: np.zeros(257, dtype=bool))
    with pytest.raises(TokmillError, match="shape"):
        lm.sample(1, mask=lambda _: [True, False])


@given(st.binary(max_size=4) | st.text(max_size=3).map(lambda text: text.encode()[:-1]), st.integers(1, 4))
def test_the_utf8_mask_lets_through_what_can_be_completed(text: bytes, room: int) -> None:
    """The oracle tries all completions that Python decodes."""
    begun = next((cut for cut in range(len(text) + 1) if completions(text[cut:])), None)
    unfinished = b"" if begun is None else text[begun:]
    ways = completions(unfinished) if unfinished else completions(b"")
    expected = {way[0] for way in ways if len(way) <= room}
    mask = utf8_mask(text[-3:], room)
    assert set(np.flatnonzero(mask[:256]).tolist()) == expected
    assert bool(mask[256]) == (not unfinished)


CHARACTERS = sorted({chr(code).encode() for code in range(0x110000) if not 0xD800 <= code < 0xE000})
BEGINNINGS: dict[bytes, set[bytes]] = {}
for character in CHARACTERS:
    for length in range(len(character)):
        BEGINNINGS.setdefault(character[:length], set()).add(
            character[length : length + 1] + b"?" * (len(character) - length - 1)
        )


def completions(unfinished: bytes) -> set[bytes]:
    """The next bytes that finish a character, padded to what is missing in all."""
    return BEGINNINGS.get(unfinished, set())


def test_utf8_texts_decode() -> None:
    alphabet = "aé🦜".encode()
    lm = lm_on(bpe(alphabet, ()), random_model(len(alphabet), 1))
    outputs = lm.sample_batch(["🦜".encode()[:2], b"", b"a"], 9, seed=4, utf8=True)
    (b"\xf0\x9f" + outputs[0]).decode()
    for output in outputs[1:]:
        output.decode()
    with pytest.raises(UnicodeDecodeError):
        b"".join(lm.sample_batch([b""] * 5, 9, seed=4)).decode()
    with pytest.raises(TokmillError, match="nothing that is allowed"):
        lm.sample(1, prompt="🦜".encode()[:2], utf8=True)


# -- ensembles ------------------------------------------------------------------------------------------------------


def of_one_chain(stop: Fraction = Fraction(1, 10)) -> list[ByteLM]:
    """Models of one chain with two tokenizers."""
    found = []
    for tokenizer in (bpe(b"AB", ((b"A", b"A"),)), bpe(b"BA", ((b"B", b"A"), (b"A", b"B"), (b"A", b"BA")))):
        _, model = induced(ordinary(tokenizer), tokenizer.encode, FIRST_ORDER, order=1, stop=stop)
        found.append(lm_on(tokenizer, model, "canonical"))
    characters = Layout(opening=False)
    for tokenizer in (
        character_models.bpe(["A", "B", BLANK], (("A", "B"), ("B", "AB")), characters, fallback=False),
        character_models.unigram({BLANK: -9.0, "A": -1.0, "B": -2.0, "BA": -2.5}, characters, fallback=False),
    ):
        tokens = {tokenizer.token_id(token): token for token in (b"A", b"B", b"AB", b"BA", b"BAB", b"AAB")}
        tokens.pop(None, None)
        _, model = induced(tokens, tokenizer.encode, FIRST_ORDER, order=1, stop=stop)
        found.append(lm_on(tokenizer, model, "canonical"))
    return found


@pytest.mark.parametrize("mode", ["mean", "bayes", "product", "proxy"])
def test_models_of_one_chain_are_one(mode: str) -> None:
    members = of_one_chain()
    members = members[:3] if mode == "proxy" else members
    chain, _ = induced({}, list, FIRST_ORDER, order=1, stop=Fraction(1, 10))
    ensemble = Ensemble(members, mode)
    for text in strings(b"AB", 3):
        expected = np.array([float(chain.next(text)[symbol]) for symbol in (A, B, -1)])
        for model in [*members, ensemble]:
            assert np.exp(model.next(text))[[A, B, 256]] == pytest.approx(expected, abs=1e-12)
    total = float(np.log(float(chain.mass(b"ABBA") * chain.stop)))
    assert ensemble.score(b"ABBA", end=True).total == pytest.approx(total)
    assert ensemble.sample_batch([b"", b"A"], 5, seed=1) == members[0].sample_batch([b"", b"A"], 5, seed=1)


def test_a_bayes_ensemble_is_the_mixture_of_texts() -> None:
    members = [lm_of(seed) for seed in range(3)]
    weights = [0.5, 0.3, 0.2]
    ensemble = Ensemble(members, "bayes", weights=weights)
    totals = [member.score(b"abba", end=True).total for member in members]
    assert np.exp(ensemble.score(b"abba", end=True).total) == pytest.approx(np.dot(weights, np.exp(totals)))
    session = ensemble.start(b"abba")
    prefixes = np.exp([member.score(b"abba").total for member in members]) * weights
    assert session.weights == pytest.approx(prefixes / prefixes.sum())
    assert session.text == b"abba"


def test_other_ensembles_by_their_formulas() -> None:
    members = [lm_of(seed) for seed in range(3)]
    p = np.exp(np.array([member.next(b"ab") for member in members]))
    mean = Ensemble(members, weights=[1, 2, 1]).next(b"ab")
    assert np.exp(mean) == pytest.approx(np.array([0.25, 0.5, 0.25]) @ p)
    product = np.prod(p ** (1 / 3), axis=0)
    assert np.exp(Ensemble(members, "product").next(b"ab")) == pytest.approx(product / product.sum())
    proxy = np.divide(p[0] * np.sqrt(p[1]), np.sqrt(p[2]), out=np.zeros(257), where=p[2] > 0)
    assert np.exp(Ensemble(members, "proxy", alpha=0.5).next(b"ab")) == pytest.approx(proxy / proxy.sum())
    one = Ensemble(members, "product", weights=[0, 1, 0]).next(b"ab")
    assert one == pytest.approx(members[1].next(b"ab"))


def test_ensembles_of_ensembles_and_sessions() -> None:
    members = [lm_of(seed) for seed in range(3)]
    inner = Ensemble(members[:2])
    outer = Ensemble([inner, members[2]], weights=[2, 1])
    assert outer.next(b"a") == pytest.approx(Ensemble(members).next(b"a"))
    joined = inner.join([members[0].start(b"a", prefix_ids=[]), members[1].start(b"a")])
    fork = joined.fork()
    fork.push(b"b")
    assert fork.next() == pytest.approx(inner.next(b"ab"))
    assert joined.next() == pytest.approx(inner.next(b"a"))
    with pytest.raises(TokmillError, match="bayes"):
        Ensemble([inner, members[2]], "bayes")
    with pytest.raises(TokmillError, match="same text"):
        inner.join([members[0].start(b"a"), members[1].start(b"b")])


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (0, {}, "no members"),
        (2, {"mode": "median"}, "mode"),
        (2, {"mode": "proxy"}, "three"),
        (2, {"weights": [1]}, "weights"),
        (2, {"weights": [1, -1]}, "weights"),
        (2, {"weights": [0, 0]}, "weights"),
        (3, {"mode": "proxy", "alpha": 0}, "alpha"),
    ],
)
def test_ensembles_that_make_no_sense(count: int, options: dict[str, object], message: str) -> None:
    with pytest.raises(TokmillError, match=message):
        Ensemble([lm_of() for _ in range(count)], **options)


def test_members_that_agree_on_nothing() -> None:
    only = [lm_on(bpe(token, ()), random_model(1, 0, end=False)) for token in (b"a", b"b")]
    with pytest.raises(TokmillError, match="agree on nothing"):
        Ensemble(only, "product").next(b"")
