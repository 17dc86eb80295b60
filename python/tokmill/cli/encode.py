"""`tokmill encode`: text to a shard of ids, or to ids as text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

import tokmill
from tokmill.cli.options import (
    add_command,
    add_encoding_options,
    add_input_options,
    add_tokenizer_options,
    load_tokenizer,
    open_documents,
)
from tokmill.cli.shards import ShardWriter, dtype_for, is_shard, replacing
from tokmill.progress import Bar

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tokmill.cli.options import Subparsers


def register(subparsers: Subparsers) -> None:
    """Describes the command."""
    parser = add_command(
        subparsers,
        "encode",
        run,
        summary="turn text into ids",
        details="Without --out, prints the ids of each document on a line.",
        example="tokmill encode corpus.jsonl --field text --tokenizer tokenizer.json --out shard.bin",
    )
    add_tokenizer_options(parser)
    add_input_options(parser, unit="file")
    add_encoding_options(parser)
    parser.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        help="a .bin (little-endian integers) or .npy file, whole or not at all; - is .bin to standard output",
    )
    parser.add_argument(
        "--dtype", choices=("uint16", "uint32"), help="width of ids in the file (default: as the vocabulary needs)"
    )
    parser.add_argument("--end-token", metavar="TOKEN", help="append the id of this token to every document")


def run(options: argparse.Namespace) -> None:
    """Encodes the input."""
    if options.out not in (None, "-") and not is_shard(options.out):
        raise tokmill.TokmillError(f"{options.out}: the output is told by its suffix, which is to be .bin or .npy")
    tokenizer = load_tokenizer(options)
    end_id = None if options.end_token is None else tokenizer.token_id(options.end_token)
    if options.end_token is not None and end_id is None:
        raise tokmill.TokmillError(f"--end-token: {options.end_token!r} is not in the vocabulary")
    if options.out is None:
        for values, offsets in _encoded(tokenizer, options, end_id):
            for row in np.split(values, offsets[1:-1]):
                print(*row.tolist())
        return
    dtype = dtype_for(tokenizer.vocab_size, options.dtype)
    with replacing(options.out) as file:
        writer = ShardWriter(file, options.out, dtype)
        for values, _ in _encoded(tokenizer, options, end_id):
            writer.write(values)
        writer.finish()
    print(f"{writer.ids_written} ids as {dtype.name}", file=sys.stderr)


def _encoded(
    tokenizer: tokmill.Tokenizer, options: argparse.Namespace, end_id: int | None
) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.int64]]]:
    """Batches of rows: the ids one after another, and where each row begins."""
    documents = open_documents(options)
    with Bar("encode", documents.total_bytes) as progress:
        for batch in documents.batches():
            ids = tokenizer.encode_batch(
                batch,
                allowed_special="all" if options.allow_special else "none",
                add_special_tokens=options.add_special_tokens,
                threads=options.threads,
            )
            progress.update(documents.position)
            if end_id is None:
                yield ids.values, ids.offsets
            else:
                yield np.insert(ids.values, ids.offsets[1:], end_id), ids.offsets + np.arange(len(ids.offsets))
