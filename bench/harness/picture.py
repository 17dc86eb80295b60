"""Bar charts of a run: one picture a vocabulary and kind of input, one panel a text, one row a library.

The scale is linear, so that twice as long is twice as fast. Warm is the full bar, cold the dark one inside it; a
library with other ids than the owner's is hatched, says so, and stands below all exact ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.harness.results import EXACT, Result
from bench.peers import TOKMILL

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

OURS = ("#f4a261", "#c8501e")
THEIRS = ("#b8c4d0", "#5b7083")
"""Warm and cold."""
WRONG_FACE = "#f2f2f2"


def write(directory: Path, facts: dict[str, str], results: list[Result]) -> None:
    """Write `KIND-VOCABULARY.svg` for every vocabulary and kind with speeds."""
    shown = [result for result in results if result.kind in ("document", "paragraphs") and result.measured]
    for kind, vocabulary in dict.fromkeys((result.kind, result.vocabulary) for result in shown):
        chosen = [result for result in shown if (result.kind, result.vocabulary) == (kind, vocabulary)]
        draw(directory / f"{kind}-{vocabulary}.svg", f"{vocabulary}, one thread, {kind}", facts, chosen)


def draw(path: Path, title: str, facts: dict[str, str], results: list[Result]) -> None:
    """Draw one picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"font.family": "sans-serif", "font.size": 9, "svg.hashsalt": "tokmill"})
    from matplotlib import pyplot

    texts = list(dict.fromkeys(result.text for result in results))
    rows = max(sum(result.text == text for result in results) for text in texts)
    figure, axes = pyplot.subplots(
        1, len(texts), figsize=(1.2 + 4.2 * len(texts), 1.5 + 0.34 * rows), squeeze=False, layout="constrained"
    )
    for axis, text in zip(axes[0], texts, strict=True):
        panel(axis, text, [result for result in results if result.text == text])
    figure.suptitle(title, fontsize=12, fontweight="bold")
    figure.supxlabel(
        f"MB/s: whole bar warm, dark part a fresh tokenizer's first call.  {facts['cpu']}, {facts['date']}", fontsize=8
    )
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def panel(axis: Axes, text: str, results: list[Result]) -> None:
    """Draw the libraries on one text, fastest on top, wrong ones last."""
    results = sorted(results, key=lambda result: (result.status == EXACT, result.warm_speed))
    longest = max(result.warm_speed for result in results if result.status == EXACT)
    for row, result in enumerate(results):
        warm, cold = OURS if result.peer == TOKMILL else THEIRS
        if result.status == EXACT:
            axis.barh(row, result.warm_speed, color=warm, height=0.72)
            axis.barh(row, min(result.cold_speed, result.warm_speed), color=cold, height=0.34)
            label = f"{result.warm_speed:.0f}  ({result.cold_speed:.0f})"
            end = result.warm_speed
        else:
            end = min(result.warm_speed, longest)
            axis.barh(row, end, color=WRONG_FACE, edgecolor="#999999", hatch="////", height=0.72)
            label = result.status
        weight = "bold" if result.peer == TOKMILL else "normal"
        axis.text(end + longest * 0.015, row, label, va="center", fontsize=8, fontweight=weight)
    axis.set_yticks(range(len(results)), [result.peer.replace("_", "-") for result in results])
    for tick, result in zip(axis.get_yticklabels(), results, strict=True):
        tick.set_fontweight("bold" if result.peer == TOKMILL else "normal")
    axis.set_xlim(0, longest * 1.25)
    axis.set_title(text.replace("_", " "), fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
