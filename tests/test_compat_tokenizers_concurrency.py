"""The face of tokenizers under threads, in forks and in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import peers
import pytest
from texts import CORPUS

import tokmill
from tokmill.compat import tokenizers

TEXTS = [f"{text} {number}" for number in range(8) for text in CORPUS]
BIG = [" ".join(CORPUS) * 20] * 100
linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def face() -> Any:
    return tokenizers.Tokenizer.from_str(peers.train("gpt2").to_str())


def encoded(face: Any, texts: list[str]) -> list[tuple[Any, ...]]:
    return [(one.ids, one.offsets, one.tokens, one.word_ids) for one in face.encode_batch(texts)]


def test_64_threads_at_once(face: Any) -> None:
    expected = encoded(face, TEXTS)
    decoded = face.decode_batch([ids for ids, *_ in expected])
    fresh = tokenizers.Tokenizer.from_str(face.to_str())
    start = threading.Barrier(64)

    def work(number: int) -> bool:
        start.wait()
        at = number % len(TEXTS)
        texts = TEXTS[at:] + TEXTS[:at]
        right = expected[at:] + expected[:at]
        return encoded(fresh, texts) == right and fresh.decode_batch([ids for ids, *_ in right]) == (
            decoded[at:] + decoded[:at]
        )

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(work, range(64)))


@forks
def test_fork_in_the_middle_of_a_batch(face: Any) -> None:
    expected = encoded(face, TEXTS)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            face.encode_batch(BIG[:20])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            with warnings.catch_warnings():
                # Python's own, of later versions, about forks of processes with threads.
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                os._exit(0 if encoded(face, TEXTS) == expected else 1)
            deadline = time.monotonic() + 60
            while os.waitpid(child, os.WNOHANG) == (0, 0):
                assert time.monotonic() < deadline, "the child hangs"
                time.sleep(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def most_threads(tokenizer: tokmill.Tokenizer, threads: int | None) -> int:
    """How many threads more there are at most while a large batch is encoded."""
    tasks = Path("/proc/self/task")
    ready, done = threading.Event(), threading.Event()
    counts: list[int] = []

    def watch() -> None:
        counts.append(len(list(tasks.iterdir())))
        ready.set()
        while not done.is_set():
            counts.append(len(list(tasks.iterdir())))

    watcher = threading.Thread(target=watch)
    watcher.start()
    ready.wait()
    for _ in range(10):
        tokenizer.encode_batch(BIG, threads=threads)
    done.set()
    watcher.join()
    return max(counts) - counts[0]


def _most_threads_here(tokenizer: tokmill.Tokenizer) -> tuple[int, int]:
    return most_threads(tokenizer, None), most_threads(tokenizer, 4)


@linux
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_one_thread_by_default_in_a_worker(tokenizer: tokmill.Tokenizer, start: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context(start).Pool(1) as pool:
            by_default, asked = pool.apply(_most_threads_here, (tokenizer,))
    assert by_default == 0
    assert asked > 0


PICKLE = """
import pickle, sys
from tokmill.compat import tokenizers
face = tokenizers.Tokenizer.from_str(sys.stdin.read())
if "used" in sys.argv:
    face.encode_batch(["Some text", "and more"])
    face.decode(face.encode("Some text").ids)
sys.stdout.buffer.write(pickle.dumps(face))
"""


def test_pickles_are_the_same_in_every_process_and_after_use(face: Any) -> None:
    made = []
    for arguments in [[], ["used"], []]:
        done = subprocess.run(
            [sys.executable, "-c", PICKLE, *arguments], input=face.to_str().encode(), capture_output=True, check=True
        )
        made.append(done.stdout)
    assert len(set(made)) == 1
    assert encoded(pickle.loads(made[0]), TEXTS) == encoded(face, TEXTS)
