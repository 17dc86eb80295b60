"""One training in a process of its own: `python -m bench.training.worker TRAINER PATH VOCAB_SIZE THREADS ENTRIES`.

Writes seconds, processor seconds and peak memory as JSON to standard output, and the entries, one a line in
hexadecimal, to ENTRIES. Peak memory is the process's largest resident set until the training ends, the interpreter with
the library included.
"""

from __future__ import annotations

import json
import os
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
    started, cpu = time.perf_counter(), time.process_time()
    entries = TRAINERS[name](path, int(vocab_size), int(threads))
    found = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu, "peak": peak()}
    Path(target).write_text("\n".join(entry.hex() for entry in entries()), encoding="ascii")
    os.write(answer, json.dumps(found).encode())


def peak() -> int:
    """Return the largest resident set of this process in bytes, without that of the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
