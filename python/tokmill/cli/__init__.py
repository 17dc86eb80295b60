"""The command line: `tokmill encode | decode | count | inspect | train | convert | bench | doctor`.

Each command is a module with two functions: `register` describes its arguments, `run` does its work. Errors are one
line on standard error and exit status 1, wrong usage is 2, Ctrl-C 130.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from typing import TYPE_CHECKING

import tokmill
from tokmill.cli import bench, convert, count, decode, doctor, encode, inspect, train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import TextIO

__all__ = ["main"]

_COMMANDS = (encode, decode, count, inspect, train, convert, bench, doctor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    options = _parser().parse_args(arguments)
    _clean_up_when_terminated()
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _show_warning
        try:
            options.run(options)
            sys.stdout.flush()
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            # The reader of standard output has gone; what is still buffered goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except (tokmill.TokmillError, tokmill.InternalError, OSError, MemoryError) as error:
            print(f"tokmill {options.command}: error: {_one_line(error)}", file=sys.stderr)
            return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tokmill", description="Exact, fast tokenization: text to ids and back.")
    parser.add_argument("--version", action="version", version=f"tokmill {tokmill.__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.register(subparsers)
    return parser


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del category, filename, lineno, file, line
    print(f"tokmill: warning: {message}", file=sys.stderr)


def _clean_up_when_terminated() -> None:
    """Turns SIGTERM into an exception, so that a half-written file is removed on the way out."""

    def leave(number: int, frame: FrameType | None) -> None:
        del frame
        sys.exit(128 + number)

    try:
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, leave)
    except ValueError:
        pass  # Not the main thread, which alone may set handlers: the caller looks after signals.
