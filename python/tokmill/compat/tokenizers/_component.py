"""What all components have in common: a specification, live fields, printing, pickling.

A component is the JSON object that tokenizer.json holds for it, with a class around. Whoever compiles components asks
for `revision`, which is another one after each change of the component or of anything in it, whoever made the change:
references are live, as the owner's are.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, final

from ._render import REPR, STR, render

_stamps = itertools.count(1)


def dumps(value: Any) -> str:
    """Compact JSON, as the owner writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Component:
    """Base of the normalizers, pretokenizers, models, post-processors and decoders.

    A kind of component (`Normalizer`, ...) is a subclass that states `kind`. Its own subclasses state `type_name`, the
    name in tokenizer.json, and describe their fields with `Field`.
    """

    kind: ClassVar[str] = "Component"
    """The owner's name for components of this kind, for messages."""
    type_name: ClassVar[str]
    """The `type` of the JSON object."""
    registry: ClassVar[dict[str, type[Component]]]
    """The classes of this kind, by `type_name`."""

    _fields: dict[str, Any]
    _stamp: int

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "kind" in cls.__dict__:
            cls.registry = {}
        elif "type_name" in cls.__dict__:
            cls.registry[cls.type_name] = cls

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(f"cannot create '{type(self).__module__}.{type(self).__name__}' instances")

    def _begin(self, **fields: Any) -> None:
        """Sets the fields, in the order of the JSON object."""
        self._fields = fields
        self._touch()

    @classmethod
    def _kind_class(cls) -> type[Component]:
        """The class of all components of this kind."""
        return next(base for base in cls.__mro__ if "registry" in vars(base))

    def _copy(self) -> Component:
        """A component with the same fields."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._begin(**self._fields)
        return copy

    def _touch(self) -> None:
        """Says that something has changed."""
        self._stamp = next(_stamps)

    @property
    def revision(self) -> int:
        """A number that is another one after each change of this component or of what it contains."""
        return self._stamp

    @property
    def is_custom(self) -> bool:
        """Whether this component is made in Python, or contains one that is: the core cannot compile it."""
        return False

    def spec(self) -> dict[str, Any]:
        """The JSON object of tokenizer.json; raises where a component is made in Python."""
        return {"type": self.type_name, **self._fields}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Self:
        """The component of a JSON object; one of another kind, or with wrong fields, is refused."""
        if not isinstance(spec, Mapping):
            raise Exception(f"data did not match any variant of untagged enum {cls.kind}Wrapper")
        name = spec.get("type") or cls._told_by(spec)
        found = cls.registry.get(name)
        if found is None:
            raise Exception(f"data did not match any variant of untagged enum {cls.kind}Wrapper: {name!r} is not known")
        component = found.__new__(found)
        component._read(spec)
        assert isinstance(component, cls)
        return component

    @classmethod
    def adopted(cls, value: Any) -> Any:
        """A component of this kind as it is, one of the owner's library as one of ours; anything else as it is."""
        names = {f"{base.__module__}.{base.__name__}" for base in type(value).__mro__}
        if not isinstance(value, cls) and any(
            name.startswith("tokenizers.") and name.endswith(f".{cls.kind}") for name in names
        ):
            return cls.from_spec(json.loads(value.__getstate__()))
        return value

    @classmethod
    def _told_by(cls, spec: Mapping[str, Any]) -> str:
        """The type of a JSON object that does not state it."""
        return ""

    def _read(self, spec: Mapping[str, Any]) -> None:
        """Takes the fields of a JSON object."""
        descriptors = {name: field for base in type(self).__mro__ for name, field in vars(base).items()}
        fields = {field.key: field.read(spec, self.kind) for field in descriptors.values() if isinstance(field, Field)}
        self._begin(**fields)

    def __getstate__(self) -> bytes:
        try:
            return dumps(self.spec()).encode()
        except Exception as error:
            raise Exception(f"Error while attempting to pickle {self.kind}: {error}") from None

    def __setstate__(self, state: bytes) -> None:
        if not isinstance(state, bytes):
            raise TypeError(f"'{type(state).__name__}' object is not an instance of 'bytes'")
        try:
            self._read(json.loads(state))
        except Exception as error:
            raise Exception(f"Error while attempting to unpickle {self.kind}: {error}") from None

    def __repr__(self) -> str:
        return render(self.spec(), REPR)

    def __str__(self) -> str:
        return render(self.spec(), STR)


