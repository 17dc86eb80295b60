"""Unigram training beside sentencepiece: `python -m bench.training.unigram [--full]`, on two threads.

All train on the same lines without normalisation; every tenth line is kept back. What they made is then judged on
those lines by one evaluator, which knows pieces and scores only: the logarithm of the probability that all
segmentations of the words have together, and the tokens of the best one, each for a byte of text. Characters that are
no piece cost ten nats more than the worst piece, for all. Probabilities are made to add up to one, which takes off what
MinGram puts on every token.

Languages are LibreOffice's help, where `make corpora` has fetched it, and else what the data directory holds. `--full`
also trains on the first 30 and 100 MB of `english.txt` to 32,000, and tokmill alone on `mixed.txt`, a gigabyte. A run
can be made in parts, some `--texts` and `--libraries` at a time, with `--add`.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cases import CACHE, DATA
from bench.corpora import recipes
from bench.harness import machine, report
from bench.harness.fresh import ask
from bench.harness.results import read_csv, write_csv
from bench.training.unigram_worker import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CORPORA = CACHE / "corpora"
WORK = CACHE / "training"
MB = 1_000_000
LIBRARIES = ("sentencepiece", *METHODS)

HELP = {
    "Finnish": ("fi", 8_000),
    "German": ("de", 8_000),
    "Turkish": ("tr", 8_000),
    "Hindi": ("hi", 8_000),
    "Japanese": ("ja", 8_000),
}
"""Languages of LibreOffice's help, with the size of a vocabulary that their texts allow."""

TEXTS = {
    "English": ("text/english_16m.txt", 8_000),
    "English, 32k": ("text/english_16m.txt", 32_000),
    "code": ("text/code_python_stdlib.py.txt", 8_000),
    "Finnish, small": ("parallel/tatoeba/tatoeba.fin-eng.fin", 1_000),
    "German, small": ("parallel/xquad/de.txt", 4_000),
    "Turkish, small": ("parallel/xquad/tr.txt", 4_000),
    "Hindi, small": ("parallel/xquad/hi.txt", 2_000),
}
"""Texts of the data directory, with the size of a vocabulary that they allow."""


@dataclass(frozen=True)
class Trained:
    """What one process did, and what its model is worth on text that was kept back."""

    text: str
    megabytes: float
    vocab_size: int
    library: str
    seconds: float
    cpu_seconds: float
    peak: int
    """Bytes of memory."""
    log_likelihood: float
    """Nats a byte."""
    tokens: float
    """Tokens a byte."""


