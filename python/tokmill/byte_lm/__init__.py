"""Language models over bytes, made from language models over tokens.

`ByteLM` joins a `ByteEngine`, which knows what a tokenizer can do with a text, and a model, which gives logits for
token sequences. `Ensemble` joins several of them, whatever their vocabularies: bytes are what they have in common. Both
are `ByteModel`s: they give the next byte's distribution, score texts, and sample. docs/byte_level.md has the
mathematics and the sources.
"""

from tokmill.byte_lm.base import ByteModel, Score, Session
from tokmill.byte_lm.ensemble import Ensemble, EnsembleSession
from tokmill.byte_lm.lm import ByteLM, ByteSession
from tokmill.byte_lm.models import CachedModel
from tokmill.byte_lm.ngram import NgramModel

__all__ = [
    "ByteLM",
    "ByteModel",
    "ByteSession",
    "CachedModel",
    "Ensemble",
    "EnsembleSession",
    "NgramModel",
    "Score",
    "Session",
]
