"""Tokmill beside itself and Python: `python -m bench.harness.own [--full]`.

Two threads beside one, decoding beside `bytes.decode`, counting beside encoding, and inputs made to be hard. All with
cl100k on the English text; every call is repeated and the median kept.
"""

from __future__ import annotations

import argparse
import base64
import csv
import random
import time
from dataclasses import asdict, dataclass, fields
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import tokmill
from bench.cases import Case, load_cases
from bench.harness import machine, report
from bench.vocabularies import prepare

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 5
LARGE, SMALL = 10_000_000, 1_000_000


@dataclass(frozen=True)
class Measure:
    """Two times that belong together, in seconds."""

    what: str
    seconds: float
    beside: str
    other_seconds: float
    megabytes: float

    @property
    def ratio(self) -> float:
        """How many times the first the second takes."""
        return self.other_seconds / self.seconds


def main() -> None:
    """Measure, and leave CSV and a summary under `record/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="keep the record")
    full = parser.parse_args().full
    case = next((case for case in load_cases() if case.present and "call" in case.kinds), None)
    if case is None:
        print("own: left out, the English text is not in the data directory")
        return
    measures = [*measure_calls(case), *measure_hard_inputs(case)]
    directory = machine.record_directory(keep=full)
    with (directory / "own.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Measure)])
        writer.writeheader()
        writer.writerows(asdict(measure) for measure in measures)
    (directory / "own.md").write_text(summary(measures), encoding="utf-8")
    print(directory / "own.md")


def measure_calls(case: Case) -> list[Measure]:
    """Threads, decoding and counting on the whole text."""
    tokenizer = load(case)
    text = case.document()
    assert isinstance(text, str)
    data = text.encode()
    lines = text.split("\n")
    megabytes = len(data) / 1e6
    ids = tokenizer.encode(text)
    one = seconds(lambda: tokenizer.encode(text, threads=1))
    batch = seconds(lambda: tokenizer.encode_batch(lines, threads=1))
    two = seconds(lambda: tokenizer.encode(text, threads=2))
    batch_two = seconds(lambda: tokenizer.encode_batch(lines, threads=2))
    counted = seconds(lambda: tokenizer.count(text))
    decoded = seconds(lambda: tokenizer.decode(ids))
    decoded_bytes = seconds(lambda: tokenizer.decode_bytes(ids))
    python = seconds(data.decode)
    return [
        Measure("encode, two threads", two, "one thread", one, megabytes),
        Measure("encode_batch, two threads", batch_two, "one thread", batch, megabytes),
        Measure("count", counted, "encode", one, megabytes),
        Measure("decode", decoded, "bytes.decode", python, megabytes),
        Measure("decode_bytes", decoded_bytes, "bytes.decode", python, megabytes),
    ]


def measure_hard_inputs(case: Case) -> list[Measure]:
    """A fresh tokenizer's time for 10 MB of each hard input, beside that for 1 MB: ten in theory."""
    measures = []
    for name, make in HARD.items():
        large, small = (make(size) for size in (LARGE, SMALL))
        measures.append(Measure(f"1 MB of {name}", cold(case, small), "10 MB", cold(case, large), len(small) / 1e6))
    return measures


def cold(case: Case, data: bytes) -> float:
    """Return the median seconds of a fresh tokenizer's first call."""
    times = []
    for _ in range(3):
        encode = load(case).encode
        times.append(timed(partial(encode, data)))
    return median(times)


def load(case: Case) -> tokmill.Tokenizer:
    """Return a fresh tokenizer."""
    vocabulary = prepare(case)
    return tokmill.Tokenizer.from_file(vocabulary.source, pattern=vocabulary.pattern)


def seconds(call: Callable[[], object]) -> float:
    """Return the median seconds of a warm call."""
    call()
    return median(timed(call) for _ in range(REPEATS))


def timed(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def repeat(unit: str) -> Callable[[int], bytes]:
    """Return a maker of texts that repeat a unit."""
    data = unit.encode()
    return lambda size: (data * (size // len(data) + 1))[: size // len(data) * len(data)]


def noise(size: int) -> bytes:
    """Return bytes without any order, most of them no UTF-8."""
    return random.Random(1).randbytes(size)


HARD: dict[str, Callable[[int], bytes]] = {
    "a^n": repeat("a"),
    "(ab)^n": repeat("ab"),
    "spaces": repeat(" "),
    "spaces, then x": lambda size: b" " * (size - 1) + b"x",
    "zero-width joiners": repeat("\u200d"),
    "combining marks": repeat("\u0301"),
    "random bytes": noise,
    "NULs": repeat("\0"),
    "CJK without spaces": lambda size: "".join(random.Random(2).choices("的一是不了人我在有他", k=size // 3)).encode(),
    "base64": lambda size: base64.b64encode(noise(size * 3 // 4)),
    "one line of JSON": repeat('{"id":12345,"name":"value","list":[1,2,3]},'),
    "special tokens": repeat("<|endoftext|>a"),
}


def summary(measures: list[Measure]) -> str:
    """Return the measures as Markdown."""
    rows = [
        [
            measure.what,
            f"{measure.seconds * 1e3:.2f}",
            f"{measure.megabytes / measure.seconds:.0f}",
            measure.beside,
            f"{measure.other_seconds * 1e3:.2f}",
            f"{measure.ratio:.2f}",
        ]
        for measure in measures
    ]
    header = ["call", "ms", "MB/s", "beside", "ms", "ratio"]
    return (
        "# tokmill beside itself\n\n"
        + report.machine_table(machine.facts())
        + "\n\n"
        + report.table(header, rows)
        + "\n"
    )


if __name__ == "__main__":
    main()
