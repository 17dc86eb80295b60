"""Tokmill beside its peers: `python -m bench.harness.compare [--full]`.

For each input every peer first encodes a sample of 2 MB, which tells who refuses, who is wrong, and who is slow. Slow
peers stay with the sample. The others then take turns on the whole input (A B C A B C ...), a fresh process each turn,
so a machine that changes its speed changes it for all.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from bench.cases import DATA, Case, load_cases, stem
from bench.harness import machine, picture, report
from bench.harness.jobs import Job, Outcome, run
from bench.harness.reference import NoReference, right_answer, verdict
from bench.harness.results import EXACT, Sample, read_csv, renewed, summarize, write_csv
from bench.peers import PEERS, TOKMILL
from bench.vocabularies import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE_BYTES = 2_000_000


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    limit: int | None
    """Bytes of each text, or all of it."""
    slow: float
    """MB/s under which a peer stays with the sample."""
    slow_rounds: int


QUICK = Plan(rounds=3, limit=4_000_000, slow=20.0, slow_rounds=1)
FULL = Plan(rounds=5, limit=None, slow=5.0, slow_rounds=5)


def main() -> None:
    """Measure, and leave CSV, pictures and a summary under `record/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="every case whole, and keep the record")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="leave out inputs once this much has passed"
    )
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--only", nargs="+", default=[""], help="inputs whose name contains one of these")
    parser.add_argument("--add", action="store_true", help="keep what the record has of other inputs")
    options = parser.parse_args()
    directory = machine.record_directory(keep=options.full)
    earlier = read_csv(directory / "samples.csv", Sample) if options.add else []
    facts = machine.facts() | {f"{name} version": version for name, version in machine.versions().items()}
    deadline = time.monotonic() + options.seconds
    samples: list[Sample] = []
    left_out = []
    for job, case in inputs(full=options.full):
        name = f"{case} {job.kind}"
        if not any(part in name for part in options.only):
            continue
        if time.monotonic() > deadline:
            left_out.append(name)
            continue
        print(f"{name}:", file=sys.stderr)
        try:
            samples += compare(job, FULL if options.full else QUICK, [TOKMILL, *set_order(options.peers)])
        except NoReference as reason:
            left_out.append(f"{name} ({reason})")
        write_csv(directory / "samples.csv", renewed(earlier, samples))
    results = summarize(renewed(earlier, samples))
    write_csv(directory / "results.csv", results)
    report.write(directory, facts, results, left_out)
    picture.write(directory, facts, results)
    print(directory / "summary.md")


def set_order(peers: list[str]) -> list[str]:
    """Return the chosen peers without tokmill, in the order of the table."""
    return [peer for peer in PEERS if peer in peers and peer != TOKMILL]


def inputs(*, full: bool) -> Iterator[tuple[Job, Case]]:
    """Every case in every way that it is to be measured."""
    for case in load_cases():
        if not (full or case.quick):
            continue
        if not case.present:
            print(f"{case}: left out, its files are not in {DATA}", file=sys.stderr)
            continue
        vocabulary = prepare(case)
        job = Job(TOKMILL, vocabulary, str(DATA / case.text), binary=case.bytes)
        forms = {"load": vocabulary.only_json, "load_tiktoken": vocabulary.only_tiktoken}
        for kind in case.kinds + (case.full_kinds if full else ()):
            yield replace(job, kind=kind, vocabulary=forms[kind]() if kind in forms else vocabulary), case


def compare(job: Job, plan: Plan, peers: list[str]) -> list[Sample]:
    """Measure peers on one input, in turns."""
    whole = job if job.short else replace(job, limit=plan.limit)
    part = job if job.short else replace(job, limit=min(SAMPLE_BYTES, plan.limit or SAMPLE_BYTES))
    samples = []
    turns = {}
    for peer in peers:
        first = measure(replace(part, peer=peer, warm=1))
        fast = first.status == EXACT and (job.short or speed(first) >= plan.slow)
        turns[peer] = (whole, plan.rounds) if fast else (part, plan.slow_rounds - 1)
        if not fast:
            samples.append(first)
        if first.status != EXACT:
            del turns[peer]
    for number in range(plan.rounds):
        for peer, (turn, rounds) in turns.items():
            if number < rounds:
                samples.append(measure(replace(turn, peer=peer)))
    return samples


def speed(sample: Sample) -> float:
    """MB/s of the later calls."""
    return sample.size / sample.warm / 1e6


def measure(job: Job) -> Sample:
    """Run one process and judge its ids."""
    outcome = run(job)
    status = verdict(outcome, right_answer(job))
    sample = to_sample(job, outcome, status)
    remark = f"{outcome.size / 1e6 / sample.warm:8.1f} MB/s warm" if sample.warm else ""
    print(f"  {job.peer:16} {status[:80]:10} {remark}", file=sys.stderr)
    return sample


def to_sample(job: Job, outcome: Outcome, status: str) -> Sample:
    """Keep what the tables need."""
    warm = median(outcome.warm) if outcome.warm else 0.0
    names = (job.kind, job.vocabulary.name, stem(job.text), job.peer, status)
    return Sample(*names, outcome.size, outcome.load, outcome.cold, warm)


if __name__ == "__main__":
    main()
