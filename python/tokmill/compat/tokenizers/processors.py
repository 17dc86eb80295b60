"""The post-processors: what puts special tokens around sequences and trims offsets."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from typing import Any, ClassVar

from ._batch import Layout, Place, sequence, spaces_around, special, trimmed
from ._component import Component, Field, Steps, boolean, string, unsigned
from ._encoding import LISTS, Columns, Encoding
from ._render import Shown, Struct, Variant

__all__ = ["BertProcessing", "ByteLevel", "PostProcessor", "RobertaProcessing", "Sequence", "TemplateProcessing"]


class PostProcessor(Component):
    """Base of the post-processors."""

    kind: ClassVar[str] = "PostProcessor"

    def num_special_tokens_to_add(self, is_pair: bool) -> int:
        """How many special tokens are put around a sequence or a pair."""
        return 0

    def process(self, encoding: Encoding, pair: Encoding | None = None, add_special_tokens: bool = True) -> Encoding:
        """The encoding of one sequence or two, with special tokens around them."""
        parts = [encoding.copy()] if pair is None else [encoding.copy(), pair.copy()]
        return process(self, parts, add_special_tokens)

    def _run(self, encodings: list[Encoding], add_special_tokens: bool) -> list[Encoding]:
        """What becomes of the encodings of the sequences, which may be changed."""
        raise NotImplementedError

    def _layout(self, pair: bool, add_special_tokens: bool) -> Layout | None:
        """What `_run` does, where it does nothing but put special tokens around sequences and trim offsets."""
        raise NotImplementedError

    @classmethod
    def _told_by(cls, spec: Mapping[str, Any]) -> str:
        if "single" in spec:
            return "TemplateProcessing"
        if "processors" in spec:
            return "Sequence"
        if "sep" in spec:
            return "RobertaProcessing" if "trim_offsets" in spec else "BertProcessing"
        return "ByteLevel" if "trim_offsets" in spec else ""


def process(processor: PostProcessor | None, parts: list[Encoding], add_special_tokens: bool) -> Encoding:
    """Runs a post-processor on the encodings of one sequence or two, which may be changed."""
    if processor is None:
        if len(parts) == 1:
            return parts[0]
        merged = Encoding()
        for number, part in enumerate(parts):
            part.set_sequence_id(number)
            merged.append(part, False)
        return merged
    for number, part in enumerate(parts):
        for encoding in [part, *part.written().overflowing]:
            encoding.set_sequence_id(number)
        part.written().type_ids = [number] * len(part)
    return Encoding.merge(processor._run(parts, add_special_tokens), growing_offsets=False)


def layout(
    processor: PostProcessor | None, pair: bool, add_special_tokens: bool, *, typed: bool = True
) -> Layout | None:
    """What stands around the sequences of a row; nothing where that cannot be said once for all.

    Without a post-processor, all tokens are of type 0 unless they are `typed` by their sequence.
    """
    if processor is not None:
        return processor._layout(pair, add_special_tokens)
    places = [sequence(0, 0), sequence(1, int(typed))] if pair else [sequence(0, 0)]
    return Layout(tuple(places), (), pair)


def _plain(pair: bool, trims: tuple[bool, ...] = ()) -> Layout:
    """Sequences and nothing around them, as post-processors leave them."""
    return Layout(tuple(sequence(number, number) for number in range(1 + pair)), trims, True)


def _trim(encodings: list[Encoding], keeps_blank: bool) -> None:
    """Takes white space out of the offsets."""
    for encoding in [part for whole in encodings for part in [whole, *whole.written().overflowing]]:
        columns = encoding.written()
        for index, token in enumerate(columns.tokens):
            leading, trailing = spaces_around(token)
            if leading or trailing:
                columns.offsets[index] = trimmed(
                    columns.offsets[index], leading, trailing, first=index == 0, keeps_blank=keeps_blank
                )


def _pair(value: Any) -> tuple[str, int]:
    token, id = value
    return string(token), unsigned(id)


class _Ends(PostProcessor):
    """What the post-processors of BERT and RoBERTa have in common: special tokens at the ends of each sequence."""

    sep: Any
    cls: Any

    def _wrap(self, encoding: Encoding, number: int, begin: tuple[str, int] | None, type_ids: list[int]) -> Encoding:
        """An encoding between special tokens; its overflowing ones are the caller's."""
        columns = encoding.written()
        head = [] if begin is None else [begin]
        token, id = self.sep
        count = len(columns.ids)
        wrapped = Columns()
        wrapped.ids = [*[id for _, id in head], *columns.ids, id]
        wrapped.type_ids = type_ids
        wrapped.tokens = [*[token for token, _ in head], *columns.tokens, token]
        wrapped.words = [*[None for _ in head], *columns.words, None]
        wrapped.offsets = [*[(0, 0) for _ in head], *columns.offsets, (0, 0)]
        wrapped.special_tokens_mask = [*[1 for _ in head], *[0] * count, 1]
        wrapped.attention_mask = [1] * len(wrapped.ids)
        wrapped.ranges = {number: (len(head), len(head) + count)}
        return Encoding.of(wrapped)

    def _around(self, encodings: list[Encoding]) -> list[Encoding]:
        """Each encoding and its overflowing ones between special tokens."""
        found = []
        for number, encoding in enumerate(encodings):
            whole = self._ended(encoding, int(number > 0))
            overflowing = [self._ended(one, int(number > 0)) for one in encoding.written().overflowing]
            whole.written().overflowing = overflowing
            found.append(whole)
        return found

    def _ended(self, encoding: Encoding, number: int) -> Encoding:
        raise NotImplementedError


