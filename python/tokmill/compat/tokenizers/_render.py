"""How the owner prints its objects: `BertNormalizer(clean_text=True, ...)`, from the JSON they are written as.

`repr` shows a hundred elements of a list and all of a string, `str` five and a hundred bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Variant(str):
    """The name of one of several choices, which is printed without quotes."""

    __slots__ = ()


class Tagged(dict[str, Any]):
    """An object with the one field that says what kind of value it holds: printed as `String("a")`."""

    __slots__ = ()


class Struct(dict[str, Any]):
    """An object that is printed as a call of its name, which the JSON does not hold."""

    __slots__ = ("name",)

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.name = name


class Shown(dict[str, Any]):
    """An object with one field, of which only the value is printed."""

    __slots__ = ()


class Limits(NamedTuple):
    """What is left out of a printed object."""

    elements: int
    bytes: int | None


REPR = Limits(100, None)
STR = Limits(6, 100)


def render(value: Any, limits: Limits) -> str:
    """A JSON value as the owner prints it; an object with a `type` is printed as a call of that name."""
    if isinstance(value, Variant):
        return str(value)
    if isinstance(value, str):
        return _quoted(value, limits)
    if isinstance(value, Struct):
        return call(value.name, value, limits)
    if isinstance(value, Shown):
        return "".join(render(content, limits) for content in value.values())
    if isinstance(value, Tagged):
        return "".join(f"{kind}({render(content, limits)})" for kind, content in value.items())
    if isinstance(value, Mapping):
        if isinstance(value.get("type"), str):
            return call(value["type"], {name: field for name, field in value.items() if name != "type"}, limits)
        return "{" + _some([f"{render(k, limits)}:{render(v, limits)}" for k, v in value.items()], limits) + "}"
    if isinstance(value, tuple):
        return "(" + _some([render(element, limits) for element in value[: limits.elements]], limits) + ")"
    if isinstance(value, Sequence):
        return "[" + _some([render(element, limits) for element in value[: limits.elements]], limits) + "]"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return str(value)


def call(name: str, fields: Mapping[str, Any], limits: Limits) -> str:
    """An object with named fields, as the call that would make it."""
    return f"{name}(" + ", ".join(f"{key}={render(field, limits)}" for key, field in fields.items()) + ")"


def _quoted(text: str, limits: Limits) -> str:
    data = text.encode()
    if limits.bytes is None or len(data) <= limits.bytes:
        return f'"{text}"'
    return f'"{data[: limits.bytes].decode(errors="ignore")}..."'


def _some(elements: list[str], limits: Limits) -> str:
    if len(elements) < limits.elements:
        return ", ".join(elements)
    return ", ".join([*elements[: limits.elements - 1], "..."])
