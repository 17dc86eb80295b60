"""`tokmill train`: a byte-level BPE tokenizer from a corpus."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import tokmill
from tokmill.cli.options import add_command, add_input_options, add_threads_option, open_documents, positive
from tokmill.cli.progress import Progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tokmill.cli.options import Subparsers


def register(subparsers: Subparsers) -> None:
    """Describes the command."""
    parser = add_command(
        subparsers,
        "train",
        run,
        summary="train a byte-level BPE tokenizer",
        details="The same corpus and options give the same file, whatever the number of threads.",
        example="tokmill train corpus/*.txt --vocab-size 32000 --special-token '<|endoftext|>' --out tokenizer.json",
    )
    add_input_options(parser, unit="line")
    parser.add_argument(
        "-o", "--out", required=True, metavar="FILE", help="where the tokenizer goes: .json or .tiktoken"
    )
    parser.add_argument(
        "--vocab-size", type=positive, default=32_000, metavar="N", help="ids in all (default: %(default)s)"
    )
    parser.add_argument(
        "--pattern",
        default="o200k_base",
        metavar="NAME",
        help="a pattern's name or a regular expression (default: %(default)s)",
    )
    parser.add_argument(
        "--special-token",
        action="append",
        default=[],
        dest="special_tokens",
        metavar="TEXT",
        help="a special token; may be given many times, ids in this order",
    )
    parser.add_argument(
        "--min-frequency",
        type=positive,
        default=2,
        metavar="N",
        help="merge pairs seen at least so often (default: %(default)s)",
    )
    parser.add_argument("--max-token-bytes", type=positive, metavar="N", help="make no token longer than this")
    add_threads_option(parser)


def run(options: argparse.Namespace) -> None:
    """Trains, saves, and says how it went."""
    if not Path(options.out).absolute().parent.is_dir():
        raise FileNotFoundError(f"{options.out}: its directory does not exist")
    documents = open_documents(options)
    started = time.perf_counter()
    with Progress("train", documents.total_bytes) as progress:

        def watched() -> Iterator[bytes]:
            for batch in documents.batches(max_bytes=1 << 20):
                yield from batch
                progress.update(documents.position)

        tokenizer = tokmill.train_bpe(
            watched(),
            options.vocab_size,
            pattern=options.pattern,
            special_tokens=options.special_tokens,
            min_frequency=options.min_frequency,
            max_token_bytes=options.max_token_bytes,
            threads=options.threads,
        )
    tokenizer.save(options.out)
    seconds = time.perf_counter() - started
    print(f"{tokenizer.vocab_size} ids in {seconds:.1f} s, saved to {options.out}", file=sys.stderr)