@final
class Field:
    """An attribute that is a field of the JSON object: checked when it is set, and live."""

    def __init__(self, key: str, check: Callable[[Any], Any], default: Any = ..., *, show: Any = None) -> None:
        """`key` is the JSON name, `default` what a missing field stands for, `show` what makes the attribute."""
        self.key = key
        self.check = check
        self.default = default
        self.show = show

    def __get__(self, component: Component | None, owner: type) -> Any:
        if component is None:
            return self
        value = component._fields[self.key]
        return value if self.show is None else self.show(value)

    def __set__(self, component: Component, value: Any) -> None:
        component._fields[self.key] = self.check(value)
        component._touch()

    def read(self, spec: Mapping[str, Any], kind: str) -> Any:
        """The value in a JSON object."""
        if self.key in spec:
            return self.check(spec[self.key])
        if self.default is ...:
            raise Exception(
                f"data did not match any variant of untagged enum {kind}Wrapper: missing field `{self.key}`"
            )
        return self.default


def called(value: Any) -> str:
    """What messages call a value of the wrong type."""
    return "'None'" if value is None else f"'{type(value).__name__}' object"


def boolean(value: Any) -> bool:
    """A bool, and no other truth."""
    if not isinstance(value, bool):
        raise TypeError(f"{called(value)} is not an instance of 'bool'")
    return value


def optional_boolean(value: Any) -> bool | None:
    """A bool or nothing."""
    return None if value is None else boolean(value)


def string(value: Any) -> str:
    """A string of Unicode text."""
    if not isinstance(value, str):
        raise TypeError(f"{called(value)} is not an instance of 'str'")
    value.encode()
    return value


def character(value: Any) -> str:
    """A string of one character."""
    if len(string(value)) != 1:
        raise ValueError("expected a string of length 1")
    return str(value)


def unsigned(value: Any) -> int:
    """A number that is not negative."""
    number = value.__index__() if hasattr(value, "__index__") else None
    if number is None:
        raise TypeError(f"'{type(value).__name__}' object cannot be interpreted as an integer")
    if number < 0:
        raise OverflowError("can't convert negative int to unsigned")
    return int(number)


def instance(value: Any, kind: type) -> Any:
    """An instance of a class, or a `TypeError` in the owner's words."""
    if not isinstance(value, kind):
        raise TypeError(f"{called(value)} is not an instance of '{kind.__name__}'")
    return value


class Slot:
    """A place in a sequence. Sequences that are made of one another share their places, as the owner's do."""

    __slots__ = ("component", "stamp")

    def __init__(self, component: Component) -> None:
        self.component = component
        self.stamp = 0

    @property
    def revision(self) -> int:
        """Changes when the component does, and when another takes its place."""
        return max(self.stamp, self.component.revision)

    def replace(self, component: Component) -> None:
        """Puts a copy of a component here."""
        self.component = component._copy()
        self.stamp = next(_stamps)


class Steps(Component):
    """What components have in common that run others one after the other. A subclass is a `Sequence` of one kind.

    A sequence in a sequence is laid flat.
    """

    steps_key: ClassVar[str]
    """The field of the JSON object."""

    _slots: list[Slot]

    @property
    def revision(self) -> int:
        return max([self._stamp, *[slot.revision for slot in self._slots]])

    @property
    def is_custom(self) -> bool:
        return any(slot.component.is_custom for slot in self._slots)

    @property
    def steps(self) -> list[Component]:
        """The components, in order."""
        return [slot.component for slot in self._slots]

    def _begin_steps(self, components: Any) -> None:
        if not isinstance(components, list):
            raise TypeError(f"'{type(components).__name__}' object is not an instance of 'list'")
        self._slots = []
        for component in components:
            instance(component, self._kind_class())
            self._slots.extend(component._slots if isinstance(component, Steps) else [Slot(component)])
        self._begin()

    def spec(self) -> dict[str, Any]:
        return {"type": self.type_name, self.steps_key: [step.spec() for step in self.steps]}

    def _read(self, spec: Mapping[str, Any]) -> None:
        steps = spec.get(self.steps_key)
        if not isinstance(steps, list):
            raise Exception(f"data did not match any variant of untagged enum {self.kind}Wrapper")
        self._begin_steps([self._kind_class().from_spec(step) for step in steps])

    def _copy(self) -> Component:
        copy = type(self).__new__(type(self))
        copy._slots = [Slot(step._copy()) for step in self.steps]
        copy._begin()
        return copy

    def _slot(self, index: int) -> Slot:
        number = unsigned(index)
        if number >= len(self._slots):
            raise IndexError("Index not found")
        return self._slots[number]

    def __getitem__(self, index: int) -> Any:
        return self._slot(index).component

    def __setitem__(self, index: int, value: Any) -> None:
        if isinstance(instance(value, self._kind_class()), Steps):
            raise Exception(self._nested_message)
        self._slot(index).replace(value)

    _nested_message: ClassVar[str] = "component should not be a sequence"
