"""The byte engine over models of characters (SentencePiece's BPE and Unigram), against sums over real encodings."""

from __future__ import annotations

import functools
import gzip
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import character_models
import numpy as np
import pytest
from byte_models import random_model
from character_models import BLANK, LAYOUTS, SENTENCEPIECE, Layout
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_byte_level import END, FiniteLanguage, Sequence, decode, full_cover, logits_of
from slow_byte_engine import SlowEngine
from test_byte_probabilities import NASTY, ready
from texts import CORPUS

import tokmill
from tokmill import TokmillError

if TYPE_CHECKING:
    from pathlib import Path

# -- tokenizers -----------------------------------------------------------------------------------------------------

CHARACTERS = ["a", "b", "é", BLANK]
UNKNOWN = ["ê", "中", "\n"]
"""Characters without entry: the first begins as another does that has one."""


@st.composite
def merge_lists(draw: st.DrawFn) -> tuple[tuple[str, str], ...]:
    tokens = list(CHARACTERS)
    merges = []
    for _ in range(draw(st.integers(0, 6))):
        pairs = [(x, y) for x in tokens for y in tokens if len(x + y) <= 4 and x + y not in tokens]
        merges.append(draw(st.sampled_from(pairs)))
        tokens.append("".join(merges[-1]))
    return tuple(merges)


@st.composite
def char_bpes(draw: st.DrawFn) -> tuple[tokmill.Tokenizer, Layout]:
    layout = draw(st.sampled_from([*LAYOUTS, *SENTENCEPIECE]))
    fallback = draw(st.booleans())
    return character_models.bpe(CHARACTERS, draw(merge_lists()), layout, fallback=fallback), layout


PIECES = ["ab", "ba", "aa", "aba", "aab", "éa", "bé", "abé", "aêb", "ê中", BLANK + "a", BLANK + "ab", BLANK * 2]
INNER = ["a" + BLANK, "b" + BLANK + "a"]
"""Pieces that reach over a blank."""
SCORES = st.one_of(st.integers(-6, -1).map(float), st.floats(-6, -0.5, width=32))


@st.composite
def unigrams(draw: st.DrawFn) -> tuple[tokmill.Tokenizer, Layout]:
    layout = draw(st.sampled_from([*LAYOUTS, *SENTENCEPIECE]))
    pieces = draw(st.lists(st.sampled_from(PIECES + INNER * draw(st.booleans())), unique=True, max_size=9))
    known = draw(st.sampled_from([CHARACTERS, [*CHARACTERS, "ê"], ["a", "b", BLANK]]))
    scores = {piece: draw(SCORES) for piece in [*known, *pieces]}
    return character_models.unigram(scores, layout, fallback=draw(st.booleans())), layout


tokenizers = st.one_of(char_bpes(), unigrams())
texts = st.lists(st.sampled_from([*"aabbé  ", *UNKNOWN]), max_size=7).map(lambda chars: "".join(chars).encode())


def is_text(tokenizer: tokmill.Tokenizer, text: bytes) -> bool:
    """Whether it comes back from its ids: texts with unknown characters and no bytes for them do not."""
    try:
        return tokenizer.decode_bytes(tokenizer.encode(text)) == text
    except TokmillError:
        return False


def engine_of(tokenizer: tokmill.Tokenizer, **options: object) -> tokmill.ByteEngine:
    return tokmill.ByteEngine(tokenizer, end_of_text="</s>", **options)


# -- perfect models -------------------------------------------------------------------------------------------------


