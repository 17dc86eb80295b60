"""The examples that need torch or transformers run from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_accelerated_tokenizer() -> None:
    assert "the same tensors as without tokmill" in run("accelerate_transformers.py")


def test_two_small_gpts(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    results = tmp_path / "results.json"
    # Its figures need more training than there is time for here.
    assert "fill in" in run("byte_level_gpt.py", "--steps", "3", "--cuts", "6", "--results", str(results))
    figures = json.loads(results.read_text(encoding="utf-8"))
    assert set(figures["bits"]["all 6"]) == {"naive", "healing", "exact", "two models"}
    # A mixture by weights of one half is never worse than a member by more than one bit for the whole passage.
    first, second, *_ = figures["scores"].values()
    assert figures["scores"]["bayes"] < min(first, second) + 0.01
