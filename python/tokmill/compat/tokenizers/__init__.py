"""Hugging Face tokenizers' interface on tokmill's core: `Tokenizer`, `Encoding` and all components.

Ids, tokens, offsets, words, masks, defaults and errors are those of tokenizers 0.23; what the core does not support is
refused by name at the first use. Batches are encoded by the core's threads in one call, and encodings make their lists
when they are asked for them.

>>> from tokmill.compat.tokenizers import Tokenizer
>>> tokenizer = Tokenizer.from_file("tokenizer.json")
>>> tokenizer.encode("hello world").tokens
['hello', 'Ġworld']
"""

from . import decoders, models, normalizers, pre_tokenizers, processors, trainers
from ._added_token import AddedToken
from ._encoding import Encoding
from ._regex import Regex
from ._strings import (
    NormalizedString,
    OffsetReferential,
    OffsetType,
    PreTokenizedString,
    SplitDelimiterBehavior,
    Token,
)
from ._tokenizer import Tokenizer
from .implementations import (
    BertWordPieceTokenizer,
    ByteLevelBPETokenizer,
    CharBPETokenizer,
    SentencePieceBPETokenizer,
    SentencePieceUnigramTokenizer,
)

__version__ = "0.23.3"

Offsets = tuple[int, int]
TextInputSequence = str
PreTokenizedInputSequence = list[str] | tuple[str, ...]
TextEncodeInput = str | tuple[str, str] | list[str]
PreTokenizedEncodeInput = (
    PreTokenizedInputSequence
    | tuple[PreTokenizedInputSequence, PreTokenizedInputSequence]
    | list[PreTokenizedInputSequence]
)
InputSequence = TextInputSequence | PreTokenizedInputSequence
EncodeInput = TextEncodeInput | PreTokenizedEncodeInput

__all__ = [
    "AddedToken",
    "BertWordPieceTokenizer",
    "ByteLevelBPETokenizer",
    "CharBPETokenizer",
    "Encoding",
    "NormalizedString",
    "OffsetReferential",
    "OffsetType",
    "PreTokenizedString",
    "Regex",
    "SentencePieceBPETokenizer",
    "SentencePieceUnigramTokenizer",
    "SplitDelimiterBehavior",
    "Token",
    "Tokenizer",
    "decoders",
    "models",
    "normalizers",
    "pre_tokenizers",
    "processors",
    "trainers",
]