@given(tokenizers, st.lists(texts, min_size=1, max_size=10))
@settings(max_examples=settings().max_examples // 2)
def test_a_perfect_model_gives_the_truth(made: tuple[tokmill.Tokenizer, Layout], some: list[bytes]) -> None:
    tokenizer, _ = made
    some += [text[: len(text.decode()) // 2] for text in some if text.isascii()]
    some += [text + some[0] for text in some[:3]]
    some = [text for text in dict.fromkeys([*some, b""]) if is_text(tokenizer, text)]
    language = FiniteLanguage({text: 1.0 + at for at, text in enumerate(some)}, tokenizer.encode)
    end = tokenizer.special_tokens["</s>"]
    step = logits_of(language, tokenizer.vocab_size, end)
    for semantics in ("canonical", "all"):
        engine = engine_of(tokenizer, semantics=semantics)
        for text in language.texts:
            state = engine.start()
            for at in range(len(text) + 1):
                ready(state, step)
                assert np.exp(state.next()) == pytest.approx(language.next(text[:at]), abs=1e-12), (text, at)
                assert state.log_prob == pytest.approx(np.log(language.mass(text[:at])), abs=1e-12)
                assert abs(state.leak) < 1e-12
                state.push(text[at : at + 1])


# -- any model ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Encodings(SlowEngine):
    """Covers found by encoding texts that go on in every way of some length."""

    tokenizer: tokmill.Tokenizer | None = None
    layout: Layout = LAYOUTS[0]

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.vocab_size

    def seen(self, text: bytes) -> Sequence | None:
        """What is emitted for a text in decoded form; nothing if it is emitted for none."""
        opened = self.opened(text)
        # Of a text that begins with a blank, a Metaspace makes the same as without.
        raw = opened if self.layout.way == "metaspace" else text
        if not valid(raw):
            return None
        ids = tuple(self.tokenizer.encode(raw).tolist())
        known = all(id in self.tokens for id in ids)
        return ids if known and decode(self.tokens, ids) == opened else None

    def opened(self, text: bytes) -> bytes:
        return b" " * self.layout.opening + text

    def spelling(self, text: bytes) -> set[Sequence]:
        """All sequences that decode to a text, or to one that begins so with their last token."""
        opened = {c for c in full_cover(self.tokens, self.opened(text)) if not self.is_bare(c)}
        return opened | {c for c in full_cover(self.tokens, text) if self.is_bare(c)}

    def is_bare(self, sequence: Sequence) -> bool:
        """Whether a sequence decodes to all of its bytes although a blank stands before texts."""
        if not self.layout.opening or not sequence:
            return self.layout.opening
        # Of sentencepiece, a byte that is a blank is one.
        is_byte = self.layout.way == "sentencepiece" and self.tokenizer.vocab().get("<0x20>") == sequence[0]
        return is_byte or not self.tokens[sequence[0]].startswith(b" ")

    def cover(self, text: bytes) -> set[Sequence]:
        if not text:
            return {()}
        if self.encode is None:
            return self.spelling(text)
        found = set()
        for tail in self.tails:
            if (ids := self.seen(text + tail)) is not None:
                lengths = itertools.accumulate(len(self.tokens[id]) for id in ids)
                needed = next(n for n, length in enumerate(lengths, 1) if length >= len(self.opened(text)))
                found.add(ids[:needed])
        return found

    def complete(self, text: bytes) -> set[Sequence]:
        """What is emitted for a text that ends here."""
        if self.encode is None:
            whole = (self.opened(text), text)
            return {c for c in self.spelling(text) if decode(self.tokens, c) == whole[self.is_bare(c)]}
        if not text:
            alone = self.layout.way == "metaspace" and self.layout.opening
            return {(), tuple(self.tokenizer.encode(" ").tolist())} if alone else {()}
        return {ids for ids in [self.seen(text)] if ids is not None}


def valid(text: bytes) -> bool:
    try:
        return bool(text.decode() or True)
    except UnicodeDecodeError:
        return False


PROBED = sorted(set("ab z\n éê中û".encode()))
"""Bytes whose probability is compared."""

TAILS = tuple(
    rest + "".join(chars).encode()
    for rest in [b"", b"\xa9", b"\xaa", b"\xb8\xad", b"\xad"]
    for length in range(4)
    for chars in [*itertools.product("abéê ", repeat=length), *[("中",), ("ê", "中")][: length % 2 * 2]]
)


@given(tokenizers, st.integers(0, 50), texts, st.integers(0, 3))
@settings(max_examples=settings().max_examples // 3)
def test_any_model_as_the_encodings_have_it(
    made: tuple[tokmill.Tokenizer, Layout], seed: int, text: bytes, cut: int
) -> None:
    tokenizer, layout = made
    text = text[: max(0, len(text) - cut)]
    special = set(tokenizer.special_tokens.values())
    tokens = {id: tokenizer.token_bytes(id) for id in range(tokenizer.vocab_size) if id not in special}
    tokens = {id: token for id, token in tokens.items() if token != b"<unk>"}
    end = tokenizer.special_tokens["</s>"]
    model = random_model(tokenizer.vocab_size - 1, seed)
    step = logits_of(model, tokenizer.vocab_size, end)

    @functools.cache
    def probability(sequence: Sequence) -> float:
        return float(np.prod([model(sequence[:at]).get(id, 0.0) for at, id in enumerate(sequence)]))

    for semantics in ("canonical", "all"):
        if semantics == "all" and len(text) > 4:
            continue
        slow = Encodings(tokens, None if semantics == "all" else tokenizer.encode, TAILS, end, 0, tokenizer, layout)
        state = ready(engine_of(tokenizer, semantics=semantics).start(text), step)
        mass = sum(map(probability, slow.cover(text)))
        assert np.exp(state.log_prob) == pytest.approx(mass, rel=1e-9, abs=1e-300)
        # What the next byte has, of all that the model gives to the text.
        found = np.exp(state.next() + state.log_prob) * (1 - state.leak)
        for byte in PROBED:
            expected = sum(map(probability, slow.cover(text + bytes([byte]))))
            assert found[byte] == pytest.approx(expected, rel=1e-6, abs=1e-12), (semantics, text, byte)
        ends = sum(probability(c) * model(c)[END] for c in slow.complete(text))
        assert found[256] == pytest.approx(ends, rel=1e-6, abs=1e-12)
        if mass:
            others = sum(np.exp(list(state.specials.values())))
            assert np.exp(state.next()).sum() + others == pytest.approx(1, abs=1e-12)
            cover = {tuple(ids) for ids, _ in state.cover()}
            assert cover == slow.cover(text)


# -- what a state does ----------------------------------------------------------------------------------------------


@given(tokenizers, texts, st.integers(0, 7), st.integers(0, 3))
def test_scores_do_not_depend_on_how_a_text_is_read(
    made: tuple[tokmill.Tokenizer, Layout], text: bytes, cut: int, beam: int
) -> None:
    tokenizer, _ = made
    end = tokenizer.special_tokens["</s>"]
    step = logits_of(random_model(tokenizer.vocab_size - 1, 3), tokenizer.vocab_size, end)
    engine = engine_of(tokenizer)
    lm = tokmill.ByteLM(engine, step)
    whole = lm.score(text, end=True)
    if len(text) and whole.total > -np.inf:
        parts = [lm.score(text[:cut]), lm.score(text[cut:], prompt=text[:cut], end=True)]
        assert sum(part.total for part in parts) == pytest.approx(whole.total, abs=1e-9)
        session = lm.start(text)
        assert session.text == text
        session.rollback(len(text) - len(text[:cut]))
        assert session.text == text[:cut]
        assert session.next() == pytest.approx(lm.next(text[:cut]), abs=1e-12)
    state = ready(engine_of(tokenizer, semantics="all", beam=beam + 1).start(text[:5]), step)
    exact = ready(engine_of(tokenizer, semantics="all").start(text[:5]), step)
    lower, upper = state.interval
    assert lower - 1e-9 <= exact.log_prob <= upper + 1e-9


@given(tokenizers.filter(lambda made: made[0].vocab_size < 256), texts)
@settings(max_examples=settings().max_examples // 3)
def test_trying_gives_the_same(made: tuple[tokmill.Tokenizer, Layout], text: bytes) -> None:
    """`verify=True` decides by encoding continuations, as slow as it is."""
    tokenizer, _ = made
    text = text[:2]
    end = tokenizer.special_tokens["</s>"]
    step = logits_of(random_model(tokenizer.vocab_size - 1, 5), tokenizer.vocab_size, end)
    fast, slow = (ready(engine_of(tokenizer, verify=verify).start(text), step) for verify in (False, True))
    assert fast.next() == pytest.approx(slow.next(), abs=1e-9)
    assert fast.log_prob == pytest.approx(slow.log_prob, abs=1e-9)


# -- what is refused ------------------------------------------------------------------------------------------------


def changed(change) -> bytes:
    document = json.loads(character_models.unigram({BLANK: -1.0, "a": -2.0}, Layout(opening=False)).to_bytes())
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("normalizer", "why"),
    [
        ({"type": "NFKC"}, "compatible characters"),
        ({"type": "NFD"}, "decomposes"),
        ({"type": "Lowercase"}, "case"),
        ({"type": "StripAccents"}, "accents"),
        ({"type": "Strip", "strip_left": True, "strip_right": True}, "white space"),
        ({"type": "Replace", "pattern": {"Regex": " +"}, "content": " "}, "Replace"),
        ({"type": "Prepend", "prepend": "x"}, "Prepend"),
    ],
)
def test_lossy_normalizers_are_refused_with_their_reason(normalizer: dict[str, object], why: str) -> None:
    def change(document: dict[str, object]) -> None:
        document["normalizer"]["normalizers"].insert(0, normalizer)

    tokenizer = tokmill.Tokenizer.from_bytes(changed(change))
    for options in ({}, {"semantics": "all"}, {"verify": True}):
        with pytest.raises(TokmillError, match=why):
            tokmill.ByteEngine(tokenizer, **options)


def test_decoders_that_do_not_spell_are_refused() -> None:
    def no_strip(document: dict[str, object]) -> None:
        document["normalizer"]["normalizers"].insert(0, {"type": "Prepend", "prepend": BLANK})

    def joined(document: dict[str, object]) -> None:
        document["decoder"] = None

    for change in (no_strip, joined):
        with pytest.raises(TokmillError, match="decoder"):
            tokmill.ByteEngine(tokmill.Tokenizer.from_bytes(changed(change)))


def test_a_unigram_behind_other_cuts_is_refused() -> None:
    def change(document: dict[str, object]) -> None:
        document["pre_tokenizer"] = {"type": "Digits", "individual_digits": True}

    with pytest.raises(TokmillError, match="pre_tokenizer"):
        tokmill.ByteEngine(tokmill.Tokenizer.from_bytes(changed(change)))


def test_trained_unigrams_have_byte_probabilities() -> None:
    """With the normalisation that loses nothing; with the usual one they say why not."""
    for layout in ("tokenizers", "sentencepiece"):
        options = {"vocab_size": 700, "layout": layout, "special_tokens": ["<s>", "</s>"]}
        tokenizer = tokmill.train_unigram(CORPUS, normalization="identity", remove_extra_whitespaces=False, **options)
        language_of(tokenizer, [text for text in map(str.encode, CORPUS[:12]) if is_text(tokenizer, text)])
        with pytest.raises(TokmillError, match="normalizer"):
            tokmill.ByteEngine(tokmill.train_unigram(CORPUS, **options))


def language_of(tokenizer: tokmill.Tokenizer, some: list[bytes], longest: int = 60) -> None:
    """Check the engine byte by byte under a perfect model of some texts, and of others that go on differently."""
    assert len(some) > 2
    others = [text[:at] + b"a b" for text in some for at in range(0, len(text), 5)]
    some = [*some, *(text for text in others if is_text(tokenizer, text))]
    engine = tokmill.ByteEngine(tokenizer)
    language = FiniteLanguage(dict.fromkeys(some, 1.0), tokenizer.encode)
    lm = tokmill.ByteLM(engine, logits_of(language, tokenizer.vocab_size, engine.end_of_text), max_contexts=16)
    for text in some[:2]:
        session = lm.start()
        for at, byte in enumerate(text[:longest]):
            assert np.exp(session.next()) == pytest.approx(language.next(text[:at]), abs=1e-9), text[:at]
            session.push(bytes([byte]))
        assert session.leak < 1e-9


# -- real vocabularies ----------------------------------------------------------------------------------------------


def lossless(document: dict[str, object]) -> None:
    """XLM-R without what it does to a text before its model but for the blank at the begin."""
    document["normalizer"] = None
    document["pre_tokenizer"] = document["pre_tokenizer"]["pretokenizers"][1]


REAL = {
    "llama2": ("llama2.json", None),
    "llama2.model": ("llama2.model", None),
    "gemma2": ("gemma2.json.gz", None),
    "xlmr": ("xlmr_from_gguf.json.gz", lossless),
}


@functools.cache
def real(data: Path, name: str) -> tokmill.Tokenizer:
    file, change = REAL[name]
    path = data / "vocabs" / file
    if not path.is_file():
        pytest.skip(f"no data: {path} does not exist")
    if change is None:
        return tokmill.Tokenizer.from_file(path)
    document = json.loads(gzip.decompress(path.read_bytes()))
    change(document)
    return tokmill.Tokenizer.from_bytes(json.dumps(document))


@pytest.mark.parametrize("name", REAL)
def test_real_tokenizers_under_a_perfect_model(data: Path, name: str) -> None:
    tokenizer = real(data, name)
    added = {*tokenizer.special_tokens.values()}
    some = [text.encode() for text in NASTY]
    some += [" ".join(text.split()).encode() for text in NASTY]
    some = [text for text in some if is_text(tokenizer, text) and not added & {*tokenizer.encode(text).tolist()}]
    language_of(tokenizer, some, longest=30)


def test_real_tokenizers_that_lose_text_are_refused(data: Path) -> None:
    for name, why in [
        ("xlmr_from_gguf.json.gz", "compatible characters"),
        ("xlnet_base_cased.model", "NFKC"),
        ("spm_test_unigram1k.model", "NFKC"),
        ("bert_uncased.json", "white space"),
    ]:
        path = data / "vocabs" / name
        if path.is_file():
            with pytest.raises(TokmillError, match=why):
                tokmill.ByteEngine(tokmill.Tokenizer.from_file(path))
