"""The ids that are right: those of the library that owns the vocabulary, counted once and kept by digest.

The owner is slow (2 to 20 MB/s), so its answers are kept in `.cache/reference.json`, under everything they depend on.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cases import CACHE
from bench.harness.jobs import Outcome, run

if TYPE_CHECKING:
    from bench.harness.jobs import Job

KEPT = CACHE / "reference.json"


class NoReference(Exception):
    """The owner of a vocabulary does not encode the input, so nothing can be judged."""


def right_answer(job: Job) -> Outcome:
    """Return the outcome of the owner for the input of `job`."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    key = "|".join([job.kind, str(job.limit), identity(job.text), identity(job.vocabulary.source)])
    if key not in kept:
        outcome = run(replace(job, peer=job.vocabulary.owner, warm=0))
        if outcome.refused is not None:
            raise NoReference(f"the owner {job.vocabulary.owner} gives no reference: {outcome.refused}")
        kept[key] = {"tokens": outcome.tokens, "digest": outcome.digest}
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return Outcome(**kept[key])


def identity(path: str) -> str:
    """Name a file by its name, size and time of change."""
    facts = Path(path).stat()
    return f"{Path(path).name}:{facts.st_size}:{facts.st_mtime_ns}"


def verdict(outcome: Outcome, right: Outcome) -> str:
    """Say `exact`, `wrong ids`, or why there are none."""
    if outcome.refused is not None:
        return outcome.refused
    same = (outcome.tokens, outcome.digest) == (right.tokens, right.digest)
    return "exact" if same else "wrong ids"
