"""splintr: `encode_flat` and `encode_batch_flat`, raw uint32, which are faster than its lists; from tokenizer.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import splintr

from bench.peers.interface import Encoder

if TYPE_CHECKING:
    from bench.vocabularies import Vocabulary


def load(vocabulary: Vocabulary) -> Encoder:
    tokenizer = splintr.from_json(vocabulary.require_json())
    return Encoder(
        encode=tokenizer.encode_flat,
        encode_batch=tokenizer.encode_batch_flat,
        ids=lambda data: np.frombuffer(data, dtype=np.uint32),
        batch_ids=lambda batch: np.frombuffer(batch[0], dtype=np.uint32),
    )
