"""Ids and offsets equal to those of tokenizers and tiktoken on real vocabularies and real text.

The first 256 KiB of each file, or of the files of a folder together, is compared; with TOKMILL_PARITY set, the whole.
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import peers
import pytest
import tiktoken
from conftest import DATA
from texts import FRAGMENTS
from tokenizers import BertWordPieceTokenizer
from tokenizers import Tokenizer as Peer

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WHOLE = bool(os.environ.get("TOKMILL_PARITY"))
FOLDERS = ("text", "json", "parallel")
FILES = sorted(path.relative_to(DATA).as_posix() for folder in FOLDERS for path in (DATA / folder).glob("*"))

HUGGING_FACE = {
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
}
NASTY = 100_000 if WHOLE else 2_000
"""Strings made of awkward fragments, a vocabulary."""


@dataclass
class TiktokenFile:
    """A vocabulary of base64 ranks."""

    path: str
    pattern_name: str
    pattern: Callable[[], str]


TIKTOKEN = {
    "r50k_base": TiktokenFile("r50k_base.tiktoken", "r50k_base", lambda: peers.tiktoken_pattern("r50k_base")),
    "cl100k_base": TiktokenFile("cl100k_base.tiktoken", "cl100k_base", lambda: peers.tiktoken_pattern("cl100k_base")),
    "o200k_base": TiktokenFile("o200k_base.tiktoken", "o200k_base", lambda: peers.tiktoken_pattern("o200k_base")),
    "whisper": TiktokenFile("whisper_multilingual.tiktoken", "gpt2", lambda: peers.tiktoken_pattern("gpt2")),
    "llama3": TiktokenFile("llama3.tiktoken.model", "llama3", lambda: peers.CL100K),
}


def _path(data: Path, name: str) -> Path:
    path = data / name
    if not path.is_file():
        pytest.skip(f"no data: {path} does not exist")
    return path


def _bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.fixture(params=FILES or ["no files"])
def text(request: pytest.FixtureRequest, data: Path) -> str:
    path = data / request.param
    if not path.exists():
        pytest.skip(f"no data: {path} does not exist")
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return "".join(_read(file, (1 << 18) // len(files)) for file in files)


def _read(path: Path, limit: int) -> str:
    with path.open("rb") as file:
        return file.read(-1 if WHOLE else limit).decode("utf-8", errors="ignore")


def _documents(text: str) -> list[str]:
    return text.splitlines(keepends=True)


@functools.lru_cache(maxsize=1)
def _hugging_face(path: Path) -> tuple[Peer, tokmill.Tokenizer]:
    peer = Peer.from_buffer(_bytes(path))
    peer.no_padding()
    peer.no_truncation()
    return peer, tokmill.Tokenizer.from_file(path)


@pytest.mark.parametrize("name", HUGGING_FACE, scope="module")
def test_tokenizers(name: str, text: str, data: Path) -> None:
    peer, ours = _hugging_face(_path(data, f"vocabs/{HUGGING_FACE[name]}"))
    peer.encode_special_tokens = True
    _compare_whole(peer, ours, text)
    peer.encode_special_tokens = False
    _compare_lines(peer, ours, _documents(text))


@pytest.mark.parametrize("name", HUGGING_FACE, scope="module")
def test_nasty_parity(name: str, data: Path) -> None:
    """Ids, offsets, type ids and decoded text of short strings, alone and in pairs."""
    peer, ours = _hugging_face(_path(data, f"vocabs/{HUGGING_FACE[name]}"))
    peer.encode_special_tokens = False
    fragments = [*FRAGMENTS, *(content for content in list(ours.special_tokens)[:8])]
    generator = random.Random(name)
    documents = ["".join(generator.choices(fragments, k=generator.randint(0, 12))) for _ in range(NASTY)]
    _compare_lines(peer, ours, documents)
    pairs = documents[::-1][: NASTY // 4]
    texts = documents[: NASTY // 4]
    rows, types = ours.encode_batch_with_type_ids(texts, pairs=pairs, allowed_special="all", add_special_tokens=True)
    encodings = peer.encode_batch(list(zip(texts, pairs, strict=True)))
    _assert_same(rows.values, np.array([id for encoding in encodings for id in encoding.ids], np.uint32))
    _assert_same(types.values, np.array([id for encoding in encodings for id in encoding.type_ids], np.uint32))
    expected = peer.decode_batch([encoding.ids for encoding in encodings], skip_special_tokens=True)
    assert ours.decode_batch(rows, skip_special_tokens=True) == expected


@pytest.mark.parametrize("lowercase", [True, False])
def test_vocab_txt_parity(lowercase: bool, text: str, data: Path) -> None:
    """The pipeline of BERT around a bare vocabulary, as transformers builds it."""
    path = _path(data, "vocabs/bert_uncased_vocab.txt")
    peer = BertWordPieceTokenizer(str(path), lowercase=lowercase)
    ours = tokmill.Tokenizer.from_file(path, lowercase=lowercase)
    documents = _documents(text[: 1 << 17])
    rows, types = ours.encode_batch_with_type_ids(documents, allowed_special="all", add_special_tokens=True)
    encodings = peer.encode_batch(documents)
    _assert_same(rows.values, np.array([id for encoding in encodings for id in encoding.ids], np.uint32))
    _assert_same(types.values, np.array([id for encoding in encodings for id in encoding.type_ids], np.uint32))
    assert ours.decode_batch(rows) == [peer.decode(list(ids), skip_special_tokens=False) for ids in rows]


def _compare_whole(peer: Peer, ours: tokmill.Tokenizer, text: str) -> None:
    """One document, in which special tokens are ordinary text."""
    expected = peer.encode(text, add_special_tokens=False)
    ids, spans = ours.encode_with_offsets(text)
    _assert_same(ids, np.array(expected.ids, np.uint32))
    _assert_same(spans, np.array(expected.offsets, np.int64))
    _assert_same(ours.encode(text), ids)
    assert ours.decode(ids) == peer.decode(expected.ids, skip_special_tokens=False)


def _compare_lines(peer: Peer, ours: tokmill.Tokenizer, documents: list[str]) -> None:
    """A document a line, in which special tokens are recognised."""
    rows, spans = ours.encode_batch_with_offsets(documents, allowed_special="all")
    _assert_same(ours.encode_batch(documents, allowed_special="all").values, rows.values)
    _assert_same(ours.count_batch(documents, allowed_special="all"), np.diff(rows.offsets))
    for begin in range(0, len(documents), 4096):
        encodings = peer.encode_batch(documents[begin : begin + 4096], add_special_tokens=False)
        ids = [id for encoding in encodings for id in encoding.ids]
        first, last = rows.offsets[[begin, min(begin + 4096, len(rows))]]
        _assert_same(rows.values[first:last], np.array(ids, np.uint32))
        offsets = [span for encoding in encodings for span in encoding.offsets]
        _assert_same(spans[first:last], np.array(offsets, np.int64).reshape(-1, 2))


def _assert_same(left: np.ndarray, right: np.ndarray) -> None:
    """Equality that fails with the first difference, not with megabytes of numbers."""
    length = min(len(left), len(right))
    different = np.flatnonzero((left[:length] != right[:length]).reshape(length, -1).any(axis=1))
    if len(different):
        at = int(different[0])
        pytest.fail(f"row {at}: {left[at : at + 8].tolist()} is not {right[at : at + 8].tolist()}")
    assert len(left) == len(right)


@functools.lru_cache(maxsize=1)
def _tiktoken(path: Path, pattern_name: str, pattern: str) -> tuple[tiktoken.Encoding, tokmill.Tokenizer]:
    ranks = dict(line.split() for line in path.read_bytes().splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in ranks.items()}
    specials = {"<|endoftext|>": max(ranks.values()) + 1}
    peer = tiktoken.Encoding(path.name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials)
    return peer, tokmill.Tokenizer.from_file(path, pattern=pattern_name, special_tokens=specials)


@pytest.mark.parametrize("name", TIKTOKEN, scope="module")
def test_tiktoken(name: str, text: str, data: Path) -> None:
    file = TIKTOKEN[name]
    peer, ours = _tiktoken(_path(data, f"vocabs/{file.path}"), file.pattern_name, file.pattern())
    _compare_tiktoken(peer, ours, text)


@functools.lru_cache(maxsize=1)
def _tekken(path: Path) -> tuple[tiktoken.Encoding, tokmill.Tokenizer]:
    """Mistral's own recipe: the specials have the first ids, and the ranks follow them."""
    file = json.loads(_bytes(path))
    config = file["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in file["vocab"][:size]}
    peer = tiktoken.Encoding("tekken", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={})
    return peer, tokmill.Tokenizer.from_file(path)


def test_tekken(text: str, data: Path) -> None:
    peer, ours = _tekken(_path(data, "vocabs/tekken_240718.json.gz"))
    _compare_tiktoken(peer, ours, text, first_id=1000)


def _compare_tiktoken(peer: tiktoken.Encoding, ours: tokmill.Tokenizer, text: str, first_id: int = 0) -> None:
    ids = ours.encode(text)
    _assert_same(ids, np.array(peer.encode_ordinary(text), np.uint32) + np.uint32(first_id))
    assert ours.decode_bytes(ids) == text.encode()
    documents = _documents(text)
    rows = ours.encode_batch(documents)
    expected = peer.encode_ordinary_batch(documents)
    _assert_same(np.diff(rows.offsets), np.array([len(ids) for ids in expected], np.int64))
    _assert_same(rows.values, np.array([id for ids in expected for id in ids], np.uint32) + np.uint32(first_id))
