"""Normalizers, pretokenizers and the strings they work on, beside those of tokenizers."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import components
import pytest
import tokenizers as owner
from hypothesis import given
from hypothesis import strategies as st
from texts import CORPUS, FRAGMENTS, texts

from tokmill.compat.tokenizers import _strings as strings
from tokmill.compat.tokenizers import normalizers, pre_tokenizers
from tokmill.compat.tokenizers._regex import Regex

Strings = Any
"""A `NormalizedString` or `PreTokenizedString`, of either library."""


def owners(kind: str, spec: dict[str, Any]) -> Any:
    """The owner's component of a JSON object."""
    component = owner.normalizers.NFC() if kind == "normalizer" else owner.pre_tokenizers.Whitespace()
    component.__setstate__(json.dumps(spec).encode())
    return component


def alignment(string: Strings) -> list[tuple[str, str]]:
    """Each character of a string with what it stands for in the original."""
    count = len(string.normalized)
    parts = [string.slice((at, at + 1)) for at in range(count)]
    return [(part.normalized, part.original) for part in parts]


def splits(string: Strings) -> list[list[Any]]:
    """What a string says of its parts, in all ways of saying it."""
    ways = [(of, unit) for of in ("original", "normalized") for unit in ("char", "byte")]
    return [string.get_splits(*way) for way in ways]


class TestNormalizers:
    @given(components.normalizers.filter(bool), texts)
    def test_texts_are_normalised_as_by_the_owner(self, spec: dict[str, Any], text: str) -> None:
        ours, theirs = normalizers.Normalizer.from_spec(spec), owners("normalizer", spec)
        assert ours.normalize_str(text) == theirs.normalize_str(text)

    @given(components.normalizers.filter(bool), components.normalizers.filter(bool), texts)
    def test_strings_remember_where_they_came_from(
        self, first: dict[str, Any], second: dict[str, Any], text: str
    ) -> None:
        ours, theirs = strings.NormalizedString(text), owner.NormalizedString(text)
        for spec in (first, second):
            normalizers.Normalizer.from_spec(spec).normalize(ours)
            owners("normalizer", spec).normalize(theirs)
        assert (ours.normalized, ours.original) == (theirs.normalized, theirs.original)
        assert alignment(ours) == alignment(theirs)

    @given(components.normalizers.filter(bool))
    def test_printed_and_pickled_as_by_the_owner(self, spec: dict[str, Any]) -> None:
        ours, theirs = normalizers.Normalizer.from_spec(spec), owners("normalizer", spec)
        assert (repr(ours), str(ours), ours.__getstate__()) == (repr(theirs), str(theirs), theirs.__getstate__())
        again = pickle.loads(pickle.dumps(ours))
        assert (type(again), again.spec()) == (type(ours), ours.spec())

    def test_names_are_the_owners(self) -> None:
        public = {name for name in dir(owner.normalizers) if not name.startswith("_")} - {"normalizers"}
        assert set(normalizers.__all__) == public


class TestPreTokenizers:
    @given(components.pre_tokenizers.filter(bool), texts)
    def test_texts_are_cut_as_by_the_owner(self, spec: dict[str, Any], text: str) -> None:
        ours, theirs = pre_tokenizers.PreTokenizer.from_spec(spec), owners("pre_tokenizer", spec)
        assert ours.pre_tokenize_str(text) == theirs.pre_tokenize_str(text)

    @given(
        components.normalizers.filter(bool), components.pre_tokenizers.filter(bool), components.pre_tokenizers, texts
    )
    def test_normalised_strings_are_cut_as_by_the_owner(
        self, normalizer: dict[str, Any], first: dict[str, Any], second: dict[str, Any] | None, text: str
    ) -> None:
        ours, theirs = strings.PreTokenizedString(text), owner.PreTokenizedString(text)
        ours.normalize(normalizers.Normalizer.from_spec(normalizer).normalize)
        theirs.normalize(owners("normalizer", normalizer).normalize)
        for spec in filter(None, [first, second]):
            pre_tokenizers.PreTokenizer.from_spec(spec).pre_tokenize(ours)
            owners("pre_tokenizer", spec).pre_tokenize(theirs)
        assert splits(ours) == splits(theirs)

    @given(components.pre_tokenizers.filter(bool))
    def test_printed_and_pickled_as_by_the_owner(self, spec: dict[str, Any]) -> None:
        ours, theirs = pre_tokenizers.PreTokenizer.from_spec(spec), owners("pre_tokenizer", spec)
        assert (repr(ours), str(ours), ours.__getstate__()) == (repr(theirs), str(theirs), theirs.__getstate__())
        again = copy.deepcopy(ours)
        assert (type(again), again.spec()) == (type(ours), ours.spec())

    def test_names_are_the_owners(self) -> None:
        public = {name for name in dir(owner.pre_tokenizers) if not name.startswith("_")} - {"pre_tokenizers"}
        assert set(pre_tokenizers.__all__) == public

    def test_the_alphabet_is_the_owners(self) -> None:
        assert sorted(pre_tokenizers.ByteLevel.alphabet()) == sorted(owner.pre_tokenizers.ByteLevel.alphabet())


