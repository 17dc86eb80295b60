"""Strings that remember where they came from, for components made in Python.

A string keeps, for each character of its normalised form, the range of characters of the original that it stands for.
(The owner keeps this for each byte; all bytes of a character have the same.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Self, final

from tokmill._tokmill import _Normalizer, _PreTokenizer, _uppercase

from ._component import instance, string, unsigned
from ._regex import Regex, stretches

if TYPE_CHECKING:
    from ._encoding import Encoding

__all__ = [
    "NormalizedString",
    "OffsetReferential",
    "OffsetType",
    "PreTokenizedString",
    "SplitDelimiterBehavior",
    "Token",
]

Span = tuple[int, int]


class OffsetReferential(Enum):
    """What offsets are relative to."""

    ORIGINAL = "original"
    NORMALIZED = "normalized"


class OffsetType(Enum):
    """What offsets count."""

    BYTE = "byte"
    CHAR = "char"


class SplitDelimiterBehavior(Enum):
    """What becomes of the matches that a string is split at."""

    REMOVED = "removed"
    ISOLATED = "isolated"
    MERGED_WITH_PREVIOUS = "merged_with_previous"
    MERGED_WITH_NEXT = "merged_with_next"
    CONTIGUOUS = "contiguous"


def _member(value: Any, kind: type[Enum], error: str) -> str:
    name = value.value if isinstance(value, kind) else string(value)
    if name not in [member.value for member in kind]:
        raise ValueError(error)
    return str(name)


def behavior_name(value: Any) -> str:
    """Python's name of a split behavior."""
    return _member(
        value,
        SplitDelimiterBehavior,
        "Wrong value for SplitDelimiterBehavior, expected one of: "
        "`removed, isolated, merged_with_previous, merged_with_next, contiguous`",
    )


def called(target: Any, method: str, *arguments: Any) -> Any:
    """Calls a method of a component made in Python; its exceptions come out as the owner's do."""
    try:
        return getattr(target, method)(*arguments)
    except Exception as error:
        raise Exception(f"{type(error).__name__}: {error}") from error


@final
class Token:
    """A token as a model made in Python gives it: its id, its string, and its bytes in the piece."""

    __slots__ = ("_id", "_offsets", "_value")

    def __init__(self, id: int, value: str, offsets: Span) -> None:
        self._id = unsigned(id)
        self._value = string(value)
        begin, end = instance(offsets, tuple)
        self._offsets = (unsigned(begin), unsigned(end))

    @property
    def id(self) -> int:
        """The id."""
        return self._id

    @property
    def value(self) -> str:
        """The token's string."""
        return self._value

    @property
    def offsets(self) -> Span:
        """Begin and end, as given."""
        return self._offsets

    def as_tuple(self) -> tuple[int, str, Span]:
        """Id, string and offsets."""
        return (self._id, self._value, self._offsets)


