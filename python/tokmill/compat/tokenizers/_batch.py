"""Encodings of a batch on their way from the core: flat arrays, and how each row is cut out of them.

A `Source` holds the ids of all sequences of a call, end to end, and finds spans, words and tokens when first asked.
A `Plan` says what stands around the sequences of a row and how it is padded; a row is a tuple of numbers. Nothing here
knows how a post-processor works: where one does more than to put special tokens around its sequences, there is no plan
for it, and encodings are made by running it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import tokmill
from tokmill._tokmill import _spans

from ._encoding import LISTS, Columns, Encoding, padding_values

Row = tuple[int, int, int, int, int, int]
"""Begin and end of the first sequence among the ids of the source, then of the second, the length of the padding, and
the number of the row."""

WHITE_SPACE = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\u0120").union(
    map(chr, range(0x2000, 0x200B))
)
"""What tokenizers trims from offsets: white space, and the byte alphabet's blank."""


class Place(NamedTuple):
    """One place of a layout: a sequence, by its number, or special tokens."""

    sequence: int | None
    type_id: int
    ids: list[int]
    tokens: list[str]


class Layout(NamedTuple):
    """What stands around the sequences of a row."""

    places: tuple[Place, ...]
    trims: tuple[bool, ...]
    """For each time that offsets are trimmed, whether the first token may keep a blank."""
    ranged: bool
    """Whether tokens outside the sequences belong to none."""

    @property
    def added(self) -> int:
        """How many special tokens there are."""
        return sum(len(place.ids) for place in self.places if place.sequence is None)


def sequence(number: int, type_id: int) -> Place:
    """The place of a sequence."""
    return Place(number, type_id, [], [])


def special(ids: list[int], tokens: list[str], type_id: int) -> Place:
    """The place of special tokens."""
    return Place(None, type_id, ids, tokens)


