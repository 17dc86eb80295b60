"""`Encoding`: what tokenizers gives for one input.

An encoding of a batch is *lazy*: it knows which ids of the batch are its own and what the post-processor puts around
them, and makes each list when it is asked for. Spans, words and tokens are found for the whole batch at the first
question for any of them, by a second pass of the core. Whatever changes an encoding (`pad`, `truncate`, `merge`, a
post-processor that is run on its own) first writes its lists out; from then on it is a plain one.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._batch import Plan, Row

Offsets = tuple[int, int]

LISTS = ("ids", "type_ids", "tokens", "words", "offsets", "special_tokens_mask", "attention_mask")
"""The lists of an encoding, by the names that the owner's JSON has for them."""


class Columns:
    """The lists of an encoding, written out."""

    __slots__ = (*LISTS, "overflowing", "ranges")

    ids: list[int]
    type_ids: list[int]
    tokens: list[str]
    words: list[int | None]
    offsets: list[Offsets]
    special_tokens_mask: list[int]
    attention_mask: list[int]
    overflowing: list[Encoding]
    ranges: dict[int, tuple[int, int]]

    def __init__(self) -> None:
        for name in LISTS:
            setattr(self, name, [])
        self.overflowing = []
        self.ranges = {}

    def part(self, begin: int, end: int) -> Columns:
        """The tokens from `begin` to `end`, without overflow and sequence ranges."""
        part = Columns.__new__(Columns)
        for name in LISTS:
            setattr(part, name, getattr(self, name)[begin:end])
        part.overflowing = []
        part.ranges = {}
        return part

    def copy(self) -> Columns:
        """A copy of all of it; the overflowing encodings are copied too."""
        copy = self.part(0, len(self.ids))
        copy.overflowing = [encoding.copy() for encoding in self.overflowing]
        copy.ranges = dict(self.ranges)
        return copy


