"""Training beside the peers: `python -m bench.training.compare [--full]`, on two threads.

`--full` trains on the first 100 MB of `english.txt` (`make corpora`) to 32,000 and 128,000 entries, three rounds in
turns, and then tokmill alone on growing parts of `mixed.txt`. Otherwise, and where that corpus is absent, the English
text of the data directory serves, to 32,000. That text is small: costs that do not grow with the corpus weigh more
there, and its ratios do not carry over to 100 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.cases import CACHE, DATA, ROOT
from bench.harness import machine, report
from bench.harness.jobs import interpreters
from bench.harness.results import write_csv
from bench.peers import TOKMILL
from bench.training import picture
from bench.training.trainers import TRAINERS

CORPORA = CACHE / "corpora"
WORK = CACHE / "training"
THREADS = 2
TIMEOUT = 1800.0
MB = 1_000_000


@dataclass(frozen=True)
class Training:
    """What one process did."""

    corpus: str
    megabytes: float
    vocab_size: int
    trainer: str
    seconds: float
    peak: int
    """Bytes of memory."""
    agrees: str
    """How far the entries are those of tokenizers."""


def main() -> None:
    """Measure, and leave CSV, pictures and a summary under `record/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="100 MB, two vocabularies, scaling; and keep the record")
    full = parser.parse_args().full
    WORK.mkdir(parents=True, exist_ok=True)
    rows = []
    for corpus, vocab_size, rounds in plan(full=full):
        rows += compare(corpus, vocab_size, rounds)
    growth = scaling() if full and (CORPORA / "mixed.txt").exists() else []
    directory = machine.record_directory(keep=full)
    write_csv(directory / "training.csv", rows + growth)
    write_summary(directory / "training.md", rows, growth)
    picture.write(directory, machine.facts(), rows, growth)
    print(directory / "training.md")


def plan(*, full: bool) -> list[tuple[Path, int, int]]:
    """Return corpora with vocabulary sizes and rounds."""
    if full and (CORPORA / "english.txt").exists():
        corpus = part(CORPORA / "english.txt", 100 * MB)
        return [(corpus, 32_000, 3), (corpus, 128_000, 3)]
    if not (DATA / "text/english_16m.txt").exists():
        print(f"no corpus: neither {CORPORA / 'english.txt'} (`make corpora`) nor {DATA} is there", file=sys.stderr)
        return []
    return [(part(DATA / "text/english_16m.txt", 16 * MB), 32_000, 3 if full else 1)]


def scaling() -> list[Training]:
    """Return tokmill's cost as the corpus grows, and as the vocabulary does."""
    mixed = CORPORA / "mixed.txt"
    by_corpus = [train(TOKMILL, part(mixed, size * MB), 64_000) for size in (10, 30, 100, 300, 1000)]
    by_size = [train(TOKMILL, part(mixed, 100 * MB), size) for size in (8_000, 16_000, 32_000, 128_000, 256_000)]
    return [row for row in by_corpus + by_size if row is not None]


def part(corpus: Path, size: int) -> Path:
    """Return a file with the first `size` bytes of a corpus, up to the end of a line."""
    target = WORK / f"{corpus.stem}-{size // MB}MB.txt"
    if not target.exists():
        with corpus.open("rb") as source:
            data = source.read(size)
        target.write_bytes(data[: data.rfind(b"\n") + 1])
    return target


def compare(corpus: Path, vocab_size: int, rounds: int) -> list[Training]:
    """Run every trainer, in turns."""
    train("tokenizers", corpus, vocab_size)  # Its entries are what the others are compared with.
    turns = [train(name, corpus, vocab_size) for _ in range(rounds) for name in TRAINERS]
    return [row for row in turns if row is not None]


def train(name: str, corpus: Path, vocab_size: int) -> Training | None:
    """Run one trainer in a fresh process; None, and said, where it fails."""
    environment = "own" if name == TOKMILL else "stable"
    target = entries_file(name, corpus, vocab_size)
    arguments = [name, str(corpus), str(vocab_size), str(THREADS), str(target)]
    threads = {"RAYON_NUM_THREADS": str(THREADS), "TOKENIZERS_PARALLELISM": "true"}
    try:
        process = subprocess.run(
            [interpreters()[environment], "-m", "bench.training.worker", *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env=os.environ | threads,
            cwd=ROOT,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        detail = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        print(f"  {name}: failed: {detail}", file=sys.stderr)
        return None
    found = json.loads(process.stdout)
    agrees = agreement(target, entries_file("tokenizers", corpus, vocab_size))
    row = Training(corpus.stem, corpus.stat().st_size / MB, vocab_size, name, found["seconds"], found["peak"], agrees)
    print(
        f"  {corpus.stem} {vocab_size} {name:14} {row.seconds:7.2f} s {row.peak / 2**20:7.0f} MiB {agrees}",
        file=sys.stderr,
    )
    return row


def entries_file(name: str, corpus: Path, vocab_size: int) -> Path:
    """Return where a trainer's entries are kept."""
    return WORK / f"{corpus.stem}-{vocab_size}-{name}.entries"


def agreement(ours: Path, theirs: Path) -> str:
    """Say how long two lists of entries are the same."""
    if not theirs.exists() or ours.stat().st_size == 0:
        return "not comparable"
    first, second = (path.read_text(encoding="ascii").split() for path in (ours, theirs))
    if first == second:
        return "the same"
    same = next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
    return f"{same} of {len(second)} in a row; {len(set(first) & set(second))} in all"


def write_summary(path: Path, rows: list[Training], growth: list[Training]) -> None:
    """Write the medians, and how many times as long as tokmill each library takes."""
    parts = ["# Training beside the peers", report.machine_table(machine.facts() | {"threads": str(THREADS)})]
    cells = []
    for corpus, vocab_size, name, group in grouped(rows):
        seconds = median(row.seconds for row in group)
        ours = [
            row.seconds for row in rows if (row.corpus, row.vocab_size, row.trainer) == (corpus, vocab_size, TOKMILL)
        ]
        factor = f"{seconds / median(ours):.2f}" if ours else ""
        peak = f"{max(row.peak for row in group) / 2**20:.0f}"
        cells.append([corpus, str(vocab_size), name, f"{seconds:.2f}", peak, factor, group[0].agrees])
    header = ["corpus", "entries", "library", "seconds", "peak MiB", "times tokmill", "the entries of tokenizers"]
    parts.append(report.table(header, cells))
    if growth:
        header = ["corpus", "MB", "entries", "seconds", "ns a byte", "peak MiB"]
        parts += ["## Growth, tokmill alone", report.table(header, [growth_cells(row) for row in growth])]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def growth_cells(row: Training) -> list[str]:
    """Return a row of the table of growth."""
    nanoseconds = row.seconds * 1e9 / (row.megabytes * MB)
    return [
        row.corpus,
        f"{row.megabytes:.0f}",
        str(row.vocab_size),
        f"{row.seconds:.2f}",
        f"{nanoseconds:.1f}",
        f"{row.peak / 2**20:.0f}",
    ]


def grouped(rows: list[Training]) -> list[tuple[str, int, str, list[Training]]]:
    """Return the rounds of each trainer on each input."""
    keys = dict.fromkeys((row.corpus, row.vocab_size, row.trainer) for row in rows)
    return [(*key, [row for row in rows if (row.corpus, row.vocab_size, row.trainer) == key]) for key in keys]


if __name__ == "__main__":
    main()
