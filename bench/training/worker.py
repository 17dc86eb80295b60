"""One training in a process of its own: `python -m bench.training.worker TRAINER PATH VOCAB_SIZE THREADS ENTRIES`.

Writes seconds and peak memory as JSON to standard output, and the entries, one a line in hexadecimal, to ENTRIES. Peak
memory is the process's largest resident set until the training ends, the interpreter with the library included.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

from bench.training.trainers import TRAINERS


def main() -> None:
    """Train once."""
    answer = os.dup(1)
    os.dup2(2, 1)
    name, path, vocab_size, threads, target = sys.argv[1:]
    cores = sorted(os.sched_getaffinity(0))[-int(threads) :]
    os.sched_setaffinity(0, cores)
    __import__(name)
    started = time.perf_counter()
    entries = TRAINERS[name](path, int(vocab_size), int(threads))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    Path(target).write_text("\n".join(entry.hex() for entry in entries()), encoding="ascii")
    os.write(answer, json.dumps({"seconds": seconds, "peak": peak}).encode())


if __name__ == "__main__":
    main()