class BertProcessing(_Ends):
    """`cls A sep`, or `cls A sep B sep` with type id 1 for B and what follows it."""

    type_name: ClassVar[str] = "BertProcessing"

    sep = Field("sep", _pair)
    cls = Field("cls", _pair)

    def __init__(self, sep: tuple[str, int], cls_token: tuple[str, int]) -> None:
        self._begin(sep=_pair(sep), cls=_pair(cls_token))

    def num_special_tokens_to_add(self, is_pair: bool) -> int:
        """How many special tokens are put around a sequence or a pair."""
        return 3 if is_pair else 2

    def _ended(self, encoding: Encoding, number: int) -> Encoding:
        types = encoding.written().type_ids
        if number:
            return self._wrap(encoding, 1, None, [*types, 1])
        return self._wrap(encoding, 0, self.cls, [0, *types, 0])

    def _run(self, encodings: list[Encoding], add_special_tokens: bool) -> list[Encoding]:
        return self._around(encodings) if add_special_tokens else encodings

    def _layout(self, pair: bool, add_special_tokens: bool) -> Layout | None:
        if not add_special_tokens:
            return _plain(pair)
        places = [_special(self.cls, 0), sequence(0, 0), _special(self.sep, 0)]
        if pair:
            places += [sequence(1, 1), _special(self.sep, 1)]
        return Layout(tuple(places), (), True)


class RobertaProcessing(_Ends):
    """`cls A sep`, or `cls A sep sep B sep`, all with type id 0.

    Takes white space out of offsets where `trim_offsets`, but for a blank at the beginning where `add_prefix_space`.
    """

    type_name: ClassVar[str] = "RobertaProcessing"

    sep = Field("sep", _pair)
    cls = Field("cls", _pair)
    trim_offsets = Field("trim_offsets", boolean)
    add_prefix_space = Field("add_prefix_space", boolean)

    def __init__(
        self,
        sep: tuple[str, int],
        cls_token: tuple[str, int],
        trim_offsets: bool = True,
        add_prefix_space: bool = True,
    ) -> None:
        self._begin(
            sep=_pair(sep),
            cls=_pair(cls_token),
            trim_offsets=boolean(trim_offsets),
            add_prefix_space=boolean(add_prefix_space),
        )

    def num_special_tokens_to_add(self, is_pair: bool) -> int:
        """How many special tokens are put around a sequence or a pair."""
        return 4 if is_pair else 2

    def _ended(self, encoding: Encoding, number: int) -> Encoding:
        return self._wrap(encoding, number, self.sep if number else self.cls, [0] * (len(encoding) + 2))

    def _run(self, encodings: list[Encoding], add_special_tokens: bool) -> list[Encoding]:
        if self.trim_offsets:
            _trim(encodings, self.add_prefix_space)
        for encoding in encodings:
            encoding.written().type_ids = [0] * len(encoding)
        return self._around(encodings) if add_special_tokens else encodings

    def _layout(self, pair: bool, add_special_tokens: bool) -> Layout | None:
        trims = (self.add_prefix_space,) if self.trim_offsets else ()
        places = [sequence(0, 0), sequence(1, 0)][: 1 + pair]
        if add_special_tokens:
            ends = [[_special(self.cls, 0), _special(self.sep, 0)], [_special(self.sep, 0), _special(self.sep, 0)]]
            places = [place for (begin, end), inner in zip(ends, places, strict=False) for place in (begin, inner, end)]
        return Layout(tuple(places), trims, True)


