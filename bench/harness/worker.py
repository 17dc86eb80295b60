"""One measurement in a process of its own: `python -m bench.harness.worker` reads a job and writes an outcome, as JSON.

A fresh process is what makes the first call cold: no cache of this or another library is warm. The process stays on one
core and asks every thread pool for one thread. The clock runs around the call alone; what the call returned is turned
into ids and freed outside.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cases import read_text
from bench.harness.jobs import Job, Outcome
from bench.peers.interface import Encoder, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

PARAGRAPHS = 40_000
SHORT_CALL = "The quick brown fox jumps."
SHORT_CALLS = 5_000


def main() -> None:
    """Run the job on standard input; peers that print do so on standard error."""
    answer = os.dup(1)
    os.dup2(2, 1)
    job = Job.from_json(sys.stdin.read())
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        outcome = measure(job)
    except Refused as reason:
        outcome = Outcome(refused=str(reason))
    except Exception as error:  # A peer may raise anything; the comparison goes on without it.
        outcome = Outcome(refused=f"{type(error).__name__}: {error}".splitlines()[0][:200])
    os.write(answer, outcome.to_json().encode())


def measure(job: Job) -> Outcome:
    """Load the peer, make the first call, then the warm ones."""
    peer = importlib.import_module(f"bench.peers.{job.peer}")
    started = time.perf_counter()
    encoder: Encoder = peer.load(job.vocabulary)
    load = time.perf_counter() - started
    call, text, to_ids, size = prepare(job, encoder)
    cold, result = timed(call, text)
    ids = to_ids(result)
    del result
    repeats = SHORT_CALLS if job.kind == "call" else 1
    warm = [timed_often(call, text, repeats) for _ in range(job.warm)]
    return Outcome(load=load, cold=cold, warm=warm, size=size, tokens=len(ids), digest=digest(ids))


def prepare(job: Job, encoder: Encoder) -> tuple[Callable[[Any], Any], Any, Callable[[Any], np.ndarray], int]:
    """Return the call to time, what to give it, how to see its ids, and the size of the input in bytes."""
    if job.short:
        return encoder.encode_short or encoder.encode, SHORT_CALL, encoder.ids, len(SHORT_CALL)
    text = read_text(Path(job.text), job.limit, binary=job.binary)
    if isinstance(text, bytes):
        return encoder.encode, text if encoder.takes_bytes else text.decode("latin-1"), encoder.ids, len(text)
    if job.kind == "document":
        return encoder.encode, text, encoder.ids, len(text.encode())
    if encoder.encode_batch is None:
        raise Refused("it has no call for a batch")
    paragraphs = [line for line in text.split("\n") if line][:PARAGRAPHS]
    return encoder.encode_batch, paragraphs, encoder.batch_ids, sum(len(line.encode()) for line in paragraphs)


def timed(call: Callable[[Any], Any], argument: Any) -> tuple[float, Any]:
    """Return the seconds of one call, and its result."""
    started = time.perf_counter()
    result = call(argument)
    return time.perf_counter() - started, result


def timed_often(call: Callable[[Any], Any], argument: Any, repeats: int) -> float:
    """Return the seconds of a call, the mean over `repeats` in a row."""
    if repeats == 1:
        return timed(call, argument)[0]
    started = time.perf_counter()
    for _ in range(repeats):
        call(argument)
    return (time.perf_counter() - started) / repeats


def digest(ids: np.ndarray) -> str:
    """Return a SHA-256 over the ids as little-endian uint32."""
    return hashlib.sha256(ids.astype("<u4").tobytes()).hexdigest()


if __name__ == "__main__":
    main()
