"""Pretokenizers: what cuts a text into the pieces that the model sees one by one."""

from __future__ import annotations

from typing import Any, final

from tokmill._tokmill import _PreTokenizer

from ._component import Component, Field, Steps, boolean, character, instance, string, unsigned
from ._component import dumps as _dumps
from ._regex import Regex, pattern_spec, read_pattern
from ._render import Variant
from ._strings import PreTokenizedString, PreTokenizedStringRefMut, behavior_name, called

__all__ = [
    "BertPreTokenizer",
    "ByteLevel",
    "CharDelimiterSplit",
    "Digits",
    "FixedLength",
    "Metaspace",
    "PreTokenizer",
    "Punctuation",
    "Sequence",
    "Split",
    "UnicodeScripts",
    "Whitespace",
    "WhitespaceSplit",
]


class PreTokenizer(Component):
    """Base class of all pretokenizers; `PreTokenizer.custom` makes one of a Python object."""

    kind = "PreTokenizer"

    _compiled: tuple[int, _PreTokenizer] | None = None
    _object: Any = None

    @staticmethod
    def custom(pretok: Any) -> PreTokenizer:
        """A pretokenizer that calls `pretok.pre_tokenize(pretokenized)`, which changes a `PreTokenizedString` in place.

        It is run in Python, text by text, and cannot be saved.
        """
        pretokenizer = object.__new__(PreTokenizer)
        pretokenizer._object = pretok
        pretokenizer._begin()
        return pretokenizer

    @property
    def is_custom(self) -> bool:
        """Whether it is made in Python."""
        return type(self) is PreTokenizer

    def spec(self) -> dict[str, Any]:
        """The JSON object of tokenizer.json."""
        if type(self) is PreTokenizer:
            raise Exception("Custom PreTokenizer cannot be serialized")
        return super().spec()

    def _core(self) -> _PreTokenizer:
        """The core's pretokenizer."""
        revision = self.revision
        if self._compiled is None or self._compiled[0] != revision:
            self._compiled = revision, _PreTokenizer(_dumps(self.spec()))
        return self._compiled[1]

    @property
    def _cuts(self) -> bool:
        """Whether the owner makes new strings of what it leaves in one piece."""
        return True

    def pre_tokenize(self, pretok: PreTokenizedString | PreTokenizedStringRefMut) -> None:
        """Cuts the parts of a string that have no tokens yet, in place, keeping track of what came from where."""
        if isinstance(pretok, PreTokenizedStringRefMut):
            target = pretok._target()
        else:
            target = instance(pretok, PreTokenizedString)
        self._run(target)

    def _run(self, target: PreTokenizedString) -> None:
        if type(self) is PreTokenizer:
            with PreTokenizedStringRefMut._lent(target) as reference:
                called(self._object, "pre_tokenize", reference)
        else:
            core, cuts = self._core(), self._cuts
            target._cut(lambda piece: piece._pretokenized(core, cuts))

    def pre_tokenize_str(self, s: str) -> list[tuple[str, tuple[int, int]]]:
        """The pieces of a text, with where each begins and ends in it, in characters."""
        target = PreTokenizedString(string(s))
        self._run(target)
        return [(piece, offsets) for piece, offsets, _ in target.get_splits()]


@final
class BertPreTokenizer(PreTokenizer):
    """Cuts at white space, which is dropped, and makes each punctuation mark a piece."""

    type_name = "BertPreTokenizer"

    def __init__(self) -> None:
        self._begin()


@final
class ByteLevel(PreTokenizer):
    """GPT-2's: a blank before the text, GPT-2's pattern, and each byte as a printable character."""

    type_name = "ByteLevel"
    add_prefix_space = Field("add_prefix_space", boolean)
    trim_offsets = Field("trim_offsets", boolean)
    use_regex = Field("use_regex", boolean, True)

    def __init__(
        self, add_prefix_space: bool = True, trim_offsets: bool = True, use_regex: bool = True, **_kwargs: Any
    ) -> None:
        self._begin(
            add_prefix_space=boolean(add_prefix_space),
            trim_offsets=boolean(trim_offsets),
            use_regex=boolean(use_regex),
        )

    @staticmethod
    def alphabet() -> list[str]:
        """The 256 characters that bytes are written as, in no order."""
        printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
        return [chr(code) for code in [*printable, *range(0x100, 0x200 - len(printable))]]

    @property
    def _cuts(self) -> bool:
        return bool(self.use_regex)


@final
class CharDelimiterSplit(PreTokenizer):
    """Cuts at one character, which is dropped."""

    type_name = "CharDelimiterSplit"
    delimiter = Field("delimiter", character)

    def __init__(self, delimiter: str) -> None:
        self._begin(delimiter=character(delimiter))


