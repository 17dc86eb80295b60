"""fastokens: `Tokenizer.encode`, an Encoding, and `encode_batch_flat`, raw uint32; from tokenizer.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from fastokens._native import Tokenizer

from bench.peers.interface import Encoder

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary


def load(vocabulary: Vocabulary) -> Encoder:
    tokenizer = Tokenizer.from_file(vocabulary.require_json())
    return Encoder(
        encode=tokenizer.encode_ordinary,
        encode_batch=lambda texts: tokenizer.encode_batch_flat(texts, split_special_tokens=True),
        batch_ids=lambda batch: np.frombuffer(batch[0], dtype=np.uint32),
    )
