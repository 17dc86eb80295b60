"""What a tokenizer is made of, read from the `tokenizer.json` that it would write."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import tokmill

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Description"]


class Description:
    """The parts of a tokenizer, by name."""

    def __init__(self, tokenizer: tokmill.Tokenizer) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._parts: dict[str, Any] = json.loads(tokenizer.to_bytes())

    @property
    def model(self) -> str:
        """The kind of the model, such as `BPE`."""
        return str(self._parts["model"]["type"])

    def kinds(self, part: str) -> str:
        """The kinds of steps of a part, such as `Split, ByteLevel`."""
        return ", ".join(step["type"] for step in self._steps(part)) or "none"

    def patterns(self) -> list[str]:
        """The regular expressions that cut the text one after the other; their name instead, where they have one."""
        known = tokmill.patterns()
        found: list[str] = []
        for step in self._steps("pre_tokenizer"):
            if step["type"] == "ByteLevel" and step.get("use_regex", True):
                found.extend(known["gpt2"])
            elif step["type"] == "Split" and "Regex" in step["pattern"]:
                found.append(step["pattern"]["Regex"])
        return next(([name] for name, expressions in known.items() if list(expressions) == found), found)

    def _steps(self, part: str) -> Iterator[dict[str, Any]]:
        def walk(step: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
            if step is None:
                return
            if step["type"] != "Sequence":
                yield step
                return
            for members in (step[name] for name in ("normalizers", "pretokenizers", "processors") if name in step):
                for member in members:
                    yield from walk(member)

        return walk(self._parts[part])
