"""`tokmill convert`: a tokenizer in another format, with proof that the ids stayed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import tokmill
from tokmill.cli.description import Description
from tokmill.cli.options import add_command, add_tokenizer_options, load_tokenizer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tokmill.cli.options import Subparsers

_SAMPLES = (
    "Hello world!  Two  spaces,\n\n\tlines and tabs \r\n",
    "it's I'LL don't; 3.14159 1234567 x1y2z3",
    "naïve café ÅÄÖ Straße, Ελληνικά, Русский, עברית, العربية, हिन्दी, 日本語, 한국어, ภาษาไทย",
    "def f(x):\n    return {'a': [1, 2], \"b\": x ** 2}  # code\n",
    "emoji 👩‍👩‍👧‍👦 🇨🇭 e\u0301 \u200b\u00a0\ufeff \x00\x7f",
)


def register(subparsers: Subparsers) -> None:
    """Describes the command."""
    parser = add_command(
        subparsers,
        "convert",
        run,
        summary="write a tokenizer in another format",
        details="Warns of what the format cannot hold, reads the result back, and compares ids on every token and on "
        "sample texts; a difference removes nothing but is an error.",
        example="tokmill convert --tokenizer cl100k_base.tiktoken --pattern cl100k_base --out tokenizer.json",
    )
    add_tokenizer_options(parser)
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="the new file; its suffix is the format")
    parser.add_argument("--format", metavar="NAME", help="the format, where the suffix does not tell")
    parser.add_argument("--check", action="append", default=[], metavar="FILE", help="also compare ids on this text")


def run(options: argparse.Namespace) -> None:
    """Converts and compares."""
    tokenizer = load_tokenizer(options)
    if options.format is None:
        tokenizer.save(options.out)
    else:
        tokenizer.save(options.out, format=options.format)
    if options.out.endswith(".tiktoken"):
        # Such a file says neither its pattern nor its special tokens.
        patterns = Description(tokenizer).patterns()
        if len(patterns) != 1:
            print(f"{options.out}: ids not compared, since no single pattern cuts the text", file=sys.stderr)
            return
        pattern, special_tokens = patterns[0], tokenizer.special_tokens
        converted = tokmill.Tokenizer.from_file(options.out, pattern=pattern, special_tokens=special_tokens)
        print(f"to be loaded with pattern={pattern!r}, special_tokens={special_tokens!r}", file=sys.stderr)
    else:
        converted = tokmill.Tokenizer.from_file(options.out)
    if converted.special_tokens != tokenizer.special_tokens:
        raise tokmill.TokmillError(f"{options.out}: the special tokens are not those of the original")
    checked = 0
    for name, text in _texts(tokenizer, options.check):
        if not np.array_equal(tokenizer.encode(text), converted.encode(text)):
            raise tokmill.TokmillError(f"{options.out}: ids differ from the original on {name}")
        checked += len(text)
    print(f"{options.out}: ids equal on {checked} bytes of text", file=sys.stderr)


def _texts(tokenizer: tokmill.Tokenizer, files: list[str]) -> Iterator[tuple[str, bytes]]:
    for number, sample in enumerate(_SAMPLES):
        yield f"sample {number}", sample.encode()
    special = set(tokenizer.special_tokens.values())
    tokens = [tokenizer.token_bytes(id) for id in sorted(tokenizer.vocab().values()) if id not in special]
    yield "the tokens of the vocabulary that are text", b" ".join(token for token in tokens if _is_text(token))
    parts = b" ".join(token for token in tokens if not _is_text(token))
    try:
        tokenizer.encode(parts)
    except tokmill.TokmillError:
        # A model of characters reads text only.
        pass
    else:
        yield "the tokens of the vocabulary that are parts of characters", parts
    for path in files:
        yield path, Path(path).read_bytes()


def _is_text(token: bytes) -> bool:
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True