class Encoding:
    """The ids of one input, and what belongs to each: lists of equal length, and the mappings between them."""

    __slots__ = ("__dict__", "__weakref__", "_columns", "_plan", "_row")

    _columns: Columns | None
    _plan: Plan | None
    _row: Row | None

    def __init__(self) -> None:
        self._columns = Columns()
        self._plan = self._row = None

    # -- where the lists come from --------------------------------------------------------------------------------

    @classmethod
    def _of(
        cls, ids: list[int], tokens: list[str], offsets: list[Offsets], words: Sequence[int | None], type_id: int
    ) -> Encoding:
        """The encoding of these tokens, before any post-processor."""
        columns = Columns()
        columns.ids, columns.tokens, columns.offsets, columns.words = ids, tokens, offsets, list(words)
        columns.type_ids = [type_id] * len(ids)
        columns.special_tokens_mask = [0] * len(ids)
        columns.attention_mask = [1] * len(ids)
        return cls.of(columns)

    @classmethod
    def of(cls, columns: Columns) -> Encoding:
        """An encoding of lists, which it keeps."""
        encoding = cls.__new__(cls)
        encoding._columns = columns
        encoding._plan = encoding._row = None
        return encoding

    def written(self) -> Columns:
        """The lists, to be read or changed in place; from now on they are kept."""
        columns = self._columns
        if columns is None:
            assert self._plan is not None
            assert self._row is not None
            columns = self._columns = self._plan.columns(self._row)
            self._plan = self._row = None
        return columns

    def copy(self) -> Encoding:
        """An encoding with lists of its own."""
        return Encoding.of(self.written().copy())

    def _list(self, name: str) -> list[Any]:
        if self._columns is None:
            return self._plan.column(name, self._row)  # type: ignore[union-attr, arg-type]
        return list(getattr(self._columns, name))

    # -- the lists ------------------------------------------------------------------------------------------------

    @property
    def ids(self) -> list[int]:
        """The ids."""
        if self._columns is None:
            return self._plan.ids(self._row)  # type: ignore[union-attr, arg-type]
        return list(self._columns.ids)

    @property
    def type_ids(self) -> list[int]:
        """The type id of each token: which sequence it belongs to, by the post-processor."""
        return self._list("type_ids")

    @property
    def tokens(self) -> list[str]:
        """The tokens as strings, as the vocabulary spells them."""
        return self._list("tokens")

    @property
    def words(self) -> list[int | None]:
        """The old name of `word_ids`."""
        warnings.warn(
            "Deprecated in 0.9.4: Encoding.words is deprecated, please use Encoding.word_ids instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.word_ids

    @property
    def word_ids(self) -> list[int | None]:
        """The number of each token's word in its sequence; `None` for special tokens and padding."""
        return self._list("words")

    @property
    def sequence_ids(self) -> list[int | None]:
        """The number of each token's sequence; `None` for special tokens and padding."""
        if self._columns is None:
            return self._plan.sequence_ids(self._row)  # type: ignore[union-attr, arg-type]
        found: list[int | None] = [None] * len(self)
        for sequence in range(self.n_sequences):
            begin, end = self._range(sequence)
            found[begin:end] = [sequence] * (end - begin)
        return found

    @property
    def offsets(self) -> list[Offsets]:
        """Begin and end of each token in its sequence, in characters; (0, 0) for special tokens and padding."""
        return self._list("offsets")

    @property
    def special_tokens_mask(self) -> list[int]:
        """1 for tokens that the post-processor or padding has added, 0 for others."""
        return self._list("special_tokens_mask")

    @property
    def attention_mask(self) -> list[int]:
        """0 for padding, 1 for other tokens."""
        return self._list("attention_mask")

    @property
    def overflowing(self) -> list[Encoding]:
        """What truncation has cut away, as encodings of their own."""
        if self._columns is None:
            assert self._plan is not None
            assert self._row is not None
            if not self._plan.overflows(self._row):
                return []
        return [encoding.copy() for encoding in self.written().overflowing]

    @property
    def n_sequences(self) -> int:
        """How many sequences there are."""
        if self._columns is None:
            return self._plan.n_sequences(self._row)  # type: ignore[union-attr, arg-type]
        return len(self._columns.ranges) or 1

    def __len__(self) -> int:
        if self._columns is None:
            return self._plan.length(self._row)  # type: ignore[union-attr, arg-type]
        return len(self._columns.ids)

    # -- mappings -------------------------------------------------------------------------------------------------

    def _range(self, sequence_index: int) -> tuple[int, int]:
        columns = self.written()
        return columns.ranges.get(sequence_index, (0, len(columns.ids)))

    def word_to_tokens(self, word_index: int, sequence_index: int = 0) -> tuple[int, int] | None:
        """First token of a word, and one past its last."""
        _check_index(word_index, sequence_index)
        begin, end = self._range(sequence_index)
        first = last = None
        for index, word in enumerate(self.written().words[begin:end], begin):
            if word is not None and word > word_index:
                break
            if word == word_index:
                first = index if first is None else first
                last = index + 1
        return None if first is None or last is None else (first, last)

    def word_to_chars(self, word_index: int, sequence_index: int = 0) -> Offsets | None:
        """Begin and end of a word in its sequence."""
        tokens = self.word_to_tokens(word_index, sequence_index)
        if tokens is None:
            return None
        offsets = self.written().offsets
        return offsets[tokens[0]][0], offsets[tokens[1] - 1][1]

    def token_to_sequence(self, token_index: int) -> int | None:
        """The sequence that a token belongs to."""
        _check_index(token_index)
        columns = self.written()
        if token_index > len(columns.ids):
            return None
        if not columns.ranges:
            return 0
        return next((n for n, (begin, end) in columns.ranges.items() if begin <= token_index < end), None)

    def token_to_chars(self, token_index: int) -> Offsets | None:
        """Begin and end of a token in its sequence."""
        offsets = self.written().offsets
        if self.token_to_sequence(token_index) is None or token_index >= len(offsets):
            return None
        return offsets[token_index]

    def token_to_word(self, token_index: int) -> int | None:
        """The word that a token belongs to."""
        words = self.written().words
        if self.token_to_sequence(token_index) is None or token_index >= len(words):
            return None
        return words[token_index]

    def char_to_token(self, char_pos: int, sequence_index: int = 0) -> int | None:
        """The first token that spans a character."""
        _check_index(char_pos, sequence_index)
        first, last = self._range(sequence_index)
        spans = enumerate(self.written().offsets[first:last], first)
        return next((index for index, (begin, end) in spans if begin <= char_pos < end), None)

    def char_to_word(self, char_pos: int, sequence_index: int = 0) -> int | None:
        """The word that a character belongs to."""
        token = self.char_to_token(char_pos, sequence_index)
        return None if token is None else self.token_to_word(token)

    # -- changing it ----------------------------------------------------------------------------------------------

    def set_sequence_id(self, sequence_id: int) -> None:
        """Makes all tokens those of this sequence."""
        columns = self.written()
        columns.ranges[sequence_id] = (0, len(columns.ids))

    def pad(self, length: int, **options: Any) -> None:
        """Fills up to `length` tokens, its overflowing encodings too.

        Options are `direction` ("right"), `pad_id` (0), `pad_type_id` (0) and `pad_token` ("[PAD]").
        """
        settings = {"direction": "right", "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
        for name, value in options.items():
            if name not in settings:
                print(f"Ignored unknown kwarg option {name}")
            settings[name] = value
        if settings["direction"] not in ("left", "right"):
            raise ValueError(f"Unknown `direction`: `{settings['direction']}`. Use one of `left` or `right`")
        self.fill(length, settings)

    def fill(self, length: int, settings: dict[str, Any]) -> None:
        """`pad` with settings that are known to be good."""
        columns = self.written()
        for encoding in columns.overflowing:
            encoding.fill(length, settings)
        missing = length - len(columns.ids)
        if missing <= 0:
            return
        left = settings["direction"] == "left"
        for name, value in padding_values(settings).items():
            known = getattr(columns, name)
            setattr(columns, name, [value] * missing + known if left else known + [value] * missing)
        if left:
            columns.ranges = {n: (begin + missing, end + missing) for n, (begin, end) in columns.ranges.items()}

    def truncate(self, max_length: int, stride: int = 0, direction: str = "right") -> None:
        """Cuts to `max_length` tokens; what is cut away becomes `overflowing`, in windows that overlap by `stride`."""
        if direction not in ("left", "right"):
            raise ValueError(f"Invalid truncation direction value : {direction}")
        _check_index(max_length, stride)
        self.cut(max_length, stride, direction)

    def cut(self, max_length: int, stride: int, direction: str) -> None:
        """`truncate` with settings that are known to be good."""
        columns = self.written()
        windows = truncation_windows(len(columns.ids), max_length, stride, direction)
        if windows is None:
            return
        if max_length == 0:
            self._columns = Columns()
            self._columns.overflowing = [Encoding.of(columns)]
            return
        self._columns = columns.part(*windows[0])
        self._columns.overflowing = [Encoding.of(columns.part(*window)) for window in windows[1:]]

    @staticmethod
    def merge(encodings: Sequence[Encoding], growing_offsets: bool = True) -> Encoding:
        """One encoding after the other; offsets begin where those before end, or with each at 0."""
        merged = Encoding()
        for encoding in encodings:
            merged.append(encoding.copy(), growing_offsets)
        return merged

    def append(self, other: Encoding, growing_offsets: bool) -> None:
        """Puts another encoding behind, and each overflow of one behind or before each of the other."""
        columns, more = self.written(), other.written()
        overflowing = []
        for before in columns.overflowing:
            for behind in [other, *more.overflowing]:
                overflowing.append(_joined(before, behind, growing_offsets))
        for behind in more.overflowing:
            alone = Encoding.of(columns.part(0, len(columns.ids)))
            alone.written().overflowing = columns.overflowing
            alone.written().ranges = dict(columns.ranges)
            overflowing.append(_joined(alone, behind, growing_offsets))
        length = len(columns.ids)
        columns.ranges.update({n: (length + begin, length + end) for n, (begin, end) in more.ranges.items()})
        shift = columns.offsets[-1][1] if growing_offsets and columns.offsets else 0
        for name in LISTS:
            getattr(columns, name).extend(getattr(more, name))
        if shift:
            columns.offsets[length:] = [(begin + shift, end + shift) for begin, end in more.offsets]
        columns.overflowing = overflowing

    # -- being an object ------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return (
            f"Encoding(num_tokens={len(self)}, attributes=[ids, type_ids, tokens, offsets, "
            "attention_mask, special_tokens_mask, overflowing])"
        )

    def to_json(self) -> dict[str, Any]:
        """The object that the owner pickles an encoding as."""
        columns = self.written()
        document = {name: getattr(columns, name) for name in LISTS}
        document["overflowing"] = [encoding.to_json() for encoding in columns.overflowing]
        ranges = sorted(columns.ranges.items())
        document["sequence_ranges"] = {str(n): {"start": begin, "end": end} for n, (begin, end) in ranges}
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Encoding:
        """The encoding that `to_json` made an object of."""
        encoding = cls()
        columns = encoding.written()
        for name in LISTS:
            setattr(columns, name, list(document[name]))
        columns.offsets = [(begin, end) for begin, end in document["offsets"]]
        columns.overflowing = [cls.from_json(one) for one in document["overflowing"]]
        columns.ranges = {int(n): (one["start"], one["end"]) for n, one in document["sequence_ranges"].items()}
        return encoding

    def __getstate__(self) -> bytes:
        return json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":")).encode()

    def __setstate__(self, state: bytes) -> None:
        self._columns = Encoding.from_json(json.loads(state)).written()
        self._plan = self._row = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (), self.__getstate__()


