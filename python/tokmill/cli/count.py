"""`tokmill count`: how many tokens a text has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokmill.cli.options import (
    add_command,
    add_encoding_options,
    add_input_options,
    add_tokenizer_options,
    load_tokenizer,
)
from tokmill.documents import Documents
from tokmill.progress import Bar

if TYPE_CHECKING:
    import argparse

    from tokmill.cli.options import Subparsers


def register(subparsers: Subparsers) -> None:
    """Describes the command."""
    parser = add_command(
        subparsers,
        "count",
        run,
        summary="count tokens",
        details="Prints tokens, bytes of text, bytes per token and documents for each file, and their sum.",
        example="tokmill count src/*.py --tokenizer tokenizer.json",
    )
    add_tokenizer_options(parser)
    add_input_options(parser, unit="file")
    add_encoding_options(parser)


def run(options: argparse.Namespace) -> None:
    """Counts the tokens of each input file."""
    tokenizer = load_tokenizer(options)
    inputs = [
        (path, Documents([path], field=options.field, column=options.column, unit=options.unit))
        for path in options.files
    ]
    sizes = [documents.total_bytes for _, documents in inputs]
    total_bytes = None if None in sizes else sum(size for size in sizes if size is not None)
    totals = (0, 0, 0)
    finished = 0
    lines = []
    with Bar("count", total_bytes) as progress:
        for path, documents in inputs:
            tokens = text_bytes = rows = 0
            for batch in documents.batches():
                counts = tokenizer.count_batch(
                    batch,
                    allowed_special="all" if options.allow_special else "none",
                    add_special_tokens=options.add_special_tokens,
                    threads=options.threads,
                )
                tokens += int(counts.sum())
                text_bytes += sum(map(len, batch))
                rows += len(batch)
                progress.update(finished + documents.position)
            finished += documents.position
            lines.append(_line(tokens, text_bytes, rows, path))
            totals = (totals[0] + tokens, totals[1] + text_bytes, totals[2] + rows)
    print(f"{'tokens':>12} {'bytes':>14} {'bytes/token':>11} {'documents':>10}")
    print("\n".join(lines))
    if len(lines) > 1:
        print(_line(*totals, "total"))


def _line(tokens: int, text_bytes: int, rows: int, name: str) -> str:
    ratio = f"{text_bytes / tokens:.3f}" if tokens else "-"
    return f"{tokens:12} {text_bytes:14} {ratio:>11} {rows:10} {name}"
