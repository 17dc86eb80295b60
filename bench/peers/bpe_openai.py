"""bpe-openai: the `encode` of its core, lists out; its `Encoding` refuses a million characters. It takes no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_openai import _bindings

from bench.peers.interface import Encoder, Refused

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary

BUNDLED = {"gpt2": "gpt2", "cl100k_base": "cl100k_base", "o200k_base": "o200k_base"}


def load(vocabulary: Vocabulary) -> Encoder:
    if vocabulary.scheme not in BUNDLED:
        raise Refused("it bundles gpt2, cl100k and o200k and takes no file")
    tokenizer = _bindings.tokenizer_for_encoding(BUNDLED[vocabulary.scheme])
    return Encoder(encode=tokenizer.encode, encode_batch=lambda texts: [tokenizer.encode(text) for text in texts])