def padding_values(settings: dict[str, Any]) -> dict[str, Any]:
    """What each list of an encoding is filled up with."""
    return {
        "ids": settings["pad_id"],
        "type_ids": settings["pad_type_id"],
        "tokens": settings["pad_token"],
        "words": None,
        "offsets": (0, 0),
        "special_tokens_mask": 1,
        "attention_mask": 0,
    }


def truncation_windows(length: int, max_length: int, stride: int, direction: str) -> list[tuple[int, int]] | None:
    """The windows that so many tokens are cut into, the one that is kept first; nothing where all are kept."""
    if max_length >= length:
        return None
    if max_length == 0:
        return [(0, 0), (0, length)]
    if stride >= max_length:
        raise ValueError(
            f"`stride` must be strictly less than `max_len={max_length}` (note that `max_len` may be shorter than the "
            "max length of the original model, as it subtracts the number of special characters"
        )
    windows = []
    step = max_length - stride
    if direction == "right":
        for begin in range(0, length, step):
            windows.append((begin, min(begin + max_length, length)))
            if windows[-1][1] == length:
                break
    else:
        for end in range(length, 0, -step):
            windows.append((max(end - max_length, 0), end))
            if windows[-1][0] == 0:
                break
    return windows


def _joined(before: Encoding, behind: Encoding, growing_offsets: bool) -> Encoding:
    joined = before.copy()
    joined.append(behind.copy(), growing_offsets)
    return joined


def _check_index(*values: int) -> None:
    for value in values:
        if value < 0:
            raise OverflowError("can't convert negative int to unsigned")
