"""tokmill: `encode`, one thread by default, and `encode_batch(threads=1)`, numpy out; from the owner's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tokmill
from bench.peers.interface import Encoder

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary


def load(vocabulary: Vocabulary) -> Encoder:
    tokenizer = tokmill.Tokenizer.from_file(vocabulary.source, pattern=vocabulary.pattern)
    return Encoder(
        encode=tokenizer.encode,
        encode_batch=lambda texts: tokenizer.encode_batch(texts, threads=1),
        batch_ids=lambda batch: batch.values,
        takes_bytes=True,
    )