class ByteLevel(PostProcessor):
    """Takes white space out of offsets where `trim_offsets`.

    A blank at the beginning stays where `add_prefix_space`.
    """

    type_name: ClassVar[str] = "ByteLevel"

    add_prefix_space = Field("add_prefix_space", boolean)
    trim_offsets = Field("trim_offsets", boolean)
    use_regex = Field("use_regex", boolean, True)

    def __init__(
        self,
        add_prefix_space: bool | None = None,
        trim_offsets: bool | None = None,
        use_regex: bool | None = None,
        **_ignored: Any,
    ) -> None:
        self._begin(
            add_prefix_space=add_prefix_space is None or boolean(add_prefix_space),
            trim_offsets=trim_offsets is None or boolean(trim_offsets),
            use_regex=use_regex is None or boolean(use_regex),
        )

    def _run(self, encodings: list[Encoding], add_special_tokens: bool) -> list[Encoding]:
        if self.trim_offsets:
            _trim(encodings, self.add_prefix_space)
        for number, encoding in enumerate(encodings):
            encoding.set_sequence_id(number)
        return encodings

    def _layout(self, pair: bool, add_special_tokens: bool) -> Layout | None:
        return _plain(pair, (self.add_prefix_space,) if self.trim_offsets else ())


Piece = tuple[str, str, int]
"""A place of a template: "Sequence" or "SpecialToken", its name, its type id."""


def _piece(text: str) -> Piece:
    """A place as it is written in a template."""
    error = ValueError(f'Cannot build Piece from string "{text}"')
    name, *types = string(text).split(":")
    if len(types) > 1 or any(not _is_number(type_id) for type_id in types):
        raise error
    type_id = int(types[0]) if types else 0
    if not name.startswith("$"):
        return "SpecialToken", name, type_id
    match name[1:]:
        case "" | "A" | "a":
            return "Sequence", "A", type_id
        case "B" | "b":
            return "Sequence", "B", type_id
        case number if _is_number(number):
            return "Sequence", "A", type_id if types else int(number)
    raise error


def _is_number(text: str) -> bool:
    return text.removeprefix("+").isascii() and text.removeprefix("+").isdecimal() and int(text) < 1 << 32


def _template(value: Any) -> list[Piece]:
    """A template as it is written, or as tokenizer.json holds it."""
    if isinstance(value, str):
        value = value.split(" ")
    if not isinstance(value, list | tuple):
        raise TypeError("Expected Union[str, List[str]]")
    pieces = []
    for piece in value:
        if isinstance(piece, str):
            pieces.append(_piece(piece))
        else:
            ((form, fields),) = piece.items()
            pieces.append((form, fields["id"], fields["type_id"]))
    return pieces


def _special_tokens(value: Any) -> dict[str, dict[str, Any]]:
    """Special tokens by name.

    They come as `(name, id)`, `(id, name)` or `{"id": name, "ids": ids, "tokens": tokens}`, or as tokenizer.json has
    them.
    """
    found: dict[str, dict[str, Any]] = {}
    for token in value.values() if isinstance(value, dict) else value:
        if isinstance(token, dict):
            for name in ("id", "ids", "tokens"):
                if name not in token:
                    raise ValueError(f"`{name}` must be specified")
            one: dict[str, Any] = {
                "id": string(token["id"]),
                "ids": list(token["ids"]),
                "tokens": list(token["tokens"]),
            }
            if len(one["ids"]) != len(one["tokens"]):
                raise ValueError("SpecialToken: ids and tokens must be of the same length")
        elif isinstance(token, tuple | list) and len(token) == 2:
            name, id = token if isinstance(token[0], str) else (token[1], token[0])
            one = {"id": string(name), "ids": [unsigned(id)], "tokens": [name]}
        else:
            raise TypeError("Expected Union[Tuple[str, int], Tuple[int, str], dict]")
        found[one["id"]] = one
    return found


