"""Files of all formats with bytes changed or cut off: a typed error or a tokenizer, in bounded time and memory.

The real files take part with a few versions each; `TOKMILL_SOAK` says how many instead.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import resource
import time
from typing import TYPE_CHECKING

import gguf_files
import peers
import pytest
import sentencepiece
from conftest import DATA
from texts import CORPUS

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = 2_000
"""Damaged versions of each small file."""
REAL = int(os.environ.get("TOKMILL_SOAK", "3"))
"""Damaged versions of each real file."""
SECONDS = 10.0
MEGABYTES = 2_000
TEXT = "Hello the world  漢字\n<s>é"


def _model(**options: object) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in CORPUS * 3 for line in text.splitlines()]),
        model_writer=model,
        vocab_size=600,
        hard_vocab_limit=False,
        minloglevel=3,
        num_threads=1,
        **options,
    )
    return model.getvalue()


def _as_json(file: bytes) -> bytes:
    return tokmill.Tokenizer.from_bytes(file).to_bytes(format="tokenizer.json")


FILES: dict[str, Callable[[], bytes]] = {
    "byte-level tokenizer.json": lambda: peers.train("gpt2", added=True, template=True).to_str().encode(),
    "Unigram .model": lambda: _model(model_type="unigram", byte_fallback=True),
    "Unigram .model with rules": lambda: _model(model_type="unigram", user_defined_symbols=["<sep>", "the"]),
    "BPE .model": lambda: _model(model_type="bpe", byte_fallback=True),
    "gpt2 GGUF": gguf_files.gpt2,
    "llama GGUF": gguf_files.llama,
    "bert GGUF": gguf_files.bert,
    "t5 GGUF": gguf_files.t5,
    "WordPiece tokenizer.json": lambda: _as_json(gguf_files.bert()),
    "ranks": lambda: peers.tiktoken_file(peers.ranks("gpt2")),
}


def _damaged(file: bytes, generator: random.Random) -> bytes:
    if generator.random() < 0.25:
        return file[: generator.randrange(len(file))]
    changed = bytearray(file)
    for _ in range(generator.randint(1, 8)):
        # Often where the headers are.
        place = generator.randrange(min(len(file), 4_096) if generator.random() < 0.3 else len(file))
        changed[place] = generator.choice((changed[place] ^ 1 << generator.randrange(8), generator.randrange(256), 255))
    return bytes(changed)


def _try(file: bytes, pattern: str | None) -> bool:
    """Whether it loads; it may then encode and decode, and raise no error that is ours."""
    try:
        tokenizer = tokmill.Tokenizer.from_bytes(file, pattern=pattern)
        tokenizer.decode(tokenizer.encode(TEXT, allowed_special="all", add_special_tokens=True))
    except tokmill.InternalError:
        raise
    except tokmill.TokmillError:
        return False
    return True


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_load_or_are_refused(name: str) -> None:
    file = FILES[name]()
    pattern = "gpt2" if name == "ranks" else None
    assert _try(file, pattern)
    generator = random.Random(name)
    loaded = sum(_try(_damaged(file, generator), pattern) for _ in range(SMALL))
    assert 0 < loaded < SMALL


def _real() -> list[str]:
    paths = [path for pattern in ("*", "gguf_pairs/*", "superbpe_t180k/*") for path in (DATA / "vocabs").glob(pattern)]
    names = [path.relative_to(DATA).as_posix() for path in paths if path.is_file()]
    return sorted(name for name in names if not name.endswith((".inp", ".out", ".txt.gz")))


@pytest.mark.parametrize("name", _real() or ["no files"])
def test_damaged_real_files_load_or_are_refused(name: str, data: Path) -> None:
    path = data / name
    if not path.is_file():
        pytest.skip(f"no data: {path} does not exist")
    file = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    pattern = "gpt2" if name.endswith(".tiktoken") else "llama3" if "tiktoken" in name else None
    generator = random.Random(name)
    before = _peak()
    for _ in range(REAL):
        began = time.monotonic()
        _try(_damaged(file, generator), pattern)
        assert time.monotonic() - began < SECONDS
        assert _peak() - before < MEGABYTES


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
