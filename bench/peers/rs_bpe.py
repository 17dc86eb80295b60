"""rs-bpe: `Tokenizer.encode`, lists out; it knows cl100k and o200k and takes no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rs_bpe.bpe import openai

from bench.peers.interface import Encoder, Refused

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary

BUNDLED = {"cl100k_base": openai.cl100k_base, "o200k_base": openai.o200k_base}


def load(vocabulary: Vocabulary) -> Encoder:
    if vocabulary.scheme not in BUNDLED:
        raise Refused("it bundles cl100k and o200k and takes no file")
    tokenizer = BUNDLED[vocabulary.scheme]()
    return Encoder(encode=tokenizer.encode, encode_batch=lambda texts: [tokenizer.encode(text) for text in texts])
