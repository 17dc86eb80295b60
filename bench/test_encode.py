"""Encoding through the Python face, beside the library that owns the tokenizer, on the cases of `cases.toml`.

A case is one document of real text and one thread. Every library has its tokens counted before it is timed, so a wrong
run has no speed. Texts are cut to 1 MB so that slow peers finish soon; `TOKMILL_BENCH=full` takes them whole.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

import pytest

from bench.cases import DATA, PREFIX_BYTES, Case, load_cases
from bench.vocabularies import prepare

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

LIMIT = None if os.environ.get("TOKMILL_BENCH") == "full" else PREFIX_BYTES
CASES = load_cases()


@pytest.mark.parametrize("engine", ["tokmill", "owner"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_encode(benchmark: BenchmarkFixture, case: Case, engine: str) -> None:
    if not case.present:
        pytest.skip(f"{case} is not in {DATA}")
    vocabulary = prepare(case)
    encoder = importlib.import_module(f"bench.peers.{vocabulary.owner if engine == 'owner' else engine}").load(
        vocabulary
    )
    text = case.document(LIMIT)
    size = len(text if isinstance(text, bytes) else text.encode())
    if isinstance(text, bytes) and not encoder.takes_bytes:
        text = text.decode("latin-1")
    assert len(encoder.ids(encoder.encode(text))) == (case.tokens_whole if LIMIT is None else case.tokens)
    benchmark.group = str(case)
    benchmark.extra_info["bytes"] = size
    benchmark.pedantic(encoder.encode, args=(text,), rounds=3, warmup_rounds=0)
