"""What training costs as corpora and vocabularies grow: `python -m bench.training.growth [--full]`, on two threads.

`--full` trains BPE on growing parts of `mixed.txt`, up to a gigabyte of English and code, to 64,000 entries; on 100 MB
of it to growing vocabularies; on all of `english.txt`; and within memory limits (`make corpora`). It keeps the record.
Otherwise the English text of the data directory serves. A run can be made in `--parts`, with `--add`.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench.cases import DATA
from bench.harness import machine, report
from bench.harness.picture import OURS
from bench.harness.results import read_csv, write_csv
from bench.training import alone
from bench.training.alone import MB, Run
from bench.training.compare import CORPORA, WORK, part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VOCAB_SIZE = 64_000
PARTS = ("corpora", "vocabularies", "limits")


def main() -> None:
    """Measure, and leave CSV, a picture and a summary under `record/`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="up to 1 GB; and keep the record")
    parser.add_argument("--add", action="store_true", help="go on with the record of today")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    directory = machine.record_directory(keep=options.full)
    runs = read_csv(directory / "training-growth.csv", Run) if options.add else []
    for name, text, vocab_size, limit in plan(full=options.full):
        if name in options.parts:
            runs.append(train(text, vocab_size, limit))
            write_csv(directory / "training-growth.csv", runs)
    write_summary(directory / "training-growth.md", runs)
    draw(directory / "training-growth.svg", machine.facts(), runs)
    print(directory / "training-growth.md")


def plan(*, full: bool) -> Iterator[tuple[str, Path, int, int | None]]:
    """Return parts of the run, texts, sizes of vocabularies and memory limits."""
    english, mixed = CORPORA / "english.txt", CORPORA / "mixed.txt"
    if full and english.exists() and mixed.exists():
        sizes, hundred, limits = (10, 30, 100, 300, 1000), 100, (512 * MB, 1000 * MB)
    elif (DATA / "text/english_16m.txt").exists():
        english = mixed = DATA / "text/english_16m.txt"
        sizes, hundred, limits = (2, 4, 8, 16), 16, (512 * MB,)
    else:
        sys.exit(f"no corpus: neither {english} (`make corpora`) nor {DATA} is there")
    for size in sizes:
        yield "corpora", part(mixed, size * MB), VOCAB_SIZE, None
    yield "corpora", english, VOCAB_SIZE, None
    for vocab_size in (8_000, 16_000, 32_000, 128_000, 256_000):
        yield "vocabularies", part(mixed, hundred * MB), vocab_size, None
    for limit in limits:
        yield "limits", english, VOCAB_SIZE, limit
        yield "limits", part(mixed, sizes[-1] * MB), VOCAB_SIZE, limit


def train(text: Path, vocab_size: int, limit: int | None) -> Run:
    """Train once in a fresh process."""
    target = WORK / "growth.json"
    arguments = {"files": [str(text)], "vocab_size": vocab_size, "pattern": "gpt2", "memory_limit": limit}
    return alone.train("train_bpe", text.stem, text.stat().st_size, target, **arguments)


def write_summary(path: Path, runs: list[Run]) -> None:
    """Write the table."""
    header = ["corpus", "MB", "ids", "limit, MB", "seconds", "CPU seconds", "CPU ns a byte", "peak MiB", "growth MiB"]
    cells = [
        [
            run.corpus,
            f"{run.megabytes:.0f}",
            str(run.vocab_size),
            f"{run.memory_limit / MB:.0f}" if run.memory_limit else "",
            f"{run.seconds:.2f}",
            f"{run.cpu_seconds:.2f}",
            f"{run.cpu_seconds * 1e9 / (run.megabytes * MB):.1f}",
            f"{run.peak / 2**20:.0f}",
            f"{(run.peak - run.idle) / 2**20:.0f}",
        ]
        for run in runs
    ]
    facts = report.machine_table(machine.facts() | {"threads": str(alone.THREADS)})
    path.write_text(
        "\n\n".join(["# What training BPE costs", facts, report.table(header, cells)]) + "\n", encoding="utf-8"
    )


def draw(path: Path, facts: dict[str, str], runs: list[Run]) -> None:
    """Draw processor seconds and memory against the size of the corpus, and seconds against that of the vocabulary."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"font.family": "sans-serif", "font.size": 9, "svg.hashsalt": "tokmill"})
    from matplotlib import pyplot

    free = [run for run in runs if not run.memory_limit]
    middle = max({run.corpus for run in free}, key=lambda name: sum(run.corpus == name for run in free), default="")
    family = [run for run in free if run.corpus.partition("-")[0] == middle.partition("-")[0]]
    by_corpus = [
        min((run for run in family if run.corpus == name), key=lambda run: abs(run.vocab_size - VOCAB_SIZE))
        for name in {run.corpus for run in family}
    ]
    by_size = [run for run in family if run.corpus == middle]
    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    for axis, chosen, across, up, unit, labels in (
        (axes[0], by_corpus, "megabytes", "cpu_seconds", 1, ("MB of text, to 64,000 ids", "processor seconds")),
        (axes[1], by_corpus, "megabytes", "peak", 2**20, ("MB of text, to 64,000 ids", "peak MiB")),
        (axes[2], by_size, "vocab_size", "cpu_seconds", 1, (f"ids, {middle}", "processor seconds")),
    ):
        points = sorted((getattr(run, across), getattr(run, up) / unit) for run in chosen)
        if points:
            axis.semilogx(*zip(*points, strict=True), marker="o", color=OURS[1])
        axis.set_ylim(bottom=0)
        axis.set_xlabel(labels[0])
        axis.set_ylabel(labels[1])
        axis.grid(visible=True, which="both", alpha=0.25)
    figure.suptitle(f"Training BPE on English and code, two threads; {facts['cpu']}, {facts['date']}", fontsize=10)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    main()