# What is done to both strings; `regex` is the owner's or our `Regex`.
METHODS: list[Callable[[Strings, Any], object]] = [
    *[
        lambda string, regex, name=name: getattr(string, name)()
        for name in ("nfc", "nfd", "nfkc", "nfkd", "lowercase", "uppercase", "lstrip", "rstrip", "strip", "clear")
    ],
    lambda string, regex: string.prepend("▁é"),
    lambda string, regex: string.prepend(""),
    lambda string, regex: string.append("é!"),
    lambda string, regex: string.filter(lambda c: c.isalnum()),
    lambda string, regex: string.filter(lambda c: not c.isspace()),
    lambda string, regex: string.map(lambda c: "é" if c.isspace() else c),
    lambda string, regex: string.replace(" ", "▁"),
    lambda string, regex: string.replace("a", "<a>"),
    lambda string, regex: string.replace("ab", ""),
    lambda string, regex: string.replace(regex(r"\s+"), "__"),
    lambda string, regex: string.replace(regex(r"\p{L}"), "é"),
]

PATTERNS: list[Callable[[Any], Any]] = [
    lambda regex: " ",
    lambda regex: "ab",
    lambda regex: regex(r"\s+"),
    lambda regex: regex(r"\p{L}+"),
    lambda regex: regex(r"(?=\p{Lu})"),
]

ranges = st.one_of(
    st.integers(-4, 12),
    st.tuples(st.integers(0, 9), st.integers(0, 12)),
    st.builds(slice, st.none() | st.integers(-5, 9), st.none() | st.integers(-5, 12)),
)


class TestNormalizedString:
    @given(texts.filter(bool), st.lists(st.sampled_from(METHODS), max_size=4))
    def test_methods_do_what_the_owners_do(self, text: str, methods: list[Callable[..., object]]) -> None:
        ours, theirs = strings.NormalizedString(text), owner.NormalizedString(text)
        for method in methods:
            if not ours.normalized:
                break  # The owner's alignment of what is put into an emptied string is not sound.
            method(ours, Regex)
            method(theirs, owner.Regex)
            assert (ours.normalized, ours.original, str(ours)) == (theirs.normalized, theirs.original, str(theirs))
            assert alignment(ours) == alignment(theirs)
        assert repr(ours) == repr(theirs)

    @given(texts.filter(bool), st.sampled_from(PATTERNS), st.sampled_from(list(strings.SplitDelimiterBehavior)))
    def test_split_as_by_the_owner(self, text: str, pattern: Callable[[Any], Any], behavior: Any) -> None:
        ours = strings.NormalizedString(text).split(pattern(Regex), behavior)
        theirs = owner.NormalizedString(text).split(pattern(owner.Regex), behavior.value)
        assert [(repr(part), alignment(part)) for part in ours] == [(repr(part), alignment(part)) for part in theirs]

    @given(texts, ranges)
    def test_sliced_as_by_the_owner(self, text: str, where: Any) -> None:
        def sliced(string: Strings) -> object:
            try:
                part = string[where]
            except ValueError as error:
                return str(error)
            return part and (repr(part), alignment(part))

        assert sliced(strings.NormalizedString(text)) == sliced(owner.NormalizedString(text))


class Normalization:
    """A normalizer made in Python."""

    def __init__(self, regex: Any) -> None:
        self.regex = regex

    def normalize(self, normalized: Strings) -> None:
        self.kept = normalized
        normalized.nfkd()
        normalized.filter(lambda c: c != "\u0301")
        normalized.replace(self.regex(r"\s"), "_")


class Cut:
    """A pretokenizer made in Python."""

    def __init__(self, regex: Any) -> None:
        self.regex = regex

    def pre_tokenize(self, pretok: Strings) -> None:
        self.kept = pretok
        pretok.split(lambda number, text: text.split(self.regex(r"[aeiou]|\s"), "merged_with_previous"))
        pretok.normalize(lambda text: text.uppercase())


@pytest.mark.parametrize("text", [*CORPUS, " ".join(FRAGMENTS), ""])
def test_custom_components_work_as_with_the_owner(text: str) -> None:
    outcomes = []
    for library, regex in [(owner, owner.Regex), (None, Regex)]:
        norm = library.normalizers if library else normalizers
        pre = library.pre_tokenizers if library else pre_tokenizers
        normalization, cut = Normalization(regex), Cut(regex)
        normalizer = norm.Sequence([norm.Normalizer.custom(normalization), norm.Strip()])
        pretokenizer = pre.Sequence([pre.Whitespace(), pre.PreTokenizer.custom(cut), pre.Metaspace()])
        outcomes.append((normalizer.normalize_str(text), pretokenizer.pre_tokenize_str(text)))
        with pytest.raises(Exception, match="outside `normalize`"):
            normalization.kept.normalized  # noqa: B018
        if text:
            with pytest.raises(Exception, match="outside `pre_tokenize`"):
                cut.kept.get_splits()
        with pytest.raises(Exception, match="Custom Normalizer cannot be serialized"):
            str(normalizer)
    assert outcomes[0] == outcomes[1]