@final
class Digits(PreTokenizer):
    """Numbers apart from the rest; each digit on its own where `individual_digits`."""

    type_name = "Digits"
    individual_digits = Field("individual_digits", boolean)

    def __init__(self, individual_digits: bool = False) -> None:
        self._begin(individual_digits=boolean(individual_digits))


@final
class FixedLength(PreTokenizer):
    """Pieces of so many characters; the last may be shorter."""

    type_name = "FixedLength"
    length = Field("length", unsigned, 5)

    def __init__(self, length: int = 5) -> None:
        self._begin(length=unsigned(length))


def _scheme(value: Any) -> Variant:
    if string(value) not in ("first", "never", "always"):
        raise ValueError(f"{value} is an unknown variant, should be one of ['first', 'never', 'always']")
    return Variant(value)


@final
class Metaspace(PreTokenizer):
    """A visible character for each blank, one before the text where the scheme says so, and a piece for each."""

    type_name = "Metaspace"
    replacement = Field("replacement", character)
    prepend_scheme = Field("prepend_scheme", _scheme, Variant("always"), show=str)
    split = Field("split", boolean, True)

    def __init__(self, replacement: str = "▁", prepend_scheme: str = "always", split: bool = True) -> None:
        self._begin(
            replacement=character(replacement),
            prepend_scheme=_scheme(prepend_scheme),
            split=boolean(split),
        )

    def _read(self, spec: Any) -> None:
        if spec.get("add_prefix_space") is False and spec.get("prepend_scheme") != "never":
            raise Exception("add_prefix_space does not match declared prepend_scheme")
        super()._read(spec)

    @property
    def _cuts(self) -> bool:
        return bool(self.split)


_BEHAVIORS = {
    "removed": "Removed",
    "isolated": "Isolated",
    "merged_with_previous": "MergedWithPrevious",
    "merged_with_next": "MergedWithNext",
    "contiguous": "Contiguous",
}


def _behavior(value: Any) -> Variant:
    """The name of a behavior in JSON, from that or from Python's name for it."""
    return Variant(value) if value in _BEHAVIORS.values() else Variant(_BEHAVIORS[behavior_name(value)])


@final
class Punctuation(PreTokenizer):
    """Punctuation, treated as `behavior` says."""

    type_name = "Punctuation"
    behavior = Field("behavior", _behavior, Variant("Isolated"), show=str.lower)

    def __init__(self, behavior: Any = "isolated") -> None:
        self._begin(behavior=_behavior(behavior))


@final
class Sequence(Steps, PreTokenizer):
    """One pretokenizer after the other, each on the pieces of the one before."""

    type_name = "Sequence"
    steps_key = "pretokenizers"
    _nested_message = "pre tokenizer should not be a sequence"

    def __init__(self, pre_tokenizers: list[PreTokenizer]) -> None:
        self._begin_steps(pre_tokenizers)

    @property
    def _cuts(self) -> bool:
        return any(instance(step, PreTokenizer)._cuts for step in self.steps)

    def _run(self, target: PreTokenizedString) -> None:
        if not self.steps:
            return
        if not self.is_custom:
            super()._run(target)
            return
        for step in self.steps:
            instance(step, PreTokenizer)._run(target)


@final
class Split(PreTokenizer):
    """Cuts at the matches of a pattern, a string or a `Regex`; `behavior` says what becomes of them.

    `invert` swaps the matches and what lies between them.
    """

    type_name = "Split"
    _pattern = Field("pattern", read_pattern)
    behavior = Field("behavior", _behavior, show=str.lower)
    invert = Field("invert", boolean)

    def __init__(self, pattern: str | Regex, behavior: Any, invert: bool = False) -> None:
        self._begin(pattern=pattern_spec(pattern), behavior=_behavior(behavior), invert=boolean(invert))

    @property
    def pattern(self) -> None:
        """Cannot be read, as in tokenizers."""
        raise Exception("Cannot get pattern")

    @pattern.setter
    def pattern(self, _pattern: str | Regex) -> None:
        raise Exception("Cannot set pattern, please instantiate a new split pattern instead")


@final
class UnicodeScripts(PreTokenizer):
    """Cuts where the script changes. Kana count as Han, and blanks go with what precedes them."""

    type_name = "UnicodeScripts"

    def __init__(self) -> None:
        self._begin()


@final
class Whitespace(PreTokenizer):
    r"""Runs of word characters and runs of other characters that are not white space: `\w+|[^\w\s]+`."""

    type_name = "Whitespace"

    def __init__(self) -> None:
        self._begin()


@final
class WhitespaceSplit(PreTokenizer):
    """Cuts at white space, which is dropped."""

    type_name = "WhitespaceSplit"

    def __init__(self) -> None:
        self._begin()
