"""Threads, forks and the interpreter lock."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import peers
import pytest
from texts import CORPUS

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BIG = [" ".join(CORPUS) * 20] * 100


def test_many_threads_use_one_object(tokenizer: tokmill.Tokenizer) -> None:
    texts = [f"{text} {index}" * (1 + index % 7) for index in range(40) for text in CORPUS]
    expected = [tokenizer.encode(text).tolist() for text in texts]
    start = threading.Barrier(8)

    def work(offset: int) -> bool:
        start.wait()
        order = [(index + 61 * offset) % len(texts) for index in range(len(texts))]
        same = all(tokenizer.encode(texts[index]).tolist() == expected[index] for index in order)
        batch = tokenizer.encode_batch([texts[index] for index in order], threads=2)
        return same and [row.tolist() for row in batch] == [expected[index] for index in order]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_a_stream_of_each_thread_is_its_own(tokenizer: tokmill.Tokenizer) -> None:
    def work(text: str) -> bool:
        stream = tokenizer.stream()
        return "".join(map(stream.push, tokenizer.encode(text))) + stream.finish() == text

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, CORPUS * 20))


@pytest.fixture
def longest_pause() -> Iterator[Callable[[Callable[[], object]], tuple[float, float]]]:
    """Runs work in a thread while this one keeps looking at the clock: its longest pause, and the work's time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)

    def measure(work: Callable[[], object]) -> tuple[float, float]:
        times: list[float] = []

        def timed() -> None:
            times.append(time.perf_counter())
            work()
            times.append(time.perf_counter())

        thread = threading.Thread(target=timed)
        pause, last = 0.0, time.perf_counter()
        thread.start()
        while thread.is_alive():
            now = time.perf_counter()
            pause, last = max(pause, now - last), now
        thread.join()
        return pause, times[1] - times[0]

    yield measure
    sys.setswitchinterval(interval)


def test_other_threads_run_meanwhile(
    tokenizer: tokmill.Tokenizer, longest_pause: Callable[[Callable[[], object]], tuple[float, float]]
) -> None:
    rows = tokenizer.encode_batch(BIG * 4, threads=1)
    works = {
        "encode": lambda: tokenizer.encode("".join(BIG) * 4),
        "encode_batch": lambda: tokenizer.encode_batch(BIG * 4, threads=1),
        "encode_with_offsets": lambda: tokenizer.encode_with_offsets("".join(BIG) * 4),
        "count": lambda: tokenizer.count("".join(BIG) * 4),
        "decode_bytes": lambda: tokenizer.decode_bytes(rows.values),
    }
    for name, work in works.items():
        # Holding the lock would make one pause as long as the work; other processes may cause one now and then.
        shares = [pause / max(seconds, 1e-9) for pause, seconds in (longest_pause(work) for _ in range(5))]
        assert min(shares) < 0.5, f"{name} holds the interpreter lock"


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_file_is_read_without_the_lock(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = peers.train("gpt2").to_str()
    writer = threading.Thread(target=lambda: pipe.write_text(content, encoding="utf-8"), daemon=True)
    writer.start()
    # Reading waits for the writer, which needs the lock.
    assert len(tokmill.Tokenizer.from_file(pipe)) == 600
    writer.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_after_threads(tokenizer: tokmill.Tokenizer) -> None:
    expected = tokenizer.encode_batch(BIG, threads=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        same = False
        try:
            same = tokenizer.encode_batch(BIG, threads=4) == expected
        finally:
            os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_while_other_threads_encode(tokenizer: tokmill.Tokenizer) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            tokenizer.encode_batch(BIG[:20], threads=2)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                encoded = tokenizer.encode("in the child")
                os._exit(0 if tokenizer.decode(encoded) == "in the child" else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _encode_in_a_process(tokenizer: tokmill.Tokenizer) -> list[int]:
    return tokenizer.encode(CORPUS[0]).tolist()


def test_a_new_process_gets_a_pickle(tokenizer: tokmill.Tokenizer) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_encode_in_a_process, (tokenizer,)) == _encode_in_a_process(tokenizer)


def test_default_threads(tokenizer: tokmill.Tokenizer) -> None:
    expected = tokenizer.encode_batch(BIG)
    try:
        for threads in (1, 3):
            tokmill.set_default_threads(threads)
            assert tokenizer.encode_batch(BIG) == expected
            assert tokenizer.encode_batch(BIG, threads=2) == expected
    finally:
        tokmill.set_default_threads(None)
