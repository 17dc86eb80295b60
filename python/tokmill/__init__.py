"""Exact, fast tokenization: text and bytes to ids in numpy and back, and training.

>>> import tokmill
>>> tokenizer = tokmill.Tokenizer.from_file("tokenizer.json")
>>> tokenizer.encode("Hello, world").dtype
dtype('uint32')
"""

from tokmill._tokmill import (
    ByteEngine,
    ByteRequest,
    ByteState,
    DecodeStream,
    InternalError,
    Ragged,
    Tokenizer,
    TokmillError,
    UnknownId,
    WordCounts,
    __version__,
    patterns,
    set_default_threads,
)
from tokmill.binary import train_binary_bpe
from tokmill.byte_lm import ByteLM, Ensemble, NgramModel
from tokmill.integrations.accelerate import AccelerationWarning, accelerate
from tokmill.superbpe import train_superbpe
from tokmill.training import MergeTrace, count_words, train_bpe
from tokmill.unigram import count_unigram_words, train_unigram
from tokmill.wordpiece import count_wordpiece_words, train_wordpiece

__all__ = [
    "AccelerationWarning",
    "ByteEngine",
    "ByteLM",
    "ByteRequest",
    "ByteState",
    "DecodeStream",
    "Ensemble",
    "InternalError",
    "MergeTrace",
    "NgramModel",
    "Ragged",
    "Tokenizer",
    "TokmillError",
    "UnknownId",
    "WordCounts",
    "__version__",
    "accelerate",
    "count_unigram_words",
    "count_wordpiece_words",
    "count_words",
    "patterns",
    "set_default_threads",
    "train_binary_bpe",
    "train_bpe",
    "train_superbpe",
    "train_unigram",
    "train_wordpiece",
]
