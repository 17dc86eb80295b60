"""A worker in a process of its own, which answers with a line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bench.cases import ROOT
from bench.harness.jobs import interpreters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Failed(Exception):
    """A worker that gave no answer; the message is its last line."""


def ask(
    module: str,
    *,
    environment: str = "own",
    arguments: Sequence[str] = (),
    task: object = None,
    variables: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Any:
    """Run a module with the Python of an environment, `task` as JSON on its standard input, and return what it says."""
    try:
        process = subprocess.run(
            [interpreters()[environment], "-m", module, *arguments],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            timeout=timeout,
            env=os.environ | dict(variables or {}),
            cwd=ROOT,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise Failed(lines[-1] if lines else type(error).__name__) from error
    return json.loads(process.stdout.splitlines()[-1])


def try_to_ask(label: str, module: str, **options: Any) -> Any:
    """Do as `ask`; return None, and say why, where the worker fails."""
    try:
        return ask(module, **options)
    except Failed as failure:
        print(f"  {label}: failed: {failure}", file=sys.stderr)
        return None
