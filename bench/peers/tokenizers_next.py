"""tokenizers 1.0: `encode` and `encode_batch`, Encodings out; from tokenizer.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from bench.peers.interface import Encoder

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary


def load(vocabulary: Vocabulary) -> Encoder:
    tokenizer = Tokenizer.from_file(vocabulary.require_json())
    tokenizer.padding = None
    tokenizer.truncation = None
    options = {"add_special_tokens": False, "encode_special_tokens": True}
    return Encoder(
        encode=lambda text: tokenizer.encode(text, **options),
        encode_batch=lambda texts: tokenizer.encode_batch(texts, **options),
    )