def main() -> None:
    """Measure, and leave a table and the rows of it under `record/`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="100 MB and a gigabyte as well; and keep the record")
    parser.add_argument("--add", action="store_true", help="go on with the record of today")
    parser.add_argument("--texts", nargs="+", metavar="NAME", help="such as German")
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES)
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    directory = machine.record_directory(keep=options.full)
    rows = read_csv(directory / "unigram.csv", Trained) if options.add else []
    for name, lines, size in texts(full=options.full):
        if name in (options.texts or [name]):
            for row in compare(name, lines, size, options.libraries):
                rows.append(row)
                write_csv(directory / "unigram.csv", rows)
    large = "English and code, 1 GB"
    if options.full and large in (options.texts or [large]) and (CORPORA / "mixed.txt").exists():
        rows += [train("tokmill", large, CORPORA / "mixed.txt", [], 32_000)]
    write_csv(directory / "unigram.csv", rows)
    parts = ["# Training Unigram models beside sentencepiece", report.machine_table(machine.facts()), table(rows)]
    (directory / "unigram.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(directory / "unigram.md")


def texts(*, full: bool) -> Iterable[tuple[str, list[bytes], int]]:
    """Return names, lines and sizes; `full`: the large parts of English too."""
    for name, (code, size) in HELP.items():
        if packages := sorted((CORPORA / "packages").glob(f"libreoffice-help-{code}_*.deb")):
            with tempfile.TemporaryDirectory() as directory:
                subprocess.run(["dpkg-deb", "-x", str(packages[-1]), directory], check=True)
                text = "".join(recipes.web_pages(Path(directory)))
            yield name, text.encode().splitlines(keepends=True), size
    for name, (path, size) in TEXTS.items():
        if (DATA / path).exists():
            yield name, (DATA / path).read_bytes().splitlines(keepends=True), size
    for size in (30, 100) if full and (CORPORA / "english.txt").exists() else ():
        with (CORPORA / "english.txt").open("rb") as english:
            yield f"English, {size} MB", english.read(size * MB).splitlines(keepends=True), 32_000


def compare(name: str, lines: list[bytes], vocab_size: int, libraries: Iterable[str]) -> Iterator[Trained]:
    """Train with each library, and judge."""
    path = WORK / "unigram.txt"
    path.write_bytes(b"".join(line for number, line in enumerate(lines) if number % 10))
    for library in libraries:
        yield train(library, name, path, lines[::10], vocab_size)


def train(library: str, name: str, path: Path, kept_back: list[bytes], vocab_size: int) -> Trained:
    """Train in a fresh process, and judge what it made."""
    target = WORK / f"unigram-{library}.json"
    found = ask(
        "bench.training.unigram_worker",
        environment="own" if library in METHODS else "stable",
        arguments=[library, str(path), str(vocab_size), str(target)],
    )
    scores = json.loads(target.read_text(encoding="utf-8"))
    likelihood, tokens = judge(scores, b"".join(kept_back)) if kept_back else (math.nan, math.nan)
    row = Trained(
        name, path.stat().st_size / MB, vocab_size, library, **found, log_likelihood=likelihood, tokens=tokens
    )
    print(f"  {row}", file=sys.stderr)
    return row


def judge(scores: dict[str, float], text: bytes) -> tuple[float, float]:
    """Return log-likelihood and tokens, each for a byte."""
    words = Counter("\u2581" + word for word in text.decode(errors="replace").replace("\n", " ").split(" ") if word)
    unknown = min(scores.values()) - 10.0
    longest = max(map(len, scores))
    highest = max(scores.values())
    surplus = highest + math.log(math.fsum(math.exp(score - highest) for score in scores.values()))
    likelihood, tokens = 0.0, 0
    for word, count in words.items():
        logarithm, length = segment(word, scores, unknown, longest, surplus)
        likelihood += count * logarithm
        tokens += count * length
    return likelihood / len(text), tokens / len(text)


def segment(word: str, scores: dict[str, float], unknown: float, longest: int, surplus: float) -> tuple[float, int]:
    """Return the logarithm of the sum over all segmentations, and the tokens of the best one.

    Probabilities are what scores less the `surplus` say; the best segmentation is that by scores.
    """
    total = [0.0] + [-math.inf] * len(word)
    best = [(0.0, 0)] + [(-math.inf, 0)] * len(word)
    for begin in range(len(word)):
        for end in range(begin + 1, min(len(word), begin + longest) + 1):
            score = scores.get(word[begin:end], unknown if end == begin + 1 else None)
            if score is None:
                continue
            way = total[begin] + score - surplus
            high, low = max(total[end], way), min(total[end], way)
            total[end] = high + math.log1p(math.exp(low - high))
            if best[begin][0] + score > best[end][0]:
                best[end] = (best[begin][0] + score, best[begin][1] + 1)
    return total[-1], best[-1][1]


def table(rows: list[Trained]) -> str:
    """Return the results, and how tokmill's differ."""
    cells = []
    for row in rows:
        peer = next((other for other in rows if other.text == row.text and other.library == "sentencepiece"), row)
        percent = [f"{100 * (ours / theirs - 1):+.2f} %" for ours, theirs in gains(row, peer)]
        cells.append(
            [row.text, f"{row.megabytes:.1f}", str(row.vocab_size), row.library, f"{row.seconds:.1f}"]
            + [f"{row.cpu_seconds:.1f}", f"{row.peak / 2**20:.0f}", f"{row.log_likelihood:.5f}", f"{row.tokens:.5f}"]
            + (["", ""] if row is peer else percent)
        )
    header = ["text", "MB", "entries", "library", "seconds", "CPU seconds", "peak MiB", "nats a byte", "tokens a byte"]
    return report.table([*header, "likelihood", "tokens"], cells)


def gains(ours: Trained, theirs: Trained) -> list[tuple[float, float]]:
    """Return the figures that are compared; more likelihood and fewer tokens are better."""
    return [(-theirs.log_likelihood, -ours.log_likelihood), (ours.tokens, theirs.tokens)]


if __name__ == "__main__":
    main()
