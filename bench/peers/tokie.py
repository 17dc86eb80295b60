"""tokie: `encode` and `encode_batch`, Encodings out; from tokenizer.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokie import Tokenizer

from bench.peers.interface import Encoder

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary


def load(vocabulary: Vocabulary) -> Encoder:
    tokenizer = Tokenizer.from_json(vocabulary.require_json())
    return Encoder(
        encode=lambda text: tokenizer.encode(text, add_special_tokens=False),
        encode_batch=lambda texts: tokenizer.encode_batch(texts, add_special_tokens=False),
    )
