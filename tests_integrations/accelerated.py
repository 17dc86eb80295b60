"""Tokenizers of transformers in twos: one as it is, and one that runs on tokmill."""

from __future__ import annotations

import gzip
import os
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import tokenizers
import transformers
from texts import CORPUS
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

import tokmill

DATA = Path(os.environ.get("TOKMILL_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))

CHAT = (
    "{% for message in messages %}<|{{ message.role }}|>{% generation %}{{ message.content }}{% endgeneration %}<eos>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def byte_level() -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<eos>", "<s>", "<|user|>", "<|assistant|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer, {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<s>"}


def bert() -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = sorted({word for text in CORPUS for word in pre_words(text)})
    pieces = sorted({character for word in words for character in word})
    vocab = {token: id for id, token in enumerate([*special, *words, *pieces, *[f"##{piece}" for piece in pieces]])}
    tokenizer = tokenizers.Tokenizer(models.WordPiece({token: id for id, token in enumerate(vocab)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))],
    )
    tokenizer.decoder = decoders.WordPiece()
    names = ("pad", "unk", "cls", "sep", "mask")
    return tokenizer, {f"{name}_token": token for name, token in zip(names, special, strict=True)}


def pre_words(text: str) -> list[str]:
    lowered = normalizers.BertNormalizer().normalize_str(text)
    return [word for word, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(lowered)][::2]


def unigram() -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(tokenizers.Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=600, special_tokens=["<unk>", "<pad>", "</s>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return tokenizer, {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"}


SMALL = {"byte-level": byte_level, "bert": bert, "unigram": unigram}

REAL = {"gpt2.json": "<|endoftext|>", "bert_uncased.json": "[PAD]", "llama2.json": "<unk>", "llama3_1.json.gz": None}
"""Real files, and what they are padded with."""


@cache
def written(name: str) -> tuple[str, dict[str, str]]:
    """The tokenizer.json of a name, and the special tokens that transformers is to know."""
    if name in SMALL:
        tokenizer, special = SMALL[name]()
        return tokenizer.to_str(), special
    data = (DATA / "vocabs" / name).read_bytes()
    text = (gzip.decompress(data) if name.endswith("gz") else data).decode()
    tokenizer = tokenizers.Tokenizer.from_str(text)
    return text, {"pad_token": REAL[name] or tokenizer.id_to_token(0)}


def original(name: str, **options: Any) -> Any:
    """A tokenizer of transformers."""
    text, special = written(name)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(text), **special, **options
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def accelerated(name: str, **options: Any) -> Any:
    """The same on tokmill; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", tokmill.AccelerationWarning)
        return tokmill.accelerate(original(name, **options))
