"""Training by tokmill alone, in processes of its own, and pictures of its cost.

`python -m bench.training.alone` runs one. It reads JSON, an object with the name of a trainer, its arguments, and where
the tokenizer goes, and writes seconds, processor seconds and peak memory as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.harness.fresh import ask
from bench.harness.picture import OURS, THEIRS
from bench.training.worker import peak

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 2
MB = 1_000_000


@dataclass(frozen=True)
class Run:
    """What one process did."""

    corpus: str
    megabytes: float
    vocab_size: int
    """Ids that it made."""
    transition: int
    """Ids after the first of two stages; 0 where there is one."""
    memory_limit: int
    """Bytes; 0 is none."""
    seconds: float
    cpu_seconds: float
    """Processor time of all threads, which other work on the machine does not lengthen."""
    idle: int
    """Bytes of memory, the largest resident set before the training."""
    peak: int
    """The same after it."""


def train(trainer: str, corpus: str, size: int, target: Path, **arguments: Any) -> Run:
    """Run a trainer in a fresh process, and say so."""
    task = {"trainer": trainer, "arguments": arguments | {"threads": THREADS}, "target": str(target)}
    found = ask("bench.training.alone", task=task)
    run = Run(
        corpus=corpus,
        megabytes=size / MB,
        transition=arguments.get("transition", 0),
        memory_limit=arguments.get("memory_limit") or 0,
        **found,
    )
    print(
        f"  {corpus} {run.megabytes:.0f} MB to {run.vocab_size}: {run.seconds:.1f} s, {run.cpu_seconds:.1f} s of "
        f"processor time, {run.peak / 2**20:.0f} MiB",
        file=sys.stderr,
        flush=True,
    )
    return run


def cells(run: Run) -> list[str]:
    """Return a row of the table of runs; `HEADER` names its columns."""
    limit = f"{run.memory_limit / MB:.0f}" if run.memory_limit else ""
    return [
        run.corpus,
        f"{run.megabytes:.0f}",
        str(run.vocab_size),
        str(run.transition or ""),
        limit,
        f"{run.seconds:.1f}",
        f"{run.cpu_seconds:.1f}",
        f"{run.peak / 2**20:.0f}",
    ]


HEADER = ["corpus", "MB", "ids", "transition", "limit, MB", "seconds", "processor seconds", "peak MiB"]


def growth(path: Path, title: str, facts: dict[str, str], runs: list[Run]) -> None:
    """Draw time and memory against the size of the corpus, both axes logarithmic, to a hundred gigabytes."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"font.family": "sans-serif", "font.size": 9, "svg.hashsalt": "tokmill"})
    from matplotlib import pyplot

    runs = sorted(runs, key=lambda run: run.megabytes)
    sizes = [run.megabytes for run in runs]
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, values, label in (
        (axes[0], [run.cpu_seconds for run in runs], "processor seconds"),
        (axes[1], [run.peak / 2**20 for run in runs], "peak MiB"),
    ):
        axis.loglog(sizes, values, marker="o", color=OURS[1])
        slope = extrapolate(runs, values, 100_000)
        axis.loglog([sizes[-1], 100_000], [values[-1], slope], linestyle=":", color=THEIRS[1])
        axis.set_xlabel("MB of text")
        axis.set_ylabel(label)
        axis.grid(visible=True, which="both", alpha=0.25)
    figure.suptitle(f"{title}; dotted: extrapolated.  {facts['cpu']}, {facts['date']}", fontsize=10)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def extrapolate(runs: list[Run], values: list[float], megabytes: float) -> float:
    """Return what a larger corpus would take, if it went on as between the last two sizes."""
    (size, value), (larger, more) = [(run.megabytes, value) for run, value in zip(runs, values, strict=True)][-2:]
    return more + (megabytes - larger) * (more - value) / (larger - size)


def main() -> None:
    """Train once."""
    answer = os.dup(1)
    os.dup2(2, 1)
    task = json.load(sys.stdin)
    import tokmill

    started = time.perf_counter()
    before, idle = time.process_time(), peak()
    tokenizer = getattr(tokmill, task["trainer"])(**task["arguments"])
    found = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - before,
        "idle": idle,
        "peak": peak(),
        "vocab_size": len(tokenizer),
    }
    tokenizer.save(task["target"])
    os.write(answer, json.dumps(found).encode())


if __name__ == "__main__":
    main()
