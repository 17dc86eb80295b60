"""`AddedToken`, and the tokens that were added to a tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
"""The flags of an added token, in the order of tokenizer.json."""


class AddedToken:
    """A token that is found in the text as a whole, before the model sees it.

    `single_word`: only where no word character stands beside it; `lstrip`, `rstrip`: with the white space before or
    behind it; `normalized`: in the normalised text, by its normalised content (unless said otherwise: if it is not
    special); `special`: left out by `skip_special_tokens`.
    """

    __slots__ = ("__dict__", "__weakref__", "_flags", "content", "special")

    content: str
    special: bool

    def __init__(self, content: str | None = None, **flags: bool) -> None:
        self.content = content or ""
        self.special = flags.pop("special", False)
        for name in [name for name in flags if name not in FLAGS]:
            print(f"Ignored unknown kwarg option {name}")
            del flags[name]
        self._flags = flags

    @property
    def single_word(self) -> bool:
        """Whether it is found only where no word character stands beside it."""
        return self._flags.get("single_word", False)

    @property
    def lstrip(self) -> bool:
        """Whether it takes the white space before it."""
        return self._flags.get("lstrip", False)

    @property
    def rstrip(self) -> bool:
        """Whether it takes the white space behind it."""
        return self._flags.get("rstrip", False)

    @property
    def normalized(self) -> bool:
        """Whether it is looked for in the normalised text."""
        return self._flags.get("normalized", not self.special)

    @classmethod
    def adopted(cls, value: Any) -> Any:
        """One of ours as it is, one of the owner's library made anew; anything else as it is."""
        kind = type(value)
        if isinstance(value, cls) or (kind.__module__, kind.__name__) != ("tokenizers", "AddedToken"):
            return value
        return cls(value.content, **{name: getattr(value, name) for name in FLAGS})

    def settled(self) -> AddedToken:
        """A copy whose flags do not depend on `special` any more."""
        flags = {name: getattr(self, name) for name in FLAGS}
        return AddedToken(self.content, **flags)

    def __getstate__(self) -> dict[str, Any]:
        names = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.content = state["content"]
        self.special = state["special"]
        self._flags = {name: state[name] for name in FLAGS if name != "special"}

    def __reduce__(self) -> tuple[Any, ...]:
        return AddedToken, (self.content,), self.__getstate__()

    def __str__(self) -> str:
        return self.content

    def __repr__(self) -> str:
        return (
            f'AddedToken("{self.content}", rstrip={self.rstrip}, lstrip={self.lstrip}, '
            f"single_word={self.single_word}, normalized={self.normalized}, special={self.special})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AddedToken):
            return NotImplemented
        return self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash(self.content)


class AddedVocabulary:
    """The tokens that were added to a tokenizer, and how they got their ids."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.tokens: dict[int, AddedToken] = {}
        self.special_contents: set[str] = set()
        self.revision = 0

    def add(self, tokens: Iterable[AddedToken], model_size: int, model_id: Callable[[str], int | None]) -> int:
        """Adds tokens: each has the id that its content has already, or the next free one.

        Returns how many are not empty and not there with the same flags already.
        """
        last = max(self.tokens, default=None)
        next_id = last + 1 if last is not None and (last >= model_size or model_size == 0) else model_size
        added = 0
        for given in tokens:
            token = given.settled()
            known = self.ids.get(token.content)
            if not token.content or (known is not None and self.tokens.get(known) == token):
                continue
            added += 1
            id = known if known is not None else model_id(token.content)
            if id is None:
                id, next_id = next_id, next_id + 1
            self.ids[token.content] = id
            self.tokens[id] = token
            if token.special:
                self.special_contents.add(token.content)
        self.revision += 1
        return added

    def specs(self) -> list[dict[str, Any]]:
        """The list that tokenizer.json holds, in order of id."""
        return [{"id": id, **self.tokens[id].__getstate__()} for id in sorted(self.tokens)]

    def __iter__(self) -> Iterator[tuple[int, AddedToken]]:
        return iter(sorted(self.tokens.items()))

    def copy(self) -> AddedVocabulary:
        """The same tokens, to be added to."""
        copy = AddedVocabulary()
        copy.ids = dict(self.ids)
        copy.tokens = dict(self.tokens)
        copy.special_contents = set(self.special_contents)
        copy.revision = self.revision
        return copy


def tokens_of(tokens: Any) -> list[AddedToken]:
    """The tokens that `add_tokens` is given."""
    if not isinstance(tokens, list):
        raise TypeError(f"argument 'tokens': {type(tokens).__name__!r} object is not an instance of 'list'")
    return [_as_token(token) for token in tokens]


def _as_token(token: str | AddedToken) -> AddedToken:
    token = AddedToken.adopted(token)
    if isinstance(token, AddedToken):
        return token
    if isinstance(token, str):
        return AddedToken(token)
    raise TypeError("Input must be a List[Union[str, AddedToken]]")
