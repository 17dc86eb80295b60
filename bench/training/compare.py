"""Training beside the peers: `python -m bench.training.compare [--full]`, on two threads.

`--full` trains on the first 100 MB of `english.txt` (`make corpora`) to 32,000 and 128,000 entries, three rounds in
turns. Otherwise, and where that corpus is absent, the English text of the data directory serves, to 32,000. That text
is small: costs that do not grow with the corpus weigh more there, and its ratios do not carry over to 100 MB. A run can
be made in parts, some `--libraries` and `--sizes` at a time, with `--add`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.cases import CACHE, DATA
from bench.harness import machine, report
from bench.harness.fresh import try_to_ask
from bench.harness.results import read_csv, write_csv
from bench.peers import TOKMILL
from bench.training import picture
from bench.training.trainers import TRAINERS

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    cpu_seconds: float
    """Processor time of all threads, which other work on the machine lengthens less."""
    peak: int
    """Bytes of memory."""
    agrees: str
    """How far the entries are those of tokenizers."""


def main() -> None:
    """Measure, and leave CSV, pictures and a summary under `record/`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="100 MB, two vocabularies; and keep the record")
    parser.add_argument("--add", action="store_true", help="go on with the record of today")
    parser.add_argument("--libraries", nargs="+", choices=list(TRAINERS), default=list(TRAINERS))
    parser.add_argument("--sizes", nargs="+", type=int, help="of the vocabulary")
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    directory = machine.record_directory(keep=options.full)
    rows = read_csv(directory / "training.csv", Training) if options.add else []
    for corpus, vocab_size, rounds in plan(full=options.full):
        if vocab_size in (options.sizes or [vocab_size]):
            rounds = rounds if options.rounds is None else options.rounds
            for row in compare(corpus, vocab_size, rounds, options.libraries):
                rows.append(row)
                write_csv(directory / "training.csv", rows)
    write_summary(directory / "training.md", rows)
    picture.write(directory, machine.facts(), rows)
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


def part(corpus: Path, size: int) -> Path:
    """Return a file with the first `size` bytes of a corpus, up to the end of a line."""
    target = WORK / f"{corpus.stem}-{size // MB}MB.txt"
    if not target.exists():
        with corpus.open("rb") as source:
            data = source.read(size)
        target.write_bytes(data[: data.rfind(b"\n") + 1])
    return target


def compare(corpus: Path, vocab_size: int, rounds: int, libraries: list[str]) -> Iterator[Training]:
    """Run trainers, in turns."""
    if not entries_file("tokenizers", corpus, vocab_size).exists():
        train("tokenizers", corpus, vocab_size)  # Its entries are what the others are compared with.
    for name in libraries * rounds:
        if (row := train(name, corpus, vocab_size)) is not None:
            yield row


def train(name: str, corpus: Path, vocab_size: int) -> Training | None:
    """Run one trainer in a fresh process; None, and said, where it fails."""
    target = entries_file(name, corpus, vocab_size)
    found = try_to_ask(
        name,
        "bench.training.worker",
        environment="own" if name == TOKMILL else "stable",
        arguments=[name, str(corpus), str(vocab_size), str(THREADS), str(target)],
        variables={"RAYON_NUM_THREADS": str(THREADS), "TOKENIZERS_PARALLELISM": "true"},
        timeout=TIMEOUT,
    )
    if found is None:
        return None
    agrees = agreement(target, entries_file("tokenizers", corpus, vocab_size))
    row = Training(corpus.stem, corpus.stat().st_size / MB, vocab_size, name, **found, agrees=agrees)
    figures = f"{row.seconds:7.2f} s {row.cpu_seconds:7.2f} CPU s {row.peak / 2**20:7.0f} MiB"
    print(f"  {corpus.stem} {vocab_size} {name:14} {figures} {agrees}", file=sys.stderr)
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


def write_summary(path: Path, rows: list[Training]) -> None:
    """Write the medians, and how many times as long as tokmill each library takes."""
    parts = ["# Training beside the peers", report.machine_table(machine.facts() | {"threads": str(THREADS)})]
    cells = []
    groups = grouped(rows)
    for corpus, vocab_size, name, group in groups:
        ours = next((other for *key, other in groups if key == [corpus, vocab_size, TOKMILL]), [])
        seconds, cpu, peak = medians(group)
        factors = [f"{a / b:.2f}" for a, b in zip((seconds, cpu), medians(ours), strict=False)] if ours else ["", ""]
        figures = [f"{seconds:.2f}", f"{cpu:.2f}", f"{peak / 2**20:.0f}"]
        cells.append([corpus, str(vocab_size), name, str(len(group)), *figures, *factors, group[0].agrees])
    header = ["corpus", "entries", "library", "runs", "seconds", "CPU seconds", "peak MiB"]
    header += ["times tokmill", "in CPU seconds", "the entries of tokenizers"]
    parts.append(report.table(header, cells))
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def medians(rows: list[Training]) -> tuple[float, float, int]:
    """Return the medians of seconds and of processor seconds, and the highest peak."""
    return (
        median(row.seconds for row in rows),
        median(row.cpu_seconds for row in rows),
        max(row.peak for row in rows),
    )


def grouped(rows: list[Training]) -> list[tuple[str, int, str, list[Training]]]:
    """Return the rounds of each trainer on each input."""
    keys = dict.fromkeys((row.corpus, row.vocab_size, row.trainer) for row in rows)
    return [(*key, [row for row in rows if (row.corpus, row.vocab_size, row.trainer) == key]) for key in keys]


if __name__ == "__main__":
    main()
