"""Which files are compared, and with whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import peers
from conftest import DATA

import tokmill

from .owners import HuggingFace, LlamaCpp, Owner, SentencePiece, Tiktoken, bert_vocabulary, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VOCABULARIES = DATA / "vocabs"


@dataclass(frozen=True)
class Vocabulary:
    """A file, its owner, and how both libraries load it."""

    path: Path
    load_owner: Callable[[Path], Owner]
    load: Callable[[Path], tokmill.Tokenizer] = tokmill.Tokenizer.from_file
    as_bytes: bool = False
    """Whether tokmill is given the bytes of a text, which alone it shares with the owner."""


def _ranks(name: str, pattern_name: str, pattern: Callable[[], str]) -> Vocabulary:
    def load(path: Path) -> tokmill.Tokenizer:
        specials = {"<|endoftext|>": len(read(path).splitlines())}
        return tokmill.Tokenizer.from_file(path, pattern=pattern_name, special_tokens=specials)

    return Vocabulary(VOCABULARIES / name, lambda path: Tiktoken.ranks(path, pattern()), load)


def _bert(lowercase: bool) -> Vocabulary:
    return Vocabulary(
        VOCABULARIES / "bert_uncased_vocab.txt",
        partial(bert_vocabulary, lowercase=lowercase),
        partial(tokmill.Tokenizer.from_file, lowercase=lowercase),
    )


JSON = {
    "gpt2": "gpt2.json",
    "llama3.1": "llama3_1.json.gz",
    "qwen2.5": "qwen2_5.json.gz",
    "deepseek_v3": "deepseek_v3.json.gz",
    "superbpe": "superbpe_t180k/tokenizer.json.gz",
    "bert_uncased": "bert_uncased.json",
    "bert_cased": "bert_base_cased.json",
    "llama2": "llama2.json",
    "gemma2": "gemma2.json.gz",
    "clip": "clip_base.json.gz",
    "kl3m-001": "kl3m-001-32k.json.gz",
    "kl3m-005": "kl3m-005-multi-word.json.gz",
    "xlmr": "xlmr_from_gguf.json.gz",
    "xlnet": "xlnet_base_cased.json.gz",
}
MODELS = ("llama2.model", "xlnet_base_cased.model", "spm_test_unigram1k.model")
GGUF = sorted(path.name for path in (VOCABULARIES / "gguf_pairs").glob("*.gguf.gz"))

KNOWN: dict[str, Vocabulary] = {
    **{name: Vocabulary(VOCABULARIES / file, HuggingFace.load) for name, file in JSON.items()},
    "glaurung": Vocabulary(
        VOCABULARIES / "glaurung_binary_001.json.gz", partial(HuggingFace.load, latin1=True), as_bytes=True
    ),
    "vocab.txt": _bert(lowercase=True),
    "vocab.txt cased": _bert(lowercase=False),
    "r50k_base": _ranks("r50k_base.tiktoken", "r50k_base", lambda: peers.tiktoken_pattern("r50k_base")),
    "cl100k_base": _ranks("cl100k_base.tiktoken", "cl100k_base", lambda: peers.tiktoken_pattern("cl100k_base")),
    "o200k_base": _ranks("o200k_base.tiktoken", "o200k_base", lambda: peers.tiktoken_pattern("o200k_base")),
    "whisper": _ranks("whisper_multilingual.tiktoken", "gpt2", lambda: peers.tiktoken_pattern("gpt2")),
    "llama3": _ranks("llama3.tiktoken.model", "llama3", lambda: peers.CL100K),
    "tekken": Vocabulary(VOCABULARIES / "tekken_240718.json.gz", Tiktoken.tekken),
    **{name: Vocabulary(VOCABULARIES / name, SentencePiece) for name in MODELS},
    **{name.removesuffix(".gz"): Vocabulary(VOCABULARIES / "gguf_pairs" / name, LlamaCpp) for name in GGUF},
}
"""All that are compared, by the names that the command line knows."""


def of_file(path: Path) -> Vocabulary:
    """Any other file, whose owner its name tells."""
    owners: dict[str, Callable[[Path], Owner]] = {
        ".json": HuggingFace.load,
        ".model": SentencePiece,
        ".gguf": LlamaCpp,
    }
    name = path.name.removesuffix(".gz")
    owner = next((owner for suffix, owner in owners.items() if name.endswith(suffix)), None)
    if owner is None:
        raise ValueError(f"{path}: its name tells no owner, as .json, .model and .gguf do")
    return Vocabulary(path, owner)
