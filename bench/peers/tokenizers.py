"""tokenizers 0.23: `encode_batch_fast`, which leaves out offsets, Encodings out; from tokenizer.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from bench.peers.interface import Encoder

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary


def load(vocabulary: Vocabulary) -> Encoder:
    tokenizer = Tokenizer.from_file(vocabulary.require_json())
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return Encoder(
        encode=lambda text: tokenizer.encode_batch_fast([text], add_special_tokens=False)[0],
        encode_batch=lambda texts: tokenizer.encode_batch_fast(texts, add_special_tokens=False),
    )
