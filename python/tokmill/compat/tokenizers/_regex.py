"""`Regex`, and what finds the matches of a pattern in a text."""

from __future__ import annotations

from typing import Any, final

from tokmill._tokmill import _Pattern

from ._component import string
from ._render import Tagged

__all__ = ["Regex"]


@final
class Regex:
    """A regular expression in the owner's syntax, which is Oniguruma's as far as tokmill supports it.

    Raises `TokmillError` where the pattern is wrong or not supported.
    """

    __slots__ = ("_matcher", "_pattern")

    def __init__(self, pattern: str) -> None:
        self._pattern = string(pattern)
        self._matcher = _Pattern(self._pattern)

    def __getstate__(self) -> object:
        raise TypeError("cannot pickle 'tokenizers.Regex' object")

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("cannot pickle 'tokenizers.Regex' object")


Match = tuple[int, int, bool]
"""Begin and end of a stretch of text, in characters, and whether it is a match."""


def pattern_spec(pattern: Any) -> Tagged:
    """The JSON object of a pattern."""
    if isinstance(pattern, Regex):
        return Tagged({"Regex": pattern._pattern})
    if isinstance(pattern, str):
        return Tagged({"String": string(pattern)})
    name = type(pattern).__name__
    raise TypeError(
        "failed to extract enum PyPattern ('str | tokenizers.Regex')\n"
        "- variant Str (str): TypeError: failed to extract field PyPattern::Str.0, caused by "
        f"TypeError: '{name}' object is not an instance of 'str'\n"
        "- variant Regex (tokenizers.Regex): TypeError: failed to extract field PyPattern::Regex.0, caused by "
        f"TypeError: '{name}' object is not an instance of 'Regex'"
    )


def read_pattern(spec: Any) -> Tagged:
    """A pattern as tokenizer.json holds it, once it is known to be one."""
    if isinstance(spec, dict) and len(spec) == 1:
        ((kind, content),) = spec.items()
        if kind in ("String", "Regex") and isinstance(content, str):
            return Tagged(spec)
    raise Exception('data did not match any variant of untagged enum: a pattern is {"String": ...} or {"Regex": ...}')


def stretches(pattern: Any, text: str) -> list[Match]:
    """The whole text, cut at the matches of a pattern. No text is one empty stretch; no pattern matches nothing."""
    pattern_spec(pattern)
    if not text or (not isinstance(pattern, Regex) and not pattern):
        return [(0, len(text), False)]
    found: list[Match] = []
    done = 0
    spans = pattern._matcher.matches(text) if isinstance(pattern, Regex) else _literal(pattern, text)
    for begin, end in spans:
        if done != begin:
            found.append((done, begin, False))
        found.append((begin, end, True))
        done = end
    if done != len(text):
        found.append((done, len(text), False))
    return found


def _literal(pattern: str, text: str) -> list[tuple[int, int]]:
    spans = []
    at = text.find(pattern)
    while at >= 0:
        spans.append((at, at + len(pattern)))
        at = text.find(pattern, at + len(pattern))
    return spans
