"""Pictures of training: seconds and memory beside the peers."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bench.harness.picture import OURS, THEIRS
from bench.peers import TOKMILL

if TYPE_CHECKING:
    from pathlib import Path

    from bench.training.compare import Training


def write(directory: Path, facts: dict[str, str], rows: list[Training]) -> None:
    """Write `training-CORPUS-SIZE.svg` for every input."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"font.family": "sans-serif", "font.size": 9, "svg.hashsalt": "tokmill"})
    for corpus, vocab_size in dict.fromkeys((row.corpus, row.vocab_size) for row in rows):
        chosen = [row for row in rows if (row.corpus, row.vocab_size) == (corpus, vocab_size)]
        bars(directory / f"training-{corpus}-{vocab_size}.svg", f"{corpus} to {vocab_size:,}", facts, chosen)


def bars(path: Path, title: str, facts: dict[str, str], rows: list[Training]) -> None:
    """Draw seconds and peak memory, the fastest on top; linear, shorter is better."""
    from matplotlib import pyplot

    names = dict.fromkeys(row.trainer for row in rows)
    seconds = {name: median(row.seconds for row in rows if row.trainer == name) for name in names}
    peaks = {name: max(row.peak for row in rows if row.trainer == name) / 2**30 for name in names}
    order = sorted(names, key=seconds.__getitem__, reverse=True)
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 1.3 + 0.38 * len(order)), sharey=True, layout="constrained")
    for axis, values, unit in zip(axes, (seconds, peaks), ("seconds", "peak GiB"), strict=True):
        colors = [OURS[1] if name == TOKMILL else THEIRS[0] for name in order]
        drawn = axis.barh(order, [values[name] for name in order], color=colors, height=0.7)
        axis.bar_label(drawn, [f"{values[name]:.2f}" for name in order], padding=3, fontsize=8)
        axis.set_xlim(0, max(values.values()) * 1.15)
        axis.set_title(unit, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"Training BPE, two threads: {title}", fontweight="bold")
    figure.supxlabel(f"{facts['cpu']}, {facts['date']}", fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
