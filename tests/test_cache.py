"""The caches of a tokenizer: settable, bounded, without a say in the ids."""

from __future__ import annotations

import gc
import pickle
import sys
from pathlib import Path

import peers
import pytest
from texts import CORPUS

import tokmill

MIB = 1 << 20


@pytest.fixture
def tokenizer() -> tokmill.Tokenizer:
    return tokmill.Tokenizer.from_bytes(peers.train("gpt2").to_str())


def resident() -> int:
    """Bytes of memory that the process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


@pytest.mark.parametrize("size", [0, 1, 4096, MIB, 64 * MIB])
def test_ids_do_not_depend_on_it(tokenizer: tokmill.Tokenizer, size: int) -> None:
    twice = CORPUS * 2
    before = [ids.tolist() for ids in tokenizer.encode_batch(twice)]
    file = pickle.dumps(tokenizer)
    tokenizer.cache_bytes = size
    assert tokenizer.cache_bytes == size
    assert [ids.tolist() for ids in tokenizer.encode_batch(twice)] == before
    assert [tokenizer.encode(text).tolist() for text in twice] == before
    assert tokenizer.count_batch(twice).tolist() == [len(ids) for ids in before]
    assert pickle.dumps(tokenizer) == file


def test_wrong_sizes(tokenizer: tokmill.Tokenizer) -> None:
    size = tokenizer.cache_bytes
    with pytest.raises(tokmill.TokmillError, match="cache_bytes"):
        tokenizer.cache_bytes = -1
    with pytest.raises(TypeError):
        tokenizer.cache_bytes = "much"  # type: ignore[assignment]
    assert tokenizer.cache_bytes == size


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("size", [0, 4 * MIB])
def test_distinct_texts_do_not_add_up(tokenizer: tokmill.Tokenizer, size: int) -> None:
    tokenizer.cache_bytes = size
    texts = (f"word{number * 2654435761 % 2**32:x} and{number}" for number in range(200_000))
    before = 0
    for number, text in enumerate(texts):
        tokenizer.encode(text)
        if number == 50_000:
            gc.collect()
            before = resident()
    gc.collect()
    assert resident() - before <= 4 * MIB
