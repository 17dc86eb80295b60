"""The picture of docs/byte_level.md: `python -m bench.byte_level.picture`.

Drawn from `docs/byte_level.json`, which `examples/byte_level_gpt.py --results` writes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bench.cases import ROOT
from bench.harness.picture import OURS, THEIRS

if TYPE_CHECKING:
    from pathlib import Path

WAYS = {
    "naive": ("tokenize and go on", THEIRS[1]),
    "healing": ("token healing", THEIRS[0]),
    "exact": ("exact", OURS[1]),
    "two models": ("exact, two models", OURS[0]),
}


def main() -> None:
    """Write `docs/byte_level.svg`."""
    figures = json.loads((ROOT / "docs" / "byte_level.json").read_text(encoding="utf-8"))
    draw(ROOT / "docs" / "byte_level.svg", figures["bits"])


def draw(path: Path, bits: dict[str, dict[str, float]]) -> None:
    """Draw a group of bars for each kind of cut, one for each way to ask."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"font.family": "sans-serif", "font.size": 9, "svg.hashsalt": "tokmill"})
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 3.4), layout="constrained")
    width = 0.8 / len(WAYS)
    for at, (way, (label, color)) in enumerate(WAYS.items()):
        places = [group + (at - (len(WAYS) - 1) / 2) * width for group in range(len(bits))]
        bars = axis.bar(places, [row[way] for row in bits.values()], width * 0.94, color=color, label=label)
        axis.bar_label(bars, fmt="%.2f", padding=2, fontsize=8)
    axis.set_xticks(range(len(bits)), [f"cut {where}" if "all" not in where else f"{where} cuts" for where in bits])
    axis.set_ylabel("bits for the next byte")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    main()
