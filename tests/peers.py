"""Small tokenizers trained by Hugging Face tokenizers, and the encodings of tiktoken: the references for ids."""

from __future__ import annotations

import base64
import functools
import json
from typing import TYPE_CHECKING
from unittest import mock

import tiktoken_ext.openai_public
from texts import CORPUS
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

if TYPE_CHECKING:
    from collections.abc import Callable

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
DEEPSEEK = [
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
]
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN2 = CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
COHERE2 = r"\d{1,3}(?=(?:\d{3})*\b)"


@functools.cache
def tiktoken_pattern(name: str) -> str:
    """The pattern that tiktoken itself uses for an encoding."""
    with (
        mock.patch.object(tiktoken_ext.openai_public, "load_tiktoken_bpe", return_value={}),
        mock.patch.object(tiktoken_ext.openai_public, "data_gym_to_mergeable_bpe_ranks", return_value={}),
    ):
        return str(getattr(tiktoken_ext.openai_public, name)()["pat_str"])


def _byte_level(**options: bool) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.ByteLevel(**{"add_prefix_space": False, "use_regex": False, **options})


def _split(*patterns: str, behavior: str = "isolated", invert: bool = False) -> pre_tokenizers.PreTokenizer:
    steps = [pre_tokenizers.Split(Regex(pattern), behavior, invert) for pattern in patterns]
    return pre_tokenizers.Sequence([*steps, _byte_level()])


PRE_TOKENIZERS: dict[str, Callable[[], pre_tokenizers.PreTokenizer]] = {
    "gpt2": lambda: _byte_level(use_regex=True),
    "gpt2 isolated": lambda: _split(GPT2),
    "letters": lambda: _split(r"\p{L}"),
    "gpt2 with prefix space": lambda: _byte_level(use_regex=True, add_prefix_space=True),
    "no cuts": _byte_level,
    "cl100k": lambda: _split(CL100K),
    "cl100k removed inverted": lambda: _split(CL100K, behavior="removed", invert=True),
    "qwen2": lambda: _split(QWEN2),
    "o200k": lambda: _split(tiktoken_pattern("o200k_base")),
    "tekken": lambda: _split(TEKKEN),
    "deepseek": lambda: _split(*DEEPSEEK),
    "digits by threes from the right": lambda: _split(COHERE2, CL100K),
    "removed": lambda: _split(r"\s", behavior="removed"),
    "merged with previous": lambda: _split(r"[aeiou-]", behavior="merged_with_previous"),
    "merged with next": lambda: _split(r" ", behavior="merged_with_next"),
    "contiguous": lambda: _split(r"\p{L}", behavior="contiguous"),
    "literal": lambda: pre_tokenizers.Sequence([pre_tokenizers.Split("ab", "isolated"), _byte_level()]),
    "digits": lambda: pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _byte_level()]),
    "digit runs": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=False), _byte_level(use_regex=True)]
    ),
    "whitespace": lambda: pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), _byte_level()]),
    "whitespace split": lambda: pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), _byte_level()]),
    "punctuation": lambda: pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), _byte_level()]),
}

ADDED_TOKENS = [
    AddedToken("<|x|>", special=True),
    AddedToken("<|xy|>", special=True, lstrip=True),
    AddedToken("<|y|>", special=True, rstrip=True, normalized=False),
    AddedToken("word", single_word=True, normalized=False),
    AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=True),
    AddedToken("e\u0301clair", normalized=True),
    AddedToken("   ", normalized=False),
]
TEMPLATE = {
    "single": "<|x|> $A <|y|>",
    "pair": "<|x|> $A <|y|> $B:1 <|y|>:1",
}


@functools.cache
def train(pre_tokenizer: str, *, nfc: bool = False, added: bool = False, template: bool = False) -> Tokenizer:
    """A byte-level BPE of about 600 ids, trained on `CORPUS`."""
    tokenizer = Tokenizer(models.BPE())
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[pre_tokenizer]()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        show_progress=False,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(CORPUS * 2, trainer)
    if added:
        tokenizer.add_tokens(ADDED_TOKENS)
    if template:
        tokenizer.add_special_tokens(["<|x|>", "<|y|>"])
        specials = [(token, tokenizer.token_to_id(token)) for token in ("<|x|>", "<|y|>")]
        tokenizer.post_processor = processors.Sequence(
            [
                processors.ByteLevel(trim_offsets=True),
                processors.TemplateProcessing(**TEMPLATE, special_tokens=specials),
            ]
        )
    return tokenizer


@functools.cache
def ranks(pre_tokenizer: str) -> dict[bytes, int]:
    """A trained vocabulary as tiktoken has it: the bytes first, then what merges make, by rank."""
    model = json.loads(train(pre_tokenizer).to_str())["model"]
    alphabet = {char: byte for byte, char in enumerate(spell(bytes(range(256))))}
    merged = [bytes(alphabet[char] for half in pair for char in half) for pair in model["merges"]]
    return {token: rank for rank, token in enumerate(dict.fromkeys([*(bytes([b]) for b in range(256)), *merged]))}


def tiktoken_file(ranks: dict[bytes, int]) -> bytes:
    """The content of a .tiktoken file."""
    return b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranks.items())


def spell(token: bytes) -> str:
    """Bytes in the printable alphabet of GPT-2."""
    own = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in own]
    return "".join(chr(byte) if byte in own else chr(256 + others.index(byte)) for byte in token)
