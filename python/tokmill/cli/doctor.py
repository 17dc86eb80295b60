"""`tokmill doctor`: whether this installation works, and what to put into a bug report."""

from __future__ import annotations

import importlib.metadata
import os
import pickle
import platform
import sys
from typing import TYPE_CHECKING

import numpy as np

import tokmill
from tokmill.cli.options import add_command, add_tokenizer_options, load_tokenizer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tokmill.cli.options import Subparsers

_SAMPLES = (b"", b"Hello world!\n", "naïve 你好 👩‍👩‍👧‍👦".encode(), bytes(range(256)), b" \t\r\n" * 100, b"ab" * 50_000)
_NEIGHBOURS = ("numpy", "pyarrow", "huggingface-hub", "tqdm", "tokenizers", "tiktoken", "transformers", "sentencepiece")


def register(subparsers: Subparsers) -> None:
    """Describes the command."""
    parser = add_command(
        subparsers,
        "doctor",
        run,
        summary="check the installation",
        details="Prints versions and runs a self check: on a tokenizer that it trains, or on the one given.",
        example="tokmill doctor --tokenizer tokenizer.json",
    )
    add_tokenizer_options(parser, required=False)


def run(options: argparse.Namespace) -> None:
    """Prints the versions, checks, and fails if a check fails."""
    print(f"tokmill {tokmill.__version__} in {os.path.dirname(tokmill.__file__)}")  # noqa: PTH120
    print(f"python {platform.python_version()} ({platform.python_implementation()}) on {platform.platform()}")
    print(f"machine {platform.machine()}, {os.cpu_count()} cores")
    for name in _NEIGHBOURS:
        print(f"{name} {_version(name)}")
    if options.tokenizer is None:
        tokenizer = tokmill.train_bpe(["the cat sat on the mat, the cat sat. " * 8], 300, pattern="gpt2")
    else:
        tokenizer = load_tokenizer(options)
    failed = 0
    for name, passed in _checks(tokenizer):
        print(f"{'ok    ' if passed else 'FAILED'} {name}")
        failed += not passed
    if failed:
        raise tokmill.TokmillError(f"{failed} checks failed")
    print("all checks passed", file=sys.stderr)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _checks(tokenizer: tokmill.Tokenizer) -> Iterator[tuple[str, bool]]:
    texts = [sample.decode(errors="replace") for sample in _SAMPLES]
    alone = [tokenizer.encode(text) for text in texts]
    together = tokenizer.encode_batch(texts)
    threaded = tokenizer.encode_batch(texts, threads=2)
    yield "a batch equals its texts", all(map(np.array_equal, alone, together))
    yield "threads change nothing", np.array_equal(together.values, threaded.values)
    yield "counts equal lengths", list(map(len, alone)) == tokenizer.count_batch(texts).tolist()
    again = [tokenizer.encode(tokenizer.decode(ids)) for ids in alone]
    yield "decoding and encoding again gives the same ids", all(map(np.array_equal, alone, again))
    copy = pickle.loads(pickle.dumps(tokenizer))
    yield "a pickled copy is equal", copy == tokenizer and copy.fingerprint == tokenizer.fingerprint
    yield "a pickled copy gives the same ids", all(map(np.array_equal, alone, map(copy.encode, texts)))
