"""A progress bar on a terminal: tqdm's where it is installed, else one plain line; silence in a pipe."""

from __future__ import annotations

import importlib
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Phases", "Progress"]

_SECONDS_BETWEEN_UPDATES = 0.1


class _Bar(Protocol):
    def update(self, n: float) -> object: ...

    def close(self) -> None: ...


class Progress:
    """Shows how much of a known or unknown total is done, as a context manager; bytes unless `unit` says else."""

    def __init__(self, description: str, total: int | None, *, unit: str = "B") -> None:
        self._shown = 0
        self._bar = _bar(description, total, unit) if sys.stderr.isatty() else None

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
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def update(self, phase: str, done: int, total: int | None) -> None:
        """Tells how much of a phase is done: bytes counted or encoded, merges made, or pieces removed."""
        if self._bar is None or phase != self._phase:
            self._bars.close()
            self._phase = phase
            unit = {"merge": " merges", "prune": " pieces", "seed": ""}.get(phase, "B")
            self._bar = self._bars.enter_context(Progress(phase, total, unit=unit))
        self._bar.update(done)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.close()


def _bar(description: str, total: int | None, unit: str) -> _Bar:
    try:
        tqdm = importlib.import_module("tqdm")
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
