"""SuperBPE, measured: `python -m bench.training.superbpe [--full]`.

- The gain: tokens of English that was not trained on, BPE and SuperBPE at equal vocabulary, over transitions.
- The cost: seconds and peak memory against the size of the corpus, and under a memory limit.

`--full` takes 100 MB of English to 64,000 ids and up to 1 GB of English and code to 200,000 (`make corpora`), and keeps
the record. Otherwise, and where the corpora are absent, the English text of the data directory serves.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tokmill
from bench.cases import CACHE, DATA
from bench.harness import machine, report
from bench.harness.results import write_csv
from bench.training import alone
from bench.training.alone import MB, Run
from bench.training.compare import CORPORA, WORK, part

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_BYTES = MB
HELD_OUT = 11
"""Every eleventh block of English is not trained on."""


@dataclass(frozen=True)
class Gain:
    """How a vocabulary does on text that it was not trained on."""

    transition: int
    """Ids after the first stage; all of them for plain BPE."""
    vocab_size: int
    tokens: int
    bytes_per_token: float
    fewer: float
    """Tokens saved against plain BPE, as a share."""
    words: str
    """How many entries hold 1, 2, 3 and 4 words."""


def main() -> None:
    """Measure, and leave CSV, a picture and a summary under `record/`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="100 MB and 1 GB; and keep the record")
    full = parser.parse_args().full and (CORPORA / "english.txt").exists() and (CORPORA / "mixed.txt").exists()
    source = CORPORA / "english.txt" if full else DATA / "text/english_16m.txt"
    if not source.exists():
        sys.exit(f"no corpus: neither {CORPORA / 'english.txt'} (`make corpora`) nor {DATA} is there")
    WORK.mkdir(parents=True, exist_ok=True)
    directory = machine.record_directory(keep=full)
    runs, gains = gain(source, 64_000 if full else 16_000)
    grown = growth(CORPORA / "mixed.txt", [10, 30, 100, 300, 1000]) if full else growth(source, [2, 4, 8, 16])
    write_csv(directory / "superbpe.csv", runs + grown)
    write_csv(directory / "superbpe-gain.csv", gains)
    alone.growth(directory / "superbpe-growth.svg", "SuperBPE, English and code", machine.facts(), unlimited(grown))
    write_summary(directory / "superbpe.md", runs + grown, gains, unlimited(grown))
    print(directory / "superbpe.md")


def gain(source: Path, vocab_size: int) -> tuple[list[Run], list[Gain]]:
    """Train on most of a text and encode the rest, for plain BPE and several transitions."""
    train, held_out = halves(source)
    lines = held_out.read_bytes().splitlines(keepends=True)
    runs, gains = [], []
    for share in (100, 12, 25, 40, 50, 60, 75, 90):
        transition = vocab_size * share // 100
        target = CACHE / "training" / f"superbpe-{source.stem}-{transition}.json"
        arguments = {"files": [str(train)], "vocab_size": vocab_size}
        if share == 100:
            run = alone.train("train_bpe", train.stem, train.stat().st_size, target, pattern="superbpe", **arguments)
        else:
            size = train.stat().st_size
            run = alone.train("train_superbpe", train.stem, size, target, transition=transition, **arguments)
        tokenizer = tokmill.Tokenizer.from_file(target)
        tokens = int(tokenizer.count_batch(lines).sum())
        plain = gains[0].tokens if gains else tokens
        per_token = held_out.stat().st_size / tokens
        words = entries_by_words(tokenizer)
        gains.append(Gain(transition, len(tokenizer), tokens, per_token, 1 - tokens / plain, words))
        runs.append(run)
    return runs, gains


def halves(source: Path) -> tuple[Path, Path]:
    """Return what to train on and what to hold out, cut between lines."""
    targets = (WORK / f"{source.stem}-train.txt", WORK / f"{source.stem}-held-out.txt")
    if not all(target.exists() for target in targets):
        with source.open("rb") as text, targets[0].open("wb") as train, targets[1].open("wb") as held_out:
            number = 0
            while block := text.read(BLOCK_BYTES) + text.readline():
                number += 1
                (held_out if number % HELD_OUT == 0 else train).write(block)
    return targets


def entries_by_words(tokenizer: tokmill.Tokenizer) -> str:
    """Return how many entries hold how many words."""
    counts: dict[int, int] = {}
    for id in range(len(tokenizer)):
        words = sum(1 for word in tokenizer.token_bytes(id).split(b" ") if word)
        counts[words] = counts.get(words, 0) + 1
    return " ".join(f"{words}:{counts[words]}" for words in sorted(counts) if words > 0)


def growth(corpus: Path, sizes: list[int]) -> list[Run]:
    """Return the cost of growing parts of a corpus, and of the largest within a memory limit."""
    vocab_size, transition = (200_000, 180_000) if sizes[-1] > 100 else (32_000, 28_000)
    target = CACHE / "training" / "superbpe-growth.json"
    runs = []
    for size, limit in [*((size, None) for size in sizes), (sizes[-1], 1_500 * MB)]:
        text = part(corpus, size * MB)
        arguments = {"files": [str(text)], "vocab_size": vocab_size, "transition": transition, "memory_limit": limit}
        runs.append(alone.train("train_superbpe", text.stem, text.stat().st_size, target, **arguments))
    return runs


def unlimited(runs: list[Run]) -> list[Run]:
    """Return the runs without a memory limit."""
    return [run for run in runs if not run.memory_limit]


def write_summary(path: Path, runs: list[Run], gains: list[Gain], grown: list[Run]) -> None:
    """Write the tables, and what larger corpora would take."""
    facts = machine.facts() | {"threads": str(alone.THREADS)}
    header = ["transition", "ids", "tokens", "bytes a token", "fewer tokens", "entries by words"]
    cells = [
        [
            str(gain.transition),
            str(gain.vocab_size),
            str(gain.tokens),
            f"{gain.bytes_per_token:.3f}",
            f"{gain.fewer:.1%}",
            gain.words,
        ]
        for gain in gains
    ]
    times = [run.cpu_seconds for run in grown]
    peaks = [run.peak / 2**30 for run in grown]
    larger = [
        [
            f"{gigabytes} GB",
            f"{alone.extrapolate(grown, times, 1000 * gigabytes) / 60:.0f}",
            f"{alone.extrapolate(grown, peaks, 1000 * gigabytes):.0f}",
        ]
        for gigabytes in (10, 100)
    ]
    parts = [
        "# SuperBPE",
        report.machine_table(facts),
        "## Gain\n\nTokens of English that was not trained on; the first row is plain BPE.",
        report.table(header, cells),
        "## Cost",
        report.table(alone.HEADER, [alone.cells(run) for run in runs]),
        "If it went on as between the last two sizes, without a memory limit:",
        report.table(["corpus", "processor minutes", "GiB of memory"], larger),
    ]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
