"""A progress bar on a terminal: tqdm's where it is installed, else one plain line; silence in a pipe."""

from __future__ import annotations

import importlib
import sys
import time
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Progress"]

_SECONDS_BETWEEN_UPDATES = 0.1


class _Bar(Protocol):
    def update(self, n: float) -> object: ...

    def close(self) -> None: ...


class Progress:
    """Shows how many bytes of a known or unknown total are done, as a context manager."""

    def __init__(self, description: str, total_bytes: int | None) -> None:
        self._shown = 0
        self._bar = _bar(description, total_bytes) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        return self

    def update(self, position: int) -> None:
        """Tells how many bytes are done."""
        if self._bar is not None and position > self._shown:
            self._bar.update(position - self._shown)
            self._shown = position

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def _bar(description: str, total_bytes: int | None) -> _Bar:
    try:
        tqdm = importlib.import_module("tqdm")
    except ImportError:
        return _Line(description, total_bytes)
    bar: _Bar = tqdm.tqdm(desc=description, total=total_bytes, unit="B", unit_scale=True)
    return bar


class _Line:
    """One line that is written over: done, total, speed."""

    def __init__(self, description: str, total_bytes: int | None) -> None:
        self._description = description
        self._total = total_bytes
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
        share = f" of {self._total / 1e6:.1f} MB ({self._done / self._total:.0%})" if self._total else " MB"
        sys.stderr.write(f"\r{self._description}: {self._done / 1e6:.1f}{share}, {speed / 1e6:.1f} MB/s\x1b[K")
        sys.stderr.flush()
