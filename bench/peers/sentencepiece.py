"""sentencepiece: `SentencePieceProcessor.Encode` with `out_type=int`, lists out; from .model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentencepiece import SentencePieceProcessor

from bench.peers.interface import Encoder, Refused

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary


def load(vocabulary: Vocabulary) -> Encoder:
    if not vocabulary.sentencepiece:
        raise Refused("it reads .model files only")
    processor = SentencePieceProcessor(model_file=vocabulary.sentencepiece)
    return Encoder(
        encode=lambda text: processor.Encode(text, out_type=int),
        encode_batch=lambda texts: processor.Encode(texts, out_type=int, num_threads=1),
    )
