"""`tokmill train`: a byte-level BPE tokenizer from a corpus."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import tokmill
from tokmill.cli.options import add_command, add_input_options, add_threads_option, positive
from tokmill.cli.progress import Phases

if TYPE_CHECKING:
    import argparse

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
    parser.add_argument("--max-token-bytes", type=positive, metavar="N", help="make no token of more bytes")
    parser.add_argument("--max-token-chars", type=positive, metavar="N", help="make no token of more characters")
    parser.add_argument("--normalizer", choices=("nfc",), help="what is done to the text first (default: nothing)")
    parser.add_argument("--template", metavar="LAYOUT", help="where special tokens go: '<|begin|> $A <|end|>'")
    parser.add_argument(
        "--initial-alphabet",
        choices=("bytes", "seen"),
        default="bytes",
        help="the bytes that have an id: all, or those of the corpus (default: %(default)s)",
    )
    parser.add_argument(
        "--alphabet-order",
        choices=("gpt2", "bytes"),
        default="gpt2",
        help="the order of their ids, which decides ties (default: %(default)s)",
    )
    parser.add_argument("--base", type=Path, metavar="FILE", help="a tokenizer to go on from, whose ids are kept")
    parser.add_argument("--pad-to", type=positive, metavar="N", help="fill up with runs of blanks to exactly N ids")
    parser.add_argument("--checkpoint", metavar="FILE", help="where merges are left, and taken up again")
    add_threads_option(parser)


def run(options: argparse.Namespace) -> None:
    """Trains, saves, and says how it went."""
    if not Path(options.out).absolute().parent.is_dir():
        raise FileNotFoundError(f"{options.out}: its directory does not exist")
    started = time.perf_counter()
    with Phases() as phases:
        tokenizer = tokmill.train_bpe(
            files=options.files,
            field=options.field,
            column=options.column,
            unit=options.unit,
            vocab_size=options.vocab_size,
            pattern=options.pattern,
            normalizer=options.normalizer,
            special_tokens=options.special_tokens,
            template=options.template,
            min_frequency=options.min_frequency,
            initial_alphabet=options.initial_alphabet,
            alphabet_order=options.alphabet_order,
            max_token_bytes=options.max_token_bytes,
            max_token_chars=options.max_token_chars,
            base=None if options.base is None else tokmill.Tokenizer.from_file(options.base),
            pad_to=options.pad_to,
            checkpoint=options.checkpoint,
            threads=options.threads,
            progress=phases.update,
        )
    tokenizer.save(options.out)
    seconds = time.perf_counter() - started
    print(f"{tokenizer.vocab_size} ids in {seconds:.1f} s, saved to {options.out}", file=sys.stderr)
