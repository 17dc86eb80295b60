"""tiktoken: `encode_ordinary` and `encode_ordinary_batch`, lists out; from .tiktoken or tekken.json and the pattern."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import tiktoken

from bench.peers.interface import Encoder, Refused

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary


def load(vocabulary: Vocabulary) -> Encoder:
    pattern, ranks = read(vocabulary)
    encoding = tiktoken.Encoding(vocabulary.name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return Encoder(
        encode=encoding.encode_ordinary,
        encode_batch=lambda texts: encoding.encode_ordinary_batch(texts, num_threads=1),
    )


def read(vocabulary: Vocabulary) -> tuple[str, dict[bytes, int]]:
    """The pattern, and the id of every entry."""
    if vocabulary.tekken:
        file = json.loads(Path(vocabulary.tekken).read_bytes())
        config = file["config"]
        first = config["default_num_special_tokens"]
        size = config["default_vocab_size"] - first
        entries = {base64.b64decode(row["token_bytes"]): first + row["rank"] for row in file["vocab"][:size]}
        return config["pattern"], entries
    if vocabulary.tiktoken and vocabulary.regex:
        lines = (line.split() for line in Path(vocabulary.tiktoken).read_bytes().splitlines() if line)
        return vocabulary.regex, {base64.b64decode(entry): int(rank) for entry, rank in lines}
    raise Refused("it reads rank files with one pattern, and this vocabulary is none")
