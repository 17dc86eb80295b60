"""kitoken: `encode` and `encode_all`, lists out; from tokenizer.json, or a .model where there is no such file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitoken import Kitoken

from bench.peers.interface import Encoder

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary


def load(vocabulary: Vocabulary) -> Encoder:
    if vocabulary.json is None and vocabulary.sentencepiece:
        tokenizer = Kitoken.from_sentencepiece_file(vocabulary.sentencepiece)
    else:
        tokenizer = Kitoken.from_tokenizers_file(vocabulary.require_json())
    return Encoder(encode=tokenizer.encode, encode_batch=tokenizer.encode_all)