def test_custom_components_are_known_wherever_they_stand() -> None:
    custom = pre_tokenizers.PreTokenizer.custom(Cut(Regex))
    assert custom.is_custom
    assert pre_tokenizers.Sequence([pre_tokenizers.Digits(), custom]).is_custom
    assert not pre_tokenizers.Sequence([pre_tokenizers.Digits()]).is_custom


def test_changes_take_effect_through_every_reference() -> None:
    digits = pre_tokenizers.Digits()
    inner = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), digits])
    outer = pre_tokenizers.Sequence([inner, pre_tokenizers.Punctuation()])
    revisions = [outer.revision]
    assert [piece for piece, _ in outer.pre_tokenize_str("ab12")] == ["ab", "12"]
    digits.individual_digits = True
    revisions.append(outer.revision)
    assert [piece for piece, _ in outer.pre_tokenize_str("ab12")] == ["ab", "1", "2"]
    inner[0] = pre_tokenizers.Split("b", "isolated")
    revisions.append(outer.revision)
    assert [piece for piece, _ in outer.pre_tokenize_str("ab12")] == ["a", "b", "1", "2"]
    outer[0].behavior = "removed"
    revisions.append(outer.revision)
    assert [piece for piece, _ in inner.pre_tokenize_str("ab12")] == ["a", "1", "2"]
    assert len(set(revisions)) == len(revisions)


def outcome(run: Callable[[], object]) -> object:
    """What a call gives, or the type and message of what it raises."""
    try:
        return run()
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize(
    "call",
    [
        lambda norm, pre, regex: norm.Normalizer(),
        lambda norm, pre, regex: pre.PreTokenizer(),
        lambda norm, pre, regex: norm.Replace("a", "b").pattern,
        lambda norm, pre, regex: setattr(norm.Replace("a", "b"), "pattern", "x"),
        lambda norm, pre, regex: setattr(pre.Split("a", "removed"), "pattern", "x"),
        lambda norm, pre, regex: norm.Replace(3, "b"),
        lambda norm, pre, regex: pre.Split("a", "bogus"),
        lambda norm, pre, regex: setattr(pre.Punctuation(), "behavior", "bogus"),
        lambda norm, pre, regex: pre.Split("a", "merged_with_next").behavior,
        lambda norm, pre, regex: pre.Metaspace(prepend_scheme="x"),
        lambda norm, pre, regex: pre.Metaspace("ab"),
        lambda norm, pre, regex: pre.Metaspace().prepend_scheme,
        lambda norm, pre, regex: pre.CharDelimiterSplit(""),
        lambda norm, pre, regex: pre.FixedLength(-1),
        lambda norm, pre, regex: pre.ByteLevel(unknown=True).trim_offsets,
        lambda norm, pre, regex: norm.BertNormalizer("x"),
        lambda norm, pre, regex: setattr(norm.Strip(), "left", 1),
        lambda norm, pre, regex: norm.Prepend(3),
        lambda norm, pre, regex: norm.NFC().normalize_str(3),
        lambda norm, pre, regex: norm.Sequence([3]),
        lambda norm, pre, regex: norm.Sequence([pre.Digits()]),
        lambda norm, pre, regex: norm.Sequence([norm.NFC()])[1],
        lambda norm, pre, regex: norm.Sequence([norm.NFC()])[-1],
        lambda norm, pre, regex: pre.Sequence([pre.Digits()]).__setitem__(1, pre.Digits()),
        lambda norm, pre, regex: pre.Sequence([pre.Digits()]).__setitem__(0, pre.Sequence([])),
        lambda norm, pre, regex: len(norm.Sequence([norm.NFC(), norm.Sequence([norm.NFD()])])),
        lambda norm, pre, regex: repr(list(pre.Sequence([pre.Digits(), pre.Whitespace()]))),
        lambda norm, pre, regex: pre.Sequence([]).pre_tokenize_str("a b"),
        lambda norm, pre, regex: str(pre.Sequence([pre.Whitespace()] * 9)),
        lambda norm, pre, regex: str(norm.Prepend("é" * 99)),
        lambda norm, pre, regex: norm.unicode_normalizer_from_str("x"),
        lambda norm, pre, regex: repr(norm.unicode_normalizer_from_str("nfkd")),
        lambda norm, pre, regex: pickle.dumps(regex("a")),
        lambda norm, pre, regex: pre.Whitespace().pre_tokenize_str(None),
    ],
)
def test_values_and_errors_are_the_owners(call: Callable[..., object]) -> None:
    theirs = outcome(lambda: call(owner.normalizers, owner.pre_tokenizers, owner.Regex))
    ours = outcome(lambda: call(normalizers, pre_tokenizers, Regex))
    if isinstance(ours, tuple):
        ours = (ours[0], ours[1].replace("tokmill.compat.", ""))
    assert ours == theirs
