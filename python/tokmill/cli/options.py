"""What several commands share: making a command, the tokenizer's options, the options of input files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import tokmill
from tokmill.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Callable

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = [
    "add_command",
    "add_encoding_options",
    "add_input_options",
    "add_threads_option",
    "add_tokenizer_options",
    "load_tokenizer",
    "open_documents",
    "positive",
]


def add_command(
    subparsers: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace], None],
    *,
    summary: str,
    details: str,
    example: str,
) -> argparse.ArgumentParser:
    """Adds a command whose help ends with an example."""
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}. {details}",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def positive(text: str) -> int:
    """An argument type: an integer of at least one."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def add_tokenizer_options(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Adds `--tokenizer` and what a `.tiktoken` file or a `vocab.txt` does not say itself."""
    parser.add_argument(
        "-t",
        "--tokenizer",
        type=Path,
        required=required,
        metavar="FILE",
        help="a tokenizer file or directory, of any format",
    )
    parser.add_argument(
        "--pattern", metavar="NAME", help="the pattern of a .tiktoken file: a name or a regular expression"
    )
    parser.add_argument(
        "--special-token",
        action="append",
        default=[],
        dest="special_tokens",
        metavar="TEXT=ID",
        type=_special_token,
        help="a special token of a .tiktoken file; may be given many times",
    )
    parser.add_argument(
        "--lowercase",
        action=argparse.BooleanOptionalAction,
        help="whether a vocab.txt is for text in lower case, where no tokenizer_config.json says it",
    )


def load_tokenizer(options: argparse.Namespace) -> tokmill.Tokenizer:
    """The tokenizer that the options name."""
    try:
        return tokmill.Tokenizer.from_file(
            options.tokenizer,
            pattern=options.pattern,
            special_tokens=dict(options.special_tokens) or None,
            lowercase=options.lowercase,
        )
    except tokmill.TokmillError as error:
        raise tokmill.TokmillError(f"{options.tokenizer}: {error}") from error


def add_input_options(parser: argparse.ArgumentParser, *, unit: str) -> None:
    """Adds the input files and how they fall into documents; `unit` is the default for text files."""
    parser.add_argument(
        "files",
        nargs="*",
        default=["-"],
        metavar="FILE",
        help="text, JSON lines or Parquet, also as .gz or .zst; - or nothing is standard input",
    )
    parser.add_argument("--field", metavar="NAME", help="the field of JSON lines that holds the text")
    parser.add_argument("--column", metavar="NAME", help="the column of Parquet that holds the text")
    parser.add_argument(
        "--unit",
        choices=("line", "file"),
        default=unit,
        help="what a document of a text file is (default: %(default)s)",
    )


def open_documents(options: argparse.Namespace) -> Documents:
    """The documents of the input files."""
    return Documents(options.files, field=options.field, column=options.column, unit=options.unit)


def add_encoding_options(parser: argparse.ArgumentParser) -> None:
    """Adds how text becomes ids."""
    parser.add_argument("--add-special-tokens", action="store_true", help="apply the template, such as bos and eos")
    parser.add_argument(
        "--allow-special", action="store_true", help="turn special tokens written in the text into their ids"
    )
    add_threads_option(parser)


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--threads`."""
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="threads (default: as many as the input is worth)"
    )


def _special_token(text: str) -> tuple[str, int]:
    content, equals, number = text.rpartition("=")
    if not (content and equals and number.isascii() and number.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not TEXT=ID")
    return content, int(number)