class TemplateProcessing(PostProcessor):
    """Special tokens around a sequence (`single`) or a pair.

    A template is a text of places between blanks, or a list of them: `$A` and `$B` are the sequences, anything else is
    a special token; a type id may follow behind a colon. `special_tokens` gives their ids.
    """

    type_name: ClassVar[str] = "TemplateProcessing"

    _single = Field("single", _template)
    _pair = Field("pair", _template)
    _special_tokens = Field("special_tokens", _special_tokens)

    def __init__(self, single: Any = None, pair: Any = None, special_tokens: Any = None) -> None:
        fields: dict[str, Any] = {
            "single": _template("$0" if single is None else single),
            "pair": _template("$A:0 $B:1" if pair is None else pair),
            "special_tokens": _special_tokens(special_tokens or []),
        }
        if pair is not None and not {("Sequence", "A"), ("Sequence", "B")} <= {piece[:2] for piece in fields["pair"]}:
            raise ValueError("Template for `pair` must use both sequences")
        given = [*(fields["single"] if single is not None else []), *(fields["pair"] if pair is not None else [])]
        named = dict.fromkeys(name for form, name, _ in given if form == "SpecialToken")
        missing = [name for name in named if name not in fields["special_tokens"]]
        if missing:
            raise ValueError(f"Missing SpecialToken(s) with id(s) `{', '.join(missing)}`")
        self._begin(**fields)

    @property
    def single(self) -> str:
        """The template for one sequence."""
        pieces = [
            f"Sequence {{ id: {name}, type_id: {type_id} }}"
            if form == "Sequence"
            else f'SpecialToken {{ id: "{name}", type_id: {type_id} }}'
            for form, name, type_id in self._fields["single"]
        ]
        return f"Template([{', '.join(pieces)}])"

    @single.setter
    def single(self, single: Any) -> None:
        self._fields["single"] = _template(single)
        self._touch()

    def _pieces(self, pair: bool) -> list[Piece]:
        pieces: list[Piece] = self._fields["pair" if pair else "single"]
        return pieces

    def _token(self, name: str) -> dict[str, Any]:
        tokens: dict[str, dict[str, Any]] = self._fields["special_tokens"]
        if name not in tokens:
            raise ValueError(f"Missing SpecialToken(s) with id(s) `{name}`")
        return tokens[name]

    def spec(self) -> dict[str, Any]:
        """The JSON object of tokenizer.json."""

        def template(pieces: list[Piece]) -> list[dict[str, Any]]:
            return [
                Shown({form: Struct(form, {"id": Variant(name) if form == "Sequence" else name, "type_id": type_id})})
                for form, name, type_id in pieces
            ]

        tokens = sorted(self._fields["special_tokens"].items())
        return {
            "type": self.type_name,
            "single": template(self._fields["single"]),
            "pair": template(self._fields["pair"]),
            "special_tokens": {name: Struct("SpecialToken", token) for name, token in tokens},
        }

    def num_special_tokens_to_add(self, is_pair: bool) -> int:
        """How many special tokens are put around a sequence or a pair."""
        specials = [name for form, name, _ in self._pieces(is_pair) if form == "SpecialToken"]
        tokens = self._fields["special_tokens"]
        return sum(len(tokens[name]["ids"]) for name in specials if name in tokens)

    def _run(self, encodings: list[Encoding], add_special_tokens: bool) -> list[Encoding]:
        found = []
        for form, name, type_id in self._pieces(len(encodings) == 2):
            if form == "Sequence":
                number = int(name != "A")
                encoding = encodings[number]
                encoding.written().type_ids = [type_id] * len(encoding)
                encoding.set_sequence_id(number)
                found.append(encoding.copy())
            elif add_special_tokens:
                found.append(_alone(special(*self._ids(name), type_id)))
        return found

    def _ids(self, name: str) -> tuple[list[int], list[str]]:
        token = self._token(name)
        return token["ids"], token["tokens"]

    def _layout(self, pair: bool, add_special_tokens: bool) -> Layout | None:
        places = []
        for form, name, type_id in self._pieces(pair):
            if form == "Sequence":
                places.append(sequence(int(name != "A"), type_id))
            elif add_special_tokens:
                places.append(special(*self._ids(name), type_id))
        numbers = sorted(place.sequence for place in places if place.sequence is not None)
        return Layout(tuple(places), (), True) if numbers == list(range(1 + pair)) else None


def _alone(place: Place) -> Encoding:
    columns = Columns()
    count = len(place.ids)
    values = {"type_ids": place.type_id, "words": None, "offsets": (0, 0)}
    for name in LISTS:
        setattr(columns, name, [values.get(name, 1)] * count)
    columns.ids, columns.tokens = list(place.ids), list(place.tokens)
    return Encoding.of(columns)


def _special(token: tuple[str, int], type_id: int) -> Place:
    return special([token[1]], [token[0]], type_id)


class Sequence(Steps, PostProcessor):
    """Post-processors one after the other."""

    type_name: ClassVar[str] = "Sequence"
    steps_key: ClassVar[str] = "processors"

    def __init__(self, processors: list[PostProcessor]) -> None:
        self._begin_steps(processors)

    def _processors(self) -> Items[PostProcessor]:
        return [step for step in self.steps if isinstance(step, PostProcessor)]

    def num_special_tokens_to_add(self, is_pair: bool) -> int:
        """How many special tokens are put around a sequence or a pair."""
        return sum(step.num_special_tokens_to_add(is_pair) for step in self._processors())

    def _run(self, encodings: list[Encoding], add_special_tokens: bool) -> list[Encoding]:
        for step in self._processors():
            encodings = step._run(encodings, add_special_tokens)
        return encodings

    def _layout(self, pair: bool, add_special_tokens: bool) -> Layout | None:
        found: Layout | None = _plain(pair)
        trims: tuple[bool, ...] = ()
        for index, step in enumerate(self._processors()):
            last = index + 1 == len(self.steps)
            if not last and not isinstance(step, ByteLevel):
                return None
            found = step._layout(pair, add_special_tokens)
            if found is None:
                return None
            trims += found.trims
        return None if found is None else found._replace(trims=trims)
