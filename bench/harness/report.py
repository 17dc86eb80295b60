"""The summary of a run, in Markdown: the machine, the ratios, the speeds, and who cannot do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.harness.results import EXACT, Result, ratios

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ("document", "paragraphs")


def write(directory: Path, facts: dict[str, str], results: list[Result], left_out: list[str]) -> None:
    """Write `summary.md`."""
    parts = ["# Encoding beside the peers", machine_table(facts), overview(results), ratio_table(results)]
    parts += [speed_table(results, kind) for kind in TEXTS]
    parts += [time_table(results, "call", "warm", 1e6, "microseconds a call of 26 characters")]
    parts += [time_table(results, kind, "load", 1e3, f"milliseconds to {kind}") for kind in ("load", "load_tiktoken")]
    parts += [refusals(results)]
    if left_out:
        parts.append("Not measured, for want of time or for the reason said: " + ", ".join(left_out) + ".")
    (directory / "summary.md").write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def machine_table(facts: dict[str, str]) -> str:
    """Return the facts, one a row."""
    return table(["", ""], [[name, value] for name, value in facts.items()])


def overview(results: list[Result]) -> str:
    """Return the ratios alone, a row a vocabulary and kind of input, a column a text."""
    found = [ratio for ratio in ratios(results) if ratio.kind in TEXTS]
    texts = list(dict.fromkeys(ratio.text for ratio in found))
    cells: dict[tuple[str, str], dict[str, list[str]]] = {}
    for ratio in found:
        row = cells.setdefault((ratio.vocabulary, ratio.kind), {})
        row.setdefault(ratio.text, []).append(f"{ratio.factor:.2f}")
    rows = [[*key, *(", ".join(row.get(text, [])) for text in texts)] for key, row in cells.items()]
    said = "Speed beside that of the fastest exact peer: later calls, first calls.\n\n"
    return "## Overview\n\n" + said + table(["vocabulary", "input", *texts], rows) if rows else ""


def ratio_table(results: list[Result]) -> str:
    """Return tokmill against the fastest exact peer, input by input."""
    rows = [
        [r.kind, r.vocabulary, r.text, r.temperature, f"{r.ours:.0f}", f"{r.theirs:.1f}", r.peer, f"{r.factor:.2f}"]
        for r in ratios(results)
        if r.kind in TEXTS
    ]
    header = ["input", "vocabulary", "text", "", "tokmill MB/s", "fastest exact peer MB/s", "peer", "ratio"]
    return "## Ratios\n\n" + table(header, rows) if rows else ""


def speed_table(results: list[Result], kind: str) -> str:
    """Return every peer's MB/s, warm and cold, for one kind of input."""
    ordered = sorted(results, key=lambda result: result.warm_speed if result.measured else 0.0, reverse=True)
    inputs = dict.fromkeys((result.vocabulary, result.text) for result in results)
    rows = [
        [
            result.vocabulary,
            result.text,
            result.peer,
            f"{result.warm_speed:.1f}",
            f"{result.cold_speed:.1f}",
            f"{result.size / 1e6:.1f}",
            str(result.samples),
            "" if result.status == EXACT else f"**{result.status}**",
        ]
        for key in inputs
        for result in ordered
        if (result.vocabulary, result.text) == key and result.kind == kind and result.measured
    ]
    header = ["vocabulary", "text", "library", "MB/s warm", "MB/s cold", "MB of text", "processes", ""]
    return f"## Speeds: {kind}\n\n" + table(header, rows) if rows else ""


def time_table(results: list[Result], kind: str, column: str, scale: float, unit: str) -> str:
    """Return one time of every peer, for the short inputs."""
    chosen = [result for result in results if result.kind == kind and result.measured]
    rows = [[r.vocabulary, r.peer, f"{getattr(r, column) * scale:.2f}", r.status] for r in chosen]
    return f"## {unit.capitalize()}\n\n" + table(["vocabulary", "library", unit, ""], rows) if rows else ""


def refusals(results: list[Result]) -> str:
    """Return who takes what not, and why."""
    rows = {
        (result.peer, result.vocabulary, result.status.replace("|", "\\|"))
        for result in results
        if not result.measured and result.kind == "document"
    }
    return (
        "## Refused\n\n" + table(["library", "vocabulary", "reason"], [list(row) for row in sorted(rows)])
        if rows
        else ""
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
