"""Every example runs and says what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

# How a line begins that the example prints.
PROMISES = {
    "binary_tokens.py": "bytes per token ",
    "byte_level_ngram.py": "bytes       b'scanne' then 'r': 0.9",
    "compat_sentencepiece.py": "the same ids, pieces and offsets as sentencepiece",
    "compat_tiktoken.py": "the same ids as tiktoken",
    "compat_tokenizers.py": "the same encodings as tokenizers",
    "offsets.py": "bytes covered: 24 of 24",
    "padded_batch.py": "left-padded (4, 16) ",
    "streaming_decode.py": "ids that completed no character:",
    "train_on_iterator.py": "ids 1000 special {'<|endoftext|>': 0}",
}


ELSEWHERE = {"accelerate_transformers.py", "byte_level_gpt.py", "demo.py"}
"""Run by `make demo` and `make test-integrations`."""


def test_every_example_is_listed() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*PROMISES, *ELSEWHERE}


@pytest.mark.parametrize("name", sorted(PROMISES))
def test_example(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert any(line.startswith(PROMISES[name]) for line in done.stdout.splitlines()), done.stdout