_UNICODE_FORMS = {name: _Normalizer(f'{{"type":"{name}"}}') for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase")}


class NormalizedString:
    """A text and what has become of it, with what came from where."""

    __slots__ = ("_alignment", "_normalized", "_original", "_shift")

    def __init__(self, sequence: str) -> None:
        self._original = self._normalized = string(sequence)
        self._alignment: list[Span] = [(at, at + 1) for at in range(len(sequence))]
        self._shift = 0

    @property
    def normalized(self) -> str:
        """The text as it is now."""
        return self._normalized

    @property
    def original(self) -> str:
        """The text as it was."""
        return self._original

    def nfd(self) -> None:
        """Normalisation form D."""
        self._rewrite(*_UNICODE_FORMS["NFD"].normalize_aligned(self._normalized))

    def nfkd(self) -> None:
        """Normalisation form KD."""
        self._rewrite(*_UNICODE_FORMS["NFKD"].normalize_aligned(self._normalized))

    def nfc(self) -> None:
        """Normalisation form C."""
        self._rewrite(*_UNICODE_FORMS["NFC"].normalize_aligned(self._normalized))

    def nfkc(self) -> None:
        """Normalisation form KC."""
        self._rewrite(*_UNICODE_FORMS["NFKC"].normalize_aligned(self._normalized))

    def lowercase(self) -> None:
        """Lower case, character by character."""
        self._rewrite(*_UNICODE_FORMS["Lowercase"].normalize_aligned(self._normalized))

    def uppercase(self) -> None:
        """Upper case, character by character."""
        self._rewrite(*_uppercase(self._normalized))

    def prepend(self, s: str) -> None:
        """Puts a string before a text that is not empty; it stands for the first character."""
        string(s)
        if self._normalized:
            first = self._normalized[0]
            self._transform(0, 1, [(c, int(at > 0)) for at, c in enumerate(s)] + [(first, 1)])

    def append(self, s: str) -> None:
        """Puts a string behind the text; it stands for the last character."""
        string(s)
        end = len(self._normalized)
        last = [(c, 0) for c in self._normalized[-1:]]
        self._transform(end - len(last), end, last + [(c, 1) for c in s])

    def lstrip(self) -> None:
        """Drops white space at the beginning."""
        self._keep(_begin(self._normalized), len(self._normalized))

    def rstrip(self) -> None:
        """Drops white space at the end."""
        self._keep(0, _end(self._normalized))

    def strip(self) -> None:
        """Drops white space at both ends."""
        end = _end(self._normalized)
        self._keep(min(_begin(self._normalized), end), end)

    def clear(self) -> None:
        """Drops the whole text."""
        self._keep(0, 0)

    def slice(self, range: int | Span | slice) -> NormalizedString | None:
        """A part of the text, by characters; None where it begins behind the end."""
        begin, end = self._range(range)
        count = len(self._normalized)
        if end < begin:
            end = count
        if begin > count or (begin == count and (begin, end) != (0, 0)):
            return None
        return self._part(begin, min(end, count))

    __getitem__ = slice

    def filter(self, func: Callable[[str], bool]) -> None:
        """Keeps the characters for which `func` is true."""
        if not callable(func):
            raise TypeError("`filter` expect a callable with the signature: `fn(char) -> bool`")
        kept = [at for at, c in enumerate(self._normalized) if instance(func(c), bool)]
        self._normalized = "".join(self._normalized[at] for at in kept)
        self._alignment = [self._alignment[at] for at in kept]

    def for_each(self, func: Callable[[str], object]) -> None:
        """Calls `func` with each character."""
        if not callable(func):
            raise TypeError("`for_each` expect a callable with the signature: `fn(char)`")
        for c in self._normalized:
            func(c)

    def map(self, func: Callable[[str], str]) -> None:
        """Replaces each character by what `func` makes of it: a string of one character."""
        error = "`map` expect a callable with the signature: `fn(char) -> char`"
        if not callable(func):
            raise TypeError(error)
        mapped = [func(c) for c in self._normalized]
        if not all(isinstance(c, str) and c for c in mapped):
            raise TypeError(error)
        self._normalized = "".join(c[0] for c in mapped)

    def split(self, pattern: str | Regex, behavior: Any) -> list[NormalizedString]:
        """The parts of the text between and at the matches of a pattern, as `behavior` says."""
        name = behavior_name(behavior)
        return [self._part(begin, end) for begin, end in _joined(stretches(pattern, self._normalized), name)]

    def replace(self, pattern: str | Regex, content: str) -> None:
        """Writes `content` for each match of a pattern; it stands for the last character of the match."""
        string(content)
        text: list[str] = []
        alignment: list[Span] = []
        for begin, end, is_match in stretches(pattern, self._normalized):
            if is_match:
                text.append(content)
                alignment += [self._alignment[end - 1] if end else (0, 0)] * len(content)
            else:
                text.append(self._normalized[begin:end])
                alignment += self._alignment[begin:end]
        self._normalized, self._alignment = "".join(text), alignment

    def __repr__(self) -> str:
        return f'NormalizedString(original="{self._original}", normalized="{self._normalized}")'

    def __str__(self) -> str:
        return self._normalized

    def __getstate__(self) -> object:
        raise TypeError("cannot pickle 'tokenizers.NormalizedString' object")

    def _range(self, range: Any) -> Span:
        # The owner counts the length in bytes here, and positions in characters.
        length = len(self._normalized.encode())
        if isinstance(range, slice):
            begin, end, _ = range.indices(length)
            return begin, end
        if isinstance(range, tuple) and len(range) == 2:
            return unsigned(range[0]), unsigned(range[1])
        if not hasattr(range, "__index__"):
            raise TypeError("failed to extract enum PyRange ('int | Tuple[uint, uint] | slice')")
        index = range.__index__()
        if index < -length:
            raise ValueError(f"{-index} is bigger than max len")
        begin = index + length if index < 0 else index
        return begin, begin + 1

    def _part(self, begin: int, end: int) -> NormalizedString:
        part = NormalizedString.__new__(NormalizedString)
        part._normalized = self._normalized[begin:end]
        if begin == end:
            part._original, part._alignment, part._shift = "", [], self._shift + begin
            return part
        first, last = self._alignment[begin][0], self._alignment[end - 1][1]
        part._original = self._original[first:last]
        part._alignment = [(b - first, e - first) for b, e in self._alignment[begin:end]]
        part._shift = self._shift + first
        return part

    def _keep(self, begin: int, end: int) -> None:
        self._normalized = self._normalized[begin:end]
        self._alignment = self._alignment[begin:end]

    def _rewrite(self, text: str, spans: Iterable[Span]) -> None:
        """Takes a new text, each character of which stands for a span of the one there is."""
        alignment = self._alignment
        self._alignment = [(alignment[b][0], alignment[e - 1][1]) if b < e else (0, 0) for b, e in spans]
        self._normalized = text

    def _transform(self, begin: int, end: int, changed: Iterable[tuple[str, int]]) -> None:
        """Writes characters for a range: one with 0 replaces the next one, one with 1 is inserted."""
        text: list[str] = []
        alignment: list[Span] = []
        at = begin
        for c, change in changed:
            text.append(c)
            if change:
                alignment.append(self._alignment[at - 1] if at else (0, 0))
            else:
                alignment.append(self._alignment[at])
                at += 1
        self._normalized = self._normalized[:begin] + "".join(text) + self._normalized[end:]
        self._alignment[begin:end] = alignment

    def _pretokenized(self, core: _PreTokenizer, cuts: bool) -> list[NormalizedString]:
        """The pieces that the core makes of this string; one that it does not cut stays whole unless `cuts`."""
        if not self._normalized:
            return []
        # What comes from the first character of the text, for schemes that ask where a piece begins.
        head = 0
        if self._shift == 0:
            head = next((at for at, span in enumerate(self._alignment) if span[0] > 0), len(self._alignment))
        text, spans, pieces = core.pre_tokenize(self._normalized, head)
        self._rewrite(text, spans)
        return [self._part(begin, end) for begin, end in pieces] if cuts else [self]


def _is_space(c: str) -> bool:
    # Python counts four separators of ASCII as white space, Unicode does not.
    return c.isspace() and not "\x1c" <= c <= "\x1f"


def _begin(text: str) -> int:
    return next((at for at, c in enumerate(text) if not _is_space(c)), len(text))


def _end(text: str) -> int:
    return next((at for at in range(len(text), 0, -1) if not _is_space(text[at - 1])), 0)


def _joined(found: list[tuple[int, int, bool]], behavior: str) -> list[Span]:
    """Stretches, joined as a behavior says."""
    if behavior == "removed":
        return [(begin, end) for begin, end, is_match in found if not is_match]
    if behavior == "isolated":
        return [(begin, end) for begin, end, _ in found]
    if behavior == "merged_with_next":
        # The same from the other end.
        mirrored = [(-end, -begin, is_match) for begin, end, is_match in reversed(found)]
        return [(-end, -begin) for begin, end in reversed(_joined(mirrored, "merged_with_previous"))]
    spans: list[Span] = []
    previous = False
    for begin, end, is_match in found:
        joins = is_match == previous if behavior == "contiguous" else is_match and not previous
        if joins and spans:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((begin, end))
        previous = is_match
    return spans


class _Lent:
    """A reference to a string that is good only while a component made in Python runs."""

    __slots__ = ("_inner",)

    _inner: Any
    _ended = ""

    @classmethod
    @contextmanager
    def _lent(cls, target: Any) -> Iterator[Self]:
        reference = cls.__new__(cls)
        reference._inner = target
        try:
            yield reference
        finally:
            reference._inner = None

    def _target(self) -> Any:
        if self._inner is None:
            raise Exception(self._ended)
        return self._inner


class NormalizedStringRefMut(_Lent):
    """What a normalizer made in Python is given: a `NormalizedString` to be changed in place."""

    __slots__ = ()

    _ended = "Cannot use a NormalizedStringRefMut outside `normalize`"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(NormalizedString, name):
            raise AttributeError(f"'NormalizedStringRefMut' object has no attribute '{name}'")
        return getattr(self._target(), name)


class PreTokenizedStringRefMut(_Lent):
    """What a pretokenizer made in Python is given: a `PreTokenizedString` to be changed in place."""

    __slots__ = ()

    _ended = "Cannot use a PreTokenizedStringRefMut outside `pre_tokenize`"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(PreTokenizedString, name):
            raise AttributeError(f"'PreTokenizedStringRefMut' object has no attribute '{name}'")
        return getattr(self._target(), name)


class PreTokenizedString:
    """A text in parts, each of which is normalised, cut, and at last given its tokens."""

    __slots__ = ("_original", "_splits")

    def __init__(self, s: str) -> None:
        self._original = string(s)
        self._splits: list[tuple[NormalizedString, list[Token] | None]] = [(NormalizedString(s), None)]

    def _cut(self, cut: Callable[[NormalizedString], Iterable[NormalizedString]]) -> None:
        """Replaces each part without tokens by those of its pieces that are not empty."""
        splits: list[tuple[NormalizedString, list[Token] | None]] = []
        for normalized, tokens in self._splits:
            if tokens is None:
                splits += [(piece, None) for piece in cut(normalized) if piece._normalized]
            else:
                splits.append((normalized, tokens))
        self._splits = splits

    def split(self, func: Callable[[int, NormalizedString], list[NormalizedString]]) -> None:
        """Replaces each part without tokens by what `func` makes of its number and itself: a list of strings.

        For offsets to be right, these come from its `split` or `slice`.
        """
        if not callable(func):
            raise TypeError(
                "`split` expect a callable with the signature: "
                "`fn(index: int, normalized: NormalizedString) -> List[NormalizedString]`"
            )
        numbers = iter([number for number, (_, tokens) in enumerate(self._splits) if tokens is None])

        def cut(normalized: NormalizedString) -> list[NormalizedString]:
            pieces: Any = func(next(numbers), normalized)
            if isinstance(pieces, str) or not hasattr(pieces, "__len__") or not hasattr(pieces, "__getitem__"):
                raise TypeError(f"'{type(pieces).__name__}' object is not an instance of 'Sequence'")
            return [instance(piece, NormalizedString) for piece in pieces]

        _passing_on(lambda: self._cut(cut))

    def normalize(self, func: Callable[[Any], object]) -> None:
        """Calls `func` with each part without tokens, to change it in place."""
        if not callable(func):
            raise TypeError("`normalize` expect a callable with the signature: `fn(normalized: NormalizedString)`")
        for normalized, tokens in self._splits:
            if tokens is None:
                with NormalizedStringRefMut._lent(normalized) as reference:
                    _passing_on(partial(func, reference))

    def tokenize(self, func: Callable[[str], list[Token]]) -> None:
        """Gives each part without tokens those that `func` makes of its text."""
        if not callable(func):
            raise TypeError("`tokenize` expect a callable with the signature: `fn(str) -> List[Token]`")

        def run(normalized: NormalizedString) -> list[Token]:
            return [instance(token, Token) for token in instance(func(normalized._normalized), list)]

        def run_all() -> None:
            self._splits = [(text, run(text) if tokens is None else tokens) for text, tokens in self._splits]

        _passing_on(run_all)

    def get_splits(
        self, offset_referential: Any = "original", offset_type: Any = "char"
    ) -> list[tuple[str, Span, list[Token] | None]]:
        """The parts: text, begin and end, tokens if it has them.

        Offsets are relative to the `"original"` or to the `"normalized"` text, and count `"char"` or `"byte"`.
        """
        referential = _member(
            offset_referential,
            OffsetReferential,
            "Wrong value for OffsetReferential, expected one of `original, normalized`",
        )
        unit = _member(offset_type, OffsetType, "Wrong value for OffsetType, expected one of `byte, char`")
        text = _Positions(self._original)
        splits = []
        at = 0
        for normalized, tokens in self._splits:
            if referential == "original":
                offsets = text.bytes(normalized._shift), text.bytes(normalized._shift + len(normalized._original))
            else:
                length = len(normalized._normalized.encode())
                offsets = at, at + length
                at += length
            if unit == "char":
                offsets = text.characters(offsets)
            splits.append((normalized._normalized, offsets, tokens))
        return splits

    def to_encoding(self, type_id: int = 0, word_idx: int | None = None) -> Encoding:
        """The tokens of all parts as an `Encoding`; the number of its part is the word of a token, or `word_idx`."""
        from ._encoding import Encoding

        if any(tokens is None for _, tokens in self._splits):
            raise Exception("Split has not been tokenized, call `PreTokenizedString::tokenize` first")
        text = _Positions(self._original)
        ids, strings, offsets, words = [], [], [], []
        for number, (normalized, tokens) in enumerate(self._splits):
            positions = _Positions(normalized._normalized)
            for token in tokens or []:
                ids.append(token.id)
                strings.append(token.value)
                offsets.append(text.characters(_original(normalized, positions, text, token.offsets)))
                words.append(number if word_idx is None else word_idx)
        return Encoding._of(ids, strings, offsets, words, type_id)


def _original(normalized: NormalizedString, positions: _Positions, text: _Positions, offsets: Span) -> Span:
    """The bytes of the original that bytes of a part stand for; those themselves where they are not in it."""
    begin, end = offsets
    shift = text.bytes(normalized._shift)
    if begin == end:
        return shift + begin, shift + end
    if begin > end or end > positions.length:
        return offsets
    first = normalized._alignment[positions.character(begin)][0]
    last = normalized._alignment[positions.character(end - 1)][1]
    return text.bytes(normalized._shift + first), text.bytes(normalized._shift + last)


class _Positions:
    """Positions in a text, as bytes and as characters."""

    __slots__ = ("_begins", "_characters", "length")

    def __init__(self, text: str) -> None:
        self._begins: list[int] | None = None
        self._characters: list[int] | None = None
        self.length = len(text)
        if not text.isascii():
            self._begins = list(accumulate((len(c.encode()) for c in text), initial=0))
            self.length = self._begins[-1]
            self._characters = [at for at, c in enumerate(text) for _ in range(len(c.encode()))]

    def bytes(self, character: int) -> int:
        """Where a character begins."""
        return character if self._begins is None else self._begins[min(character, len(self._begins) - 1)]

    def character(self, byte: int) -> int:
        """Which character a byte belongs to."""
        return byte if self._characters is None else self._characters[byte]

    def characters(self, offsets: Span) -> Span:
        """A range of bytes as one of characters; as it is where it begins behind the end."""
        begin, end = offsets
        if begin >= self.length:
            return offsets
        if end < self.length:
            return self.character(begin), self.character(end)
        last = self.character(end - 1) if end <= self.length else self.character(begin) + 1
        return self.character(begin), last + 1


def _passing_on(run: Callable[[], object]) -> None:
    try:
        run()
    except Exception as error:
        raise Exception(f"{type(error).__name__}: {error}") from error
