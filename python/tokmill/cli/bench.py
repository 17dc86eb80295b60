"""`tokmill bench`: how fast a tokenizer is on a file."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import tokmill
from tokmill.cli.options import (
    add_command,
    add_input_options,
    add_threads_option,
    add_tokenizer_options,
    load_tokenizer,
    open_documents,
    positive,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from tokmill.cli.options import Subparsers


def register(subparsers: Subparsers) -> None:
    """Describes the command."""
    parser = add_command(
        subparsers,
        "bench",
        run,
        summary="measure the speed of a tokenizer on a file",
        details="The whole input is held in memory; the first run is cold, the others warm. MB are 10^6 bytes of text.",
        example="tokmill bench corpus.txt --tokenizer tokenizer.json --threads 1",
    )
    add_tokenizer_options(parser)
    add_input_options(parser, unit="file")
    add_threads_option(parser)
    parser.add_argument("--repeats", type=positive, default=5, metavar="N", help="warm runs (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measures and prints a table."""
    tokenizer = load_tokenizer(options)
    texts = list(open_documents(options))
    size = sum(map(len, texts))
    if not size:
        raise tokmill.TokmillError("the input is empty")
    ids = tokenizer.encode_batch(texts, threads=options.threads)
    tokens = len(ids.values)
    print(f"{len(texts)} documents, {size} bytes, {tokens} tokens, {size / max(tokens, 1):.3f} bytes/token")
    print(f"{'':10} {'cold MB/s':>10} {'median':>10} {'best':>10}")
    walks: dict[str, Callable[[tokmill.Tokenizer], object]] = {
        "encode": lambda fresh: fresh.encode_batch(texts, threads=options.threads),
        "count": lambda fresh: fresh.count_batch(texts, threads=options.threads),
        "decode": lambda fresh: fresh.decode_batch(ids),
    }
    for name, walk in walks.items():
        # A tokenizer of its own, so that its caches are cold.
        fresh = load_tokenizer(options)
        cold, *warm = (_seconds(walk, fresh) for _ in range(options.repeats + 1))
        speeds = [size / seconds / 1e6 for seconds in (cold, statistics.median(warm), min(warm))]
        print(f"{name:10} " + " ".join(f"{speed:10.1f}" for speed in speeds))


def _seconds(walk: Callable[[tokmill.Tokenizer], object], tokenizer: tokmill.Tokenizer) -> float:
    started = time.perf_counter()
    walk(tokenizer)
    return max(time.perf_counter() - started, 1e-9)
