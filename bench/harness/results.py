"""Samples of peers, their medians, and the files that hold them.

A sample is one process: the seconds of its load, its first call and its later ones. A result is the medians of one peer
on one input. Only peers with the owner's ids are `exact`; the others keep their numbers, marked, and are not compared.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from statistics import median
from typing import TYPE_CHECKING, Any, get_type_hints

from bench.peers import TOKMILL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

EXACT = "exact"
WRONG = "wrong ids"


@dataclass(frozen=True)
class Sample:
    """One process of one peer; seconds are 0 where it refused."""

    kind: str
    vocabulary: str
    text: str
    peer: str
    status: str
    """`exact`, `wrong ids`, or the reason of a refusal."""
    size: int = 0
    load: float = 0.0
    cold: float = 0.0
    warm: float = 0.0
    """The median of the later calls."""

    @property
    def input(self) -> tuple[str, str, str]:
        """What was encoded, in which way."""
        return self.kind, self.vocabulary, self.text


@dataclass(frozen=True)
class Result:
    """The medians of one peer on one input."""

    kind: str
    vocabulary: str
    text: str
    peer: str
    status: str
    samples: int
    size: int
    load: float
    cold: float
    warm: float

    @property
    def measured(self) -> bool:
        """Whether there are times."""
        return self.status in (EXACT, WRONG)

    @property
    def cold_speed(self) -> float:
        """MB/s of the first call."""
        return self.size / self.cold / 1e6

    @property
    def warm_speed(self) -> float:
        """MB/s of the later calls."""
        return self.size / self.warm / 1e6


def renewed(earlier: Iterable[Sample], samples: Sequence[Sample]) -> list[Sample]:
    """Return samples behind those earlier ones of other inputs. Ratios are of one run, so inputs are replaced whole."""
    inputs = {sample.input for sample in samples}
    return [*(sample for sample in earlier if sample.input not in inputs), *samples]


def summarize(samples: Iterable[Sample]) -> list[Result]:
    """Return one result a peer and input, in order of first appearance. One wrong sample makes a peer wrong."""
    groups: dict[tuple[str, str, str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((*sample.input, sample.peer), []).append(sample)
    results = []
    for key, group in groups.items():
        status = next((sample.status for sample in group if sample.status != EXACT), EXACT)
        largest = max(sample.size for sample in group)
        kept = [sample for sample in group if sample.size == largest]
        load, cold, warm = (median(getattr(sample, name) for sample in kept) for name in ("load", "cold", "warm"))
        results.append(Result(*key, status, len(kept), largest, load, cold, warm))
    return results


@dataclass(frozen=True)
class Ratio:
    """Tokmill against the fastest exact peer on one input."""

    kind: str
    vocabulary: str
    text: str
    temperature: str
    ours: float
    theirs: float
    peer: str

    @property
    def factor(self) -> float:
        """How many times as fast."""
        return self.ours / self.theirs


def ratios(results: list[Result]) -> list[Ratio]:
    """Return cold and warm ratios for every input where tokmill and some peer are exact."""
    inputs = dict.fromkeys((result.kind, result.vocabulary, result.text) for result in results)
    found = []
    for key in inputs:
        exact = [r for r in results if (r.kind, r.vocabulary, r.text) == key and r.status == EXACT]
        ours = [result for result in exact if result.peer == TOKMILL]
        peers = [result for result in exact if result.peer != TOKMILL]
        for temperature in ("warm", "cold") if ours and peers else ():
            best = max(peers, key=lambda result: getattr(result, f"{temperature}_speed"))
            speeds = (getattr(result, f"{temperature}_speed") for result in (ours[0], best))
            found.append(Ratio(*key, temperature, *speeds, best.peer))
    return found


def write_csv(path: Path, rows: Sequence[Any]) -> None:
    """Write dataclasses as CSV with a header."""
    if not rows:
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(rows[0])])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_csv(path: Path, kind: type[Any]) -> list[Any]:
    """Read dataclasses, whose fields are numbers and strings, from what `write_csv` wrote; none where no file is."""
    if not path.exists():
        return []
    types = get_type_hints(kind)
    with path.open(newline="", encoding="utf-8") as file:
        return [kind(**{name: types[name](value) for name, value in row.items()}) for row in csv.DictReader(file)]
