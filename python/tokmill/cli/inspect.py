"""`tokmill inspect`: what a tokenizer is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokmill.cli.description import Description
from tokmill.cli.options import add_command, add_tokenizer_options, load_tokenizer

if TYPE_CHECKING:
    import argparse

    import tokmill
    from tokmill.cli.options import Subparsers

_SAMPLE = "Hello world! naïve café, 你好, 12345 tokens\n\tdef main(): return 0"
_TOKENS_SHOWN = 10


def register(subparsers: Subparsers) -> None:
    """Describes the command."""
    parser = add_command(
        subparsers,
        "inspect",
        run,
        summary="show what a tokenizer is",
        details="Its parts, size, special tokens, fingerprint, longest tokens, and how it cuts a sample.",
        example="tokmill inspect --tokenizer tokenizer.json --text 'How is this cut?'",
    )
    add_tokenizer_options(parser)
    parser.add_argument("--text", default=_SAMPLE, help="the sample to tokenize")


def run(options: argparse.Namespace) -> None:
    """Prints the facts."""
    tokenizer = load_tokenizer(options)
    ids = tokenizer.encode(options.text)
    description = Description(tokenizer)
    facts = {
        "file": options.tokenizer,
        "model": f"{description.model}, {tokenizer.vocab_size} ids, {len(tokenizer.merges)} merges",
        "normalizer": description.kinds("normalizer"),
        "pretokenizer": description.kinds("pre_tokenizer"),
        "pattern": " then ".join(description.patterns()) or "none",
        "template": description.kinds("post_processor"),
        "fingerprint": tokenizer.fingerprint,
        "special tokens": _special_tokens(tokenizer),
        "longest tokens": _longest_tokens(tokenizer),
        "sample": repr(options.text),
        "tokens": " ".join(repr(token) for token in tokenizer.tokens(options.text)),
        "ids": " ".join(map(str, ids.tolist())),
        "decoded": repr(tokenizer.decode(ids)),
    }
    width = max(map(len, facts))
    for name, fact in facts.items():
        print(f"{name:{width}}  {fact}")


def _special_tokens(tokenizer: tokmill.Tokenizer) -> str:
    by_id = sorted(tokenizer.special_tokens.items(), key=lambda item: item[1])
    shown = ", ".join(f"{content!r} {token_id}" for content, token_id in by_id[:_TOKENS_SHOWN])
    rest = len(by_id) - _TOKENS_SHOWN
    return (shown or "none") + (f", and {rest} more" if rest > 0 else "")


def _longest_tokens(tokenizer: tokmill.Tokenizer) -> str:
    special = set(tokenizer.special_tokens.values())
    entries = {
        token_id: tokenizer.token_bytes(token_id) for token_id in tokenizer.vocab().values() if token_id not in special
    }
    longest = sorted(entries, key=lambda token_id: (-len(entries[token_id]), token_id))[:_TOKENS_SHOWN]
    return ", ".join(f"{_shortened(entries[token_id])} {token_id}" for token_id in longest) or "none"


def _shortened(token: bytes, limit: int = 24) -> str:
    text = token.decode(errors="backslashreplace")
    return repr(text) if len(text) <= limit else f"{text[:limit]!r}... ({len(token)} bytes)"