class Table:
    """Ids to tokens, and how much white space each begins and ends with."""

    def __init__(self, tokens: dict[int, str]) -> None:
        self.tokens = tokens
        self._by_id: npt.NDArray[np.object_] | None = None
        self._spaces: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None

    def of(self, ids: npt.NDArray[np.uint32]) -> list[str]:
        """The tokens of some ids."""
        if self._by_id is None:
            by_id = np.full(max(self.tokens, default=-1) + 1, "", dtype=np.object_)
            by_id[list(self.tokens)] = list(self.tokens.values())
            self._by_id = by_id
        found: list[str] = self._by_id[ids].tolist()
        return found

    def spaces(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Leading and trailing white-space characters by id: int64[size] each."""
        if self._spaces is None:
            size = max(self.tokens, default=-1) + 1
            leading, trailing = np.zeros(size, np.int64), np.zeros(size, np.int64)
            for id, token in self.tokens.items():
                if token and (token[0] in WHITE_SPACE or token[-1] in WHITE_SPACE):
                    leading[id], trailing[id] = spaces_around(token)
            self._spaces = leading, trailing
        return self._spaces


def spaces_around(token: str) -> tuple[int, int]:
    """How many white-space characters a token begins and ends with."""
    leading = next((n for n, character in enumerate(token) if character not in WHITE_SPACE), len(token))
    trailing = next((n for n, character in enumerate(reversed(token)) if character not in WHITE_SPACE), len(token))
    return leading, trailing


def trimmed(span: tuple[int, int], leading: int, trailing: int, *, first: bool, keeps_blank: bool) -> tuple[int, int]:
    """The span of a token without the white space that it begins and ends with, as tokenizers counts it."""
    begin, end = span
    if leading > 0 and not ((first or begin == 0) and keeps_blank and leading == 1):
        begin = min(begin + leading, end)
    if trailing > 0 and end >= trailing:
        end = max(end - trailing, begin)
    return begin, end


class Details(NamedTuple):
    """What belongs to the ids of a call."""

    offsets: npt.NDArray[np.int64]
    """int64[n, 2]."""
    words: npt.NDArray[np.uint32]
    surfaces: dict[int, str]
    """Tokens that are not as the vocabulary spells them, by their places."""
    places: list[int]
    """These places."""


class Source:
    """The ids of all sequences of a call, end to end, and what belongs to each."""

    def __init__(
        self,
        core: tokmill.Tokenizer,
        table: Table,
        texts: Sequence[str],
        *,
        allowed_special: str,
        threads: int | None,
        renumber: npt.NDArray[np.uint32] | None,
        with_details: bool,
    ) -> None:
        self._core = core
        self.table = table
        self._texts = texts
        self._allowed_special: Any = allowed_special
        self._threads = threads
        self._with_details = with_details
        batch = core.encode_batch(texts, allowed_special=self._allowed_special, threads=threads)
        self._batch = batch
        self.ids = batch.values if renumber is None else renumber[batch.values]
        self.ends: list[int] = batch.offsets.tolist()
        """Where the ids of each text begin, and where those of the last one end."""
        self._words: npt.NDArray[np.uint32] | None = None
        self._details: Details | None = None
        self._of_ids: npt.NDArray[np.int64] | None = None
        self._asked_ids = False
        self._trims: dict[tuple[bool, ...], npt.NDArray[np.int64]] = {}

    def joined(self, counts: Sequence[int]) -> list[int]:
        """Makes sequences of so many texts each, which become their words, and gives where their ids begin and end."""
        words = np.concatenate([np.arange(count, dtype=np.uint32) for count in counts] or [np.zeros(0, np.uint32)])
        self._words = np.repeat(words, np.diff(np.array(self.ends)))
        ends = [0]
        text = 0
        for count in counts:
            text += count
            ends.append(self.ends[text])
        return ends

    def _found(self) -> Details:
        """What a second pass of the core finds."""
        if self._details is None:
            _, offsets, words, surfaces = self._core._encode_batch_details(
                self._texts, allowed_special=self._allowed_special, threads=self._threads
            )
            self._details = Details(offsets, words, surfaces, list(surfaces))
        return self._details

    def _untrimmed(self) -> npt.NDArray[np.int64]:
        """Offsets before any post-processor: int64[n, 2]."""
        spans = self._told() if self._details is None else None
        return self._found().offsets if spans is None else spans

    def _told(self) -> npt.NDArray[np.int64] | None:
        """The offsets, where the ids tell them; then no token is spelled in another way than in the vocabulary."""
        if not self._asked_ids:
            self._asked_ids = True
            self._of_ids = self._core._offsets_of_ids(self._texts, self._batch.values, self._batch.offsets)
        return self._of_ids

    def _surfaces(self) -> tuple[dict[int, str], list[int]]:
        """Tokens that are not as the vocabulary spells them by their places, and the places."""
        if self._details is None and self._told() is not None:
            return {}, []
        found = self._found()
        return found.surfaces, found.places

    def tokens(self, begin: int, end: int) -> list[str]:
        """The tokens of some ids."""
        if not self._with_details:
            return [""] * (end - begin)
        tokens = self.table.of(self.ids[begin:end])
        surfaces, places = self._surfaces()
        for place in places[bisect_left(places, begin) : bisect_left(places, end)]:
            tokens[place - begin] = surfaces[place]
        return tokens

    def words(self, begin: int, end: int) -> list[int | None]:
        """The words of some ids."""
        if not self._with_details:
            return [None] * (end - begin)
        numbers = self._found().words if self._words is None else self._words
        words: list[int | None] = numbers[begin:end].tolist()
        return words

    def offsets(self, begin: int, end: int, trims: tuple[bool, ...] = ()) -> list[tuple[int, int]]:
        """The spans of some ids, the first of which is the first of its sequence."""
        if not self._with_details:
            return [(0, 0)] * (end - begin)
        if begin == end:
            return []
        array = self._untrimmed() if not trims else self._trimmed(trims)
        spans = _spans(array, begin, end)
        if trims:
            spans[0] = self._first_trimmed(begin, trims)
        return spans

    def spans(self, begin: int, end: int, trims: tuple[bool, ...] = ()) -> npt.NDArray[np.int64]:
        """The same as `offsets`, as int64[n, 2]."""
        if not self._with_details:
            return np.zeros((end - begin, 2), np.int64)
        array = self._untrimmed() if not trims else self._trimmed(trims)
        spans = array[begin:end].astype(np.int64)
        if trims and begin < end:
            spans[0] = self._first_trimmed(begin, trims)
        return spans

    def _spaces(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        leading, trailing = self.table.spaces()
        leading, trailing = leading[self.ids], trailing[self.ids]
        for place, token in self._surfaces()[0].items():
            leading[place], trailing[place] = spaces_around(token)
        return leading, trailing

    def _trimmed(self, trims: tuple[bool, ...]) -> npt.NDArray[np.int64]:
        """All spans, trimmed as if none were the first of its sequence."""
        if trims not in self._trims:
            leading, trailing = self._spaces()
            spans = self._untrimmed()
            begins, ends = spans[:, 0].copy(), spans[:, 1].copy()
            for keeps_blank in trims:
                cut = leading
                if keeps_blank:
                    cut = np.where((begins == 0) & (leading == 1), 0, leading)
                begins = np.minimum(begins + cut, ends)
                ends = np.where(ends >= trailing, np.maximum(ends - trailing, begins), ends)
            self._trims[trims] = np.stack([begins, ends], axis=1)
        return self._trims[trims]

    def _first_trimmed(self, index: int, trims: tuple[bool, ...]) -> tuple[int, int]:
        token = self.tokens(index, index + 1)[0]
        leading, trailing = spaces_around(token)
        begin, end = self._untrimmed()[index].tolist()
        for keeps_blank in trims:
            begin, end = trimmed((begin, end), leading, trailing, first=True, keeps_blank=keeps_blank)
        return begin, end

    def columns(self, begin: int, end: int, type_id: int) -> Columns:
        """The lists of a sequence, before any post-processor."""
        columns = Columns()
        columns.ids = self.ids[begin:end].tolist()
        count = end - begin
        columns.type_ids = [type_id if self._with_details else 0] * count
        columns.tokens = self.tokens(begin, end)
        columns.words = self.words(begin, end)
        columns.offsets = self.offsets(begin, end)
        columns.special_tokens_mask = [0] * count
        columns.attention_mask = [1] * count
        return columns


class Plan:
    """How the rows of a batch are made of its source."""

    def __init__(
        self,
        source: Source,
        layout: Layout,
        process: Callable[[list[Encoding]], Encoding],
        padding: dict[str, Any] | None,
    ) -> None:
        self._source = source
        self._layout = layout
        self._process = process
        """Truncation and post-processor, for rows that are cut into several."""
        self._padding = padding
        self._added = layout.added
        self.target = 0
        """The length that rows are padded to."""
        self.whole: list[tuple[int, int, int, int]] | None = None
        """The sequences of each row before truncation, where there is any."""
        only = layout.places[0].sequence == 0 and len(layout.places) == 1
        self._bare = only

    def encoding(self, row: Row) -> Encoding:
        """The encoding of a row."""
        encoding = Encoding.__new__(Encoding)
        encoding._columns = None
        encoding._plan = self
        encoding._row = row
        return encoding

    def length(self, row: Row) -> int:
        """How many tokens a row has."""
        return row[1] - row[0] + row[3] - row[2] + self._added + row[4]

    def overflows(self, row: Row) -> bool:
        """Whether truncation has cut anything away."""
        return self.whole is not None and self.whole[row[5]] != row[:4]

    def n_sequences(self, row: Row) -> int:
        """How many sequences a row has."""
        return max(sum(place.sequence is not None for place in self._layout.places), 1)

    def ids(self, row: Row) -> list[int]:
        """The ids of a row."""
        if self._bare:
            ids: list[int] = self._source.ids[row[0] : row[1]].tolist()
        else:
            ids = []
            for place in self._layout.places:
                if place.sequence is None:
                    ids += place.ids
                else:
                    at = 2 * place.sequence
                    ids += self._source.ids[row[at] : row[at + 1]].tolist()
        return self._padded("ids", ids, row) if row[4] else ids

    def column(self, name: str, row: Row) -> list[Any]:
        """One of the lists of a row, by its name."""
        if name == "ids":
            return self.ids(row)
        found: list[Any] = []
        for place in self._layout.places:
            if place.sequence is None:
                found += _special(name, place)
            else:
                at = 2 * place.sequence
                found += self._of_sequence(name, row[at], row[at + 1], place)
        return self._padded(name, found, row) if row[4] else found

    def array(self, name: str, row: Row) -> npt.NDArray[np.int64]:
        """One of the lists of numbers of a row, by its name, as int64[n]; offsets as int64[n, 2]."""
        length = self.length(row)
        numbers = np.empty((length, 2) if name == "offsets" else length, np.int64)
        at = 0
        if row[4]:
            assert self._padding is not None
            at = row[4] if self._pads_left() else 0
            filled = slice(0, at) if at else slice(length - row[4], length)
            numbers[filled] = padding_values(self._padding)[name]
        for place in self._layout.places:
            begin = at
            if place.sequence is None:
                at += len(place.ids)
                if at > begin:
                    numbers[begin:at] = place.ids if name == "ids" else _special(name, place)
                continue
            first, last = row[2 * place.sequence], row[2 * place.sequence + 1]
            at += last - first
            match name:
                case "ids":
                    numbers[begin:at] = self._source.ids[first:last]
                case "offsets":
                    numbers[begin:at] = self._source.spans(first, last, self._layout.trims)
                case "type_ids":
                    numbers[begin:at] = place.type_id
                case _:
                    numbers[begin:at] = 1 if name == "attention_mask" else 0
        return numbers

    def sequence_ids(self, row: Row) -> list[int | None]:
        """The number of each token's sequence."""
        if not self._layout.ranged:
            return [0] * self.length(row)
        found: list[int | None] = []
        for place in self._layout.places:
            count = len(place.ids) if place.sequence is None else row[2 * place.sequence + 1] - row[2 * place.sequence]
            found += [place.sequence] * count
        nothing: list[int | None] = [None] * row[4]
        return nothing + found if self._pads_left() else found + nothing

    def columns(self, row: Row) -> Columns:
        """All lists of a row; those of what truncation has cut away too."""
        if self.overflows(row):
            assert self.whole is not None
            spans = self.whole[row[5]]
            parts = [
                Encoding.of(self._source.columns(spans[2 * n], spans[2 * n + 1], n))
                for n in range(self.n_sequences(row))
            ]
            encoding = self._process(parts)
            if self._padding is not None:
                encoding.fill(self.target, self._padding)
            return encoding.written()
        columns = Columns()
        for name in LISTS:
            setattr(columns, name, self.column(name, row))
        if self._layout.ranged:
            columns.ranges = self._ranges(row)
        return columns

    def _ranges(self, row: Row) -> dict[int, tuple[int, int]]:
        ranges = {}
        at = row[4] if self._pads_left() else 0
        for place in self._layout.places:
            begin = at
            if place.sequence is None:
                at += len(place.ids)
            else:
                at += row[2 * place.sequence + 1] - row[2 * place.sequence]
                ranges[place.sequence] = (begin, at)
        return ranges

    def _of_sequence(self, name: str, begin: int, end: int, place: Place) -> list[Any]:
        match name:
            case "type_ids":
                return [place.type_id] * (end - begin)
            case "tokens":
                return self._source.tokens(begin, end)
            case "words":
                return self._source.words(begin, end)
            case "offsets":
                return self._source.offsets(begin, end, self._layout.trims)
            case "special_tokens_mask":
                return [0] * (end - begin)
            case _:
                return [1] * (end - begin)

    def _padded(self, name: str, values: list[Any], row: Row) -> list[Any]:
        assert self._padding is not None
        filling = [padding_values(self._padding)[name]] * row[4]
        return filling + values if self._pads_left() else values + filling

    def _pads_left(self) -> bool:
        return self._padding is not None and self._padding["direction"] == "left"


def _special(name: str, place: Place) -> list[Any]:
    count = len(place.ids)
    match name:
        case "type_ids":
            return [place.type_id] * count
        case "tokens":
            return place.tokens
        case "words":
            return [None] * count
        case "offsets":
            return [(0, 0)] * count
        case _:
            return [1] * count
