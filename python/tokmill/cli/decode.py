"""`tokmill decode`: ids back to text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

import tokmill
from tokmill.cli.options import add_command, add_tokenizer_options, load_tokenizer
from tokmill.cli.shards import is_shard, read_shard, replacing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from tokmill.cli.options import Subparsers


def register(subparsers: Subparsers) -> None:
    """Describes the command."""
    parser = add_command(
        subparsers,
        "decode",
        run,
        summary="turn ids back into text",
        details="Reads .bin and .npy files, or text with the ids of a document on each line. The texts follow one "
        "another with nothing between them, so what `tokmill encode` made comes back byte for byte.",
        example="tokmill decode shard.bin --tokenizer tokenizer.json > corpus.txt",
    )
    add_tokenizer_options(parser)
    parser.add_argument(
        "files", nargs="*", default=["-"], metavar="FILE", help="- or nothing is standard input, as text"
    )
    parser.add_argument(
        "-o", "--out", default="-", metavar="FILE", help="where the text goes (default: standard output)"
    )
    parser.add_argument(
        "--dtype", choices=("uint16", "uint32"), help="width of ids in .bin files (default: as the vocabulary needs)"
    )
    parser.add_argument("--skip-special-tokens", action="store_true", help="leave special tokens out of the text")


def run(options: argparse.Namespace) -> None:
    """Decodes the input."""
    tokenizer = load_tokenizer(options)
    with replacing(options.out) as file:
        for ids in _rows(options, tokenizer.vocab_size):
            file.write(tokenizer.decode_bytes(ids, skip_special_tokens=options.skip_special_tokens))


def _rows(options: argparse.Namespace, vocab_size: int) -> Iterator[NDArray[Any]]:
    for path in options.files:
        if path == "-":
            yield from _rows_of_text(sys.stdin.buffer, "standard input")
        elif is_shard(path):
            yield read_shard(path, vocab_size, options.dtype).astype(np.uint32)
        else:
            with Path(path).open("rb") as file:
                yield from _rows_of_text(file, path)


def _rows_of_text(file: BinaryIO | Iterable[bytes], name: str) -> Iterator[NDArray[Any]]:
    for number, line in enumerate(file, start=1):
        try:
            yield np.array([int(word) for word in line.split()], dtype=np.uint32)
        except (ValueError, OverflowError) as error:
            raise tokmill.TokmillError(f"{name}:{number}: {error}") from error
