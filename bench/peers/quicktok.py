"""quicktok: `encode_batch` on one thread, numpy out, faster than lists for all but short texts; what it bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quicktok import Tokenizer

from bench.peers.interface import Encoder, Refused

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary

BUNDLED = {"cl100k_base": "cl100k_base", "o200k_base": "o200k_base", "llama3": "llama3", "qwen2": "qwen3"}


def load(vocabulary: Vocabulary) -> Encoder:
    if vocabulary.scheme not in BUNDLED:
        raise Refused("its importer knows no such pattern; it bundles cl100k, o200k, llama3 and qwen3")
    tokenizer = Tokenizer(BUNDLED[vocabulary.scheme], "")
    return Encoder(
        encode=lambda text: tokenizer.encode_batch([text], 1)[0],
        encode_short=tokenizer.encode_ordinary,
        encode_batch=lambda texts: tokenizer.encode_batch(texts, 1),
        batch_ids=lambda batch: batch[0],
    )
