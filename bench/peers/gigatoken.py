"""gigatoken: `encode`, numpy out, and `encode_batch(parallel=False)`, an awkward array; from .tiktoken or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import awkward
import gigatoken
import numpy as np

from bench.peers.interface import Encoder

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary

PRETOKENIZERS = {"gpt2": "gpt2", "cl100k_base": "cl100k", "o200k_base": "o200k"}


def load(vocabulary: Vocabulary) -> Encoder:
    if vocabulary.tiktoken and vocabulary.pattern in PRETOKENIZERS:
        name = PRETOKENIZERS[vocabulary.pattern]
        tokenizer = gigatoken.Tokenizer.from_tiktoken(vocabulary.tiktoken, pretokenizer=name, special_tokens={})
    else:
        tokenizer = gigatoken.Tokenizer(vocabulary.require_json())
    return Encoder(
        encode=tokenizer.encode,
        encode_batch=lambda texts: tokenizer.encode_batch(texts, parallel=False),
        batch_ids=flatten,
    )


def flatten(batch: Any) -> np.ndarray:
    return np.asarray(awkward.flatten(batch), dtype=np.uint32)
