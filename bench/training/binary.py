"""Binary BPE, measured: `python -m bench.training.binary [--full] [--also FOLDER]`.

Trains on the programs and libraries of this machine, in order of a digest of their paths: `--full` on 1 GB of them to
65,536 ids, else on 30 MB to 8,192. Reports seconds, peak memory, and bytes a token on files of the data directory that
were not trained on, by type. With `--also`, a second vocabulary is trained on these and on what the folder holds, such
as unpacked wheels of other platforms.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import tokmill
from bench.cases import CACHE, DATA
from bench.harness import machine, report
from bench.harness.results import write_csv
from bench.training import alone
from bench.training.alone import MB, Run
from bench.training.compare import WORK

ROOTS = ("/usr/bin", "/usr/lib", "/usr/libexec", "/usr/local", "/usr/sbin", "/usr/share")


@dataclass(frozen=True)
class Density:
    """How a vocabulary does on files that it was not trained on."""

    trained_on: str
    ids: int
    kind: str
    megabytes: float
    bytes_per_token: float


def main() -> None:
    """Measure, and leave CSV, a picture and a summary under `record/`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="1 GB to 65,536 ids; and keep the record")
    parser.add_argument("--also", type=Path, metavar="FOLDER", help="files of other platforms to train on too")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    sizes, vocab_size = ([10, 30, 100, 300, 1000], 65_536) if options.full else ([10, 30], 8_192)
    runs, densities = [], []
    for size in sizes:
        run, tokenizer = train(f"usr-{size}MB", files(list(ROOTS), size * MB), vocab_size)
        runs.append(run)
    densities += density("this machine", tokenizer)
    grown = list(runs)
    if options.also is not None:
        others = files([str(options.also)], sizes[-1] * MB)
        run, tokenizer = train("usr-and-others", files(list(ROOTS), sizes[-2] * MB) + others, vocab_size)
        runs.append(run)
        densities += density("and other platforms", tokenizer)
    directory = machine.record_directory(keep=options.full)
    write_csv(directory / "binary.csv", runs)
    write_csv(directory / "binary-density.csv", densities)
    alone.growth(directory / "binary-growth.svg", "Binary BPE, programs and libraries", machine.facts(), grown)
    write_summary(directory / "binary.md", runs, densities)
    print(directory / "binary.md")


def files(roots: list[str], size: int) -> list[Path]:
    """Return regular files under some folders, in order of a digest of their path, that have `size` bytes together.

    Files that the data directory holds, or that have the name of one, are left out: it holds what is measured on.
    """
    held_out = {path.name for path in (DATA / "binaries").rglob("*")}
    found = {
        Path(folder, name).resolve()
        for root in roots
        for folder, _, names in os.walk(root)
        for name in names
        if name not in held_out
    }
    ordered = sorted(found, key=lambda path: hashlib.sha256(os.fsencode(path)).digest())
    chosen, total = [], 0
    for path in ordered:
        if path.name in held_out or not path.is_file() or path.stat().st_size == 0:
            continue
        if total + path.stat().st_size <= size:
            total += path.stat().st_size
            chosen.append(path)
    return chosen


def train(name: str, paths: list[Path], vocab_size: int) -> tuple[Run, tokmill.Tokenizer]:
    """Train on files, in a fresh process."""
    target = CACHE / "training" / f"binary-{name}.json"
    size = sum(path.stat().st_size for path in paths)
    run = alone.train(
        "train_binary_bpe", name, size, target, paths=[str(path) for path in paths], vocab_size=vocab_size
    )
    return run, tokmill.Tokenizer.from_file(target)


def density(trained_on: str, tokenizer: tokmill.Tokenizer) -> list[Density]:
    """Return bytes a token by kind of file, for cuts of the vocabulary too."""
    kinds: dict[str, list[Path]] = {}
    folder = DATA / "binaries"
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file():
            kinds.setdefault("elf_x86_64" if path.parent == folder else path.parent.name, []).append(path)
    if not kinds:
        print(f"no programs to measure on: {folder} is not there", file=sys.stderr)
    found = []
    for ids in dict.fromkeys((4_096, 16_384, len(tokenizer))):
        if ids > len(tokenizer):
            continue
        cut = tokenizer.truncated(ids)
        for kind, paths in kinds.items():
            data = [path.read_bytes() for path in paths]
            size, tokens = sum(map(len, data)), int(cut.count_batch(data).sum())
            found.append(Density(trained_on, ids, kind, size / MB, size / tokens))
    return found


def write_summary(path: Path, runs: list[Run], densities: list[Density]) -> None:
    """Write the tables."""
    columns = list(dict.fromkeys((row.trained_on, row.ids) for row in densities))
    kinds = list(dict.fromkeys(row.kind for row in densities))
    value = {(row.trained_on, row.ids, row.kind): f"{row.bytes_per_token:.2f}" for row in densities}
    cells = [[kind, *(value[*column, kind] for column in columns)] for kind in kinds]
    header = ["bytes a token", *(f"{trained_on}, {ids}" for trained_on, ids in columns)]
    parts = [
        "# Binary BPE",
        report.machine_table(machine.facts() | {"threads": str(alone.THREADS)}),
        "## Cost",
        report.table(alone.HEADER, [alone.cells(run) for run in runs]),
        "## Density\n\nFiles that were not trained on, by type.",
        report.table(header, cells),
    ]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
