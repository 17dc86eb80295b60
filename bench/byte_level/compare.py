"""Next-byte distributions beside genlm-bytes: `python -m bench.byte_level.compare [--full]`.

The two do not compute the same. tokmill sums over the sequences that the tokenizer makes, and exactly; genlm-bytes sums
over all sequences, as far as they stay within a beam of K. What is compared is the cost of a next-byte distribution
without the model, and how many contexts the model is asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from statistics import median

import tokmill
from bench.cases import CACHE, Case, load_cases, stem
from bench.harness import machine, report
from bench.harness.fresh import try_to_ask
from bench.harness.jobs import ONE_THREAD
from bench.harness.results import write_csv
from bench.peers import TOKMILL
from bench.vocabularies import prepare

VOCABULARIES = ("cl100k_base", "llama3_1", "o200k_base")
LIBRARIES = (TOKMILL, "genlm-bytes 1", "genlm-bytes 5")
"""The number is the beam."""
WORK = CACHE / "byte_level"
TIMEOUT = 1800.0


@dataclass(frozen=True)
class Cost:
    """What one process found."""

    vocabulary: str
    text: str
    library: str
    build: float
    """Seconds."""
    memory: int
    """Bytes."""
    microseconds: float
    """A byte, without the model."""
    contexts: float
    """A byte."""


def main() -> None:
    """Measure, and leave CSV and a summary under `record/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="three rounds on longer texts; and keep the record")
    full = parser.parse_args().full
    WORK.mkdir(parents=True, exist_ok=True)
    costs = []
    for case in cases():
        path = WORK / f"{case}.json"
        for name in LIBRARIES * (3 if full else 1):
            size = (4_000 if full else 1_000) if name == TOKMILL else (264 if full else 128)
            path.write_text(json.dumps(job(case, size)), encoding="utf-8")
            cost = measure(case, name, str(path))
            costs += [cost] if cost else []
    directory = machine.record_directory(keep=full)
    write_csv(directory / "byte_level.csv", costs)
    parts = ["# Next-byte distributions", report.machine_table(machine.facts()), summary(costs)]
    (directory / "byte_level.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(directory / "byte_level.md")


def cases() -> list[Case]:
    """Return English with the three vocabularies, and code with the last."""
    found = [case for case in load_cases() if case.present and stem(case.vocabulary) in VOCABULARIES]
    return [case for case in found if "english" in case.text or "code" in case.text]


def job(case: Case, size: int) -> dict[str, object]:
    """Return what the worker reads: the begin of the text, and the vocabulary in two forms."""
    vocabulary = prepare(case)
    tokenizer = tokmill.Tokenizer.from_file(vocabulary.source, pattern=vocabulary.pattern)
    ids = sorted(set(tokenizer.vocab().values()) - set(tokenizer.special_tokens.values()))
    return {
        "source": vocabulary.source,
        "pattern": vocabulary.pattern,
        "tokens": [tokenizer.token_bytes(id).hex() for id in ids],
        "text": case.document(size),
    }


def measure(case: Case, name: str, path: str) -> Cost | None:
    """Run one library in a fresh process; None, and said, where it fails."""
    found = try_to_ask(
        f"{case} {name}",
        "bench.byte_level.worker",
        environment="own" if name == TOKMILL else "bytes",
        arguments=[name, path],
        variables=ONE_THREAD,
        timeout=TIMEOUT,
    )
    if found is None:
        return None
    cost = Cost(stem(case.vocabulary), stem(case.text), name, **found)
    print(f"  {case} {name:14} {cost.microseconds:9.1f} us a byte, built in {cost.build:.2f} s", file=sys.stderr)
    return cost


def summary(costs: list[Cost]) -> str:
    """Return the medians as a table."""
    rows = []
    for vocabulary, text, library in dict.fromkeys((cost.vocabulary, cost.text, cost.library) for cost in costs):
        group = [cost for cost in costs if (cost.vocabulary, cost.text, cost.library) == (vocabulary, text, library)]
        rows.append(
            [
                vocabulary,
                text,
                library,
                f"{median(cost.microseconds for cost in group):.1f}",
                f"{group[0].contexts:.2f}",
                f"{median(cost.build for cost in group):.2f}",
                f"{median(cost.memory for cost in group) / 2**20:.0f}",
            ]
        )
    header = ["vocabulary", "text", "library, beam", "us a byte", "contexts a byte", "build s", "MiB"]
    return report.table(header, rows)


if __name__ == "__main__":
    main()
