"""One measurement in a process of its own: `python -m bench.byte_level.worker LIBRARY FILE`.

FILE is JSON: the vocabulary's file and pattern, its tokens in hexadecimal, and the text. Every context gets the same
logits, from a seeded normal distribution, so the model costs nothing. Times are of the processor, on one thread. The
answer on standard output is JSON: seconds to build, bytes of memory it took, microseconds a byte, contexts a byte.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

WARM = 64
"""Bytes at the begin of the text that are not timed."""


def main() -> None:
    """Measure one library."""
    answer = os.dup(1)
    os.dup2(2, 1)
    library, path = sys.argv[1:]
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    found = asyncio.run(tokmill(job) if library == "tokmill" else genlm(job, int(library.removeprefix("genlm-bytes "))))
    os.write(answer, json.dumps(found).encode())


def fixed_logits(vocab_size: int) -> np.ndarray:
    """Logits that look like those of a model that has not made up its mind."""
    return np.random.default_rng(1).normal(0, 3, vocab_size).astype(np.float32)


async def tokmill(job: dict[str, Any]) -> dict[str, float]:
    """The canonical semantics, one request and one distribution a byte."""
    from tokmill import ByteEngine, Tokenizer

    tokenizer = Tokenizer.from_file(job["source"], pattern=job["pattern"])
    before, started = memory(), time.process_time()
    engine = ByteEngine(tokenizer)
    build, took = time.process_time() - started, memory() - before
    rows = np.tile(fixed_logits(engine.vocab_size), (16, 1))
    state = engine.start()
    contexts = 0

    async def step(byte: int) -> None:
        nonlocal contexts
        request = state.pending()
        contexts += len(request)
        state.supply(request, rows[: len(request)])
        state.next()
        state.push(bytes([byte]))

    microseconds = await timed(step, job["text"].encode())
    return result(build, took, microseconds, contexts, job)


async def genlm(job: dict[str, Any], beam: int) -> dict[str, float]:
    """All segmentations, within a beam."""
    import torch
    from genlm.backend.llm.base import AsyncLM
    from genlm.backend.tokenization import Token
    from genlm.bytes import BeamParams, ByteBeamState

    contexts = 0

    class Free(AsyncLM):  # type: ignore[misc, unused-ignore]
        """A model that costs nothing."""

        def __init__(self, tokens: list[bytes]) -> None:
            self.byte_vocab = [Token(token_id=id, byte_string=token) for id, token in enumerate(tokens)]
            self.tokenizer = type("Tokenizer", (), {"bos_token_id": 0})
            self._log_probs = torch.log_softmax(torch.from_numpy(fixed_logits(len(tokens))), dim=0)

        async def next_token_logprobs(self, token_ids: list[int], lora_name: str | None = None) -> torch.Tensor:
            nonlocal contexts
            contexts += 1
            return self._log_probs

        def next_token_logprobs_sync(self, token_ids: list[int], lora_name: str | None = None) -> torch.Tensor:
            return self._log_probs

    lm = Free([bytes.fromhex(token) for token in job["tokens"]])
    before, started = memory(), time.process_time()
    state = await ByteBeamState.initial(lm, BeamParams(K=beam))
    build, took = time.process_time() - started, memory() - before

    async def step(byte: int) -> None:
        nonlocal state
        await state.logp_next()
        state = await (state.prune() << byte)

    microseconds = await timed(step, job["text"].encode())
    return result(build, took, microseconds, contexts, job)


async def timed(step: Callable[[int], Awaitable[None]], text: bytes) -> float:
    """Return the microseconds of the processor for a byte of a text, after the first ones."""
    started = 0.0
    for at, byte in enumerate(text):
        if at == WARM:
            started = time.process_time()
        await step(byte)
    return (time.process_time() - started) * 1e6 / (len(text) - WARM)


def memory() -> int:
    """Return the bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def result(build: float, took: int, microseconds: float, contexts: int, job: dict[str, Any]) -> dict[str, float]:
    """Return the answer."""
    per_byte = contexts / len(job["text"].encode())
    return {"build": build, "memory": took, "microseconds": microseconds, "contexts": per_byte}


if __name__ == "__main__":
    main()
