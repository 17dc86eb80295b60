"""Jobs, outcomes, and the processes that turn one into the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.cases import CACHE, ROOT
from bench.peers import PEERS
from bench.vocabularies import Vocabulary

ONE_THREAD = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
TIMEOUT = 600.0
"""Seconds after which a peer is given up."""


@dataclass(frozen=True)
class Job:
    """What a worker measures."""

    peer: str
    vocabulary: Vocabulary
    text: str
    kind: str = "document"
    """`document`: one call with the text. `paragraphs`: one call with its lines. `call`: many calls with a few words.
    `load` and `load_tiktoken`: the same as `call`, the vocabulary in that form only."""
    limit: int | None = None
    """How many bytes of the text to take."""
    binary: bool = False
    warm: int = 3
    """How many calls after the first."""

    @property
    def short(self) -> bool:
        """Whether the input is a few words and not the text."""
        return self.kind not in ("document", "paragraphs")

    def to_json(self) -> str:
        """Return the job as the worker reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "vocabulary": Vocabulary(**fields["vocabulary"])})


@dataclass(frozen=True)
class Outcome:
    """What a worker found: seconds, or why there are none."""

    load: float = 0.0
    cold: float = 0.0
    warm: list[float] = field(default_factory=list)
    size: int = 0
    """Bytes of input."""
    tokens: int = 0
    digest: str = ""
    refused: str | None = None

    def to_json(self) -> str:
        """Return the outcome as `run` reads it."""
        return json.dumps(asdict(self))


def interpreters() -> dict[str, str]:
    """Return the Python of each environment; `BENCH_STABLE` and so on name others than make has made."""
    return {
        "own": sys.executable,
        "stable": os.environ.get("BENCH_STABLE", str(CACHE / "peers-stable" / "bin" / "python")),
        "next": os.environ.get("BENCH_NEXT", str(CACHE / "peers-next" / "bin" / "python")),
        "bytes": os.environ.get("BENCH_BYTES", str(CACHE / "peers-bytes" / "bin" / "python")),
    }


def run(job: Job) -> Outcome:
    """Run a job in a fresh process."""
    python = interpreters()[PEERS[job.peer].environment]
    if not Path(python).exists():
        return Outcome(refused="its environment is not there: run `make peers`")
    command = [python, "-m", "bench.harness.worker"]
    try:
        process = subprocess.run(
            command,
            input=job.to_json(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env=os.environ | ONE_THREAD,
            cwd=ROOT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(refused=f"no result in {TIMEOUT:.0f} s")
    if process.returncode != 0:
        last = process.stderr.strip().splitlines()[-1:] or ["no message"]
        return Outcome(refused=f"ended with status {process.returncode}: {last[0][:200]}")
    return Outcome(**json.loads(process.stdout))
