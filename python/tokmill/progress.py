"""How far work has come: a bar where somebody sees it, lines of JSON, or a function.

A bar is tqdm's where that is installed, else one plain line. It is shown on a terminal and in a notebook; in a pipe
there is silence.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

from tokmill._tokmill import TokmillError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["Bar", "JsonLines", "Phases", "Progress", "Tell", "showing"]

Tell: TypeAlias = "Callable[[str, int, int | None], object]"
"""Called with the phase ("count", "encode", "merge", "seed" or "prune"), what is done of it (bytes, merges, or pieces),
and the total where it is known."""

Progress: TypeAlias = "Literal['bar', 'json'] | bool | Tell"
"""`"bar"`, or true: a bar on a terminal or in a notebook. `"json"`: lines of JSON on standard error, with `phase`,
`done`, `total` (or null) and `seconds` since the beginning. Or a function, called now and then."""

_SECONDS_BETWEEN_UPDATES = 0.1


@contextmanager
def showing(progress: Progress | None) -> Iterator[Tell | None]:
    """What a trainer is to call, if anything; bars are closed at the end."""
    if progress is None or progress is False:
        yield None
    elif progress is True or progress == "bar":
        with Phases() as phases:
            yield phases.update
    elif progress == "json":
        with JsonLines() as lines:
            yield lines.update
    elif callable(progress):
        yield progress
    else:
        raise TokmillError(f'option progress: {progress!r} is neither "bar" nor "json" nor a function')


class _Bar(Protocol):
    def update(self, n: float) -> object: ...

    def close(self) -> None: ...


class Bar:
    """Shows how much of a known or unknown total is done, as a context manager; bytes unless `unit` says else."""

    def __init__(self, description: str, total: int | None, *, unit: str = "B") -> None:
        self._shown = 0
        self._bar = _bar(description, total, unit) if sys.stderr.isatty() or _in_notebook() else None

    def __enter__(self) -> Self:
        return self

    def update(self, position: int) -> None:
        """Tells how much is done."""
        if self._bar is not None and position > self._shown:
            self._bar.update(position - self._shown)
            self._shown = position

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


class Phases:
    """A bar for each phase of a training, as its progress callback; a context manager."""

    def __init__(self) -> None:
        self._phase: str | None = None
        self._bars = ExitStack()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        return self

    def update(self, phase: str, done: int, total: int | None) -> None:
        """Tells how much of a phase is done: bytes counted or encoded, merges made, or pieces removed."""
        if self._bar is None or phase != self._phase:
            self._bars.close()
            self._phase = phase
            unit = {"merge": " merges", "prune": " pieces", "seed": ""}.get(phase, "B")
            self._bar = self._bars.enter_context(Bar(phase, total, unit=unit))
        self._bar.update(done)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.close()


class JsonLines:
    """A line of JSON on standard error ten times a second, and for the end of each phase; a context manager."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._written = 0.0
        self._last: tuple[str, int, int | None] | None = None

    def __enter__(self) -> Self:
        return self

    def update(self, phase: str, done: int, total: int | None) -> None:
        """Tells how much of a phase is done."""
        if self._last is not None and self._last[0] != phase:
            self._write()
        self._last = (phase, done, total)
        if time.monotonic() - self._written >= _SECONDS_BETWEEN_UPDATES:
            self._write()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._write()

    def _write(self) -> None:
        if self._last is None:
            return
        phase, done, total = self._last
        self._written = time.monotonic()
        seconds = round(self._written - self._started, 3)
        line = json.dumps({"phase": phase, "done": done, "total": total, "seconds": seconds})
        print(line, file=sys.stderr, flush=True)
        self._last = None


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules


def _bar(description: str, total: int | None, unit: str) -> _Bar:
    try:
        tqdm = importlib.import_module("tqdm.auto" if _in_notebook() else "tqdm")
    except ImportError:
        return _Line(description, total, unit)
    bar: _Bar = tqdm.tqdm(desc=description, total=total, unit=unit, unit_scale=True)
    return bar


class _Line:
    """One line that is written over: done, total, speed."""

    def __init__(self, description: str, total: int | None, unit: str) -> None:
        self._description = description
        self._total = total
        self._unit = unit
        self._done = 0.0
        self._started = self._written = time.monotonic()

    def update(self, n: float) -> None:
        self._done += n
        now = time.monotonic()
        if now - self._written >= _SECONDS_BETWEEN_UPDATES:
            self._written = now
            self._write()

    def close(self) -> None:
        self._write()
        sys.stderr.write("\n")

    def _write(self) -> None:
        speed = self._done / max(time.monotonic() - self._started, 1e-9)
        share = f" of {self._scaled(self._total)} ({self._done / self._total:.0%})" if self._total else ""
        done, per_second = self._scaled(self._done), self._scaled(speed)
        sys.stderr.write(f"\r{self._description}: {done}{share}, {per_second}/s\x1b[K")
        sys.stderr.flush()

    def _scaled(self, number: float) -> str:
        return f"{number / 1e6:.1f} MB" if self._unit == "B" else f"{number:.0f}{self._unit}"
