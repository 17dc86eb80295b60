"""The example that needs torch runs from end to end; its figures need more training than there is time for here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "byte_level_gpt.py"


def test_two_small_gpts(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    arguments = ["--steps", "3", "--cuts", "6", "--results", str(results)]
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), *arguments], capture_output=True, encoding="utf-8", check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "fill in" in done.stdout
    figures = json.loads(results.read_text(encoding="utf-8"))
    assert set(figures["bits"]["all 6"]) == {"naive", "healing", "exact", "two models"}
    # A mixture by weights of one half is never worse than a member by more than one bit for the whole passage.
    first, second, *_ = figures["scores"].values()
    assert figures["scores"]["bayes"] < min(first, second) + 0.01
