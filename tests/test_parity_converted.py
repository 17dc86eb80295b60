"""GGUF vocabularies and converted files: ids equal to those of the files they were made from, on real text.

The first 100 KB of each text, and of the texts of a folder together, are compared.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
import pytest
import sentencepiece
from conftest import DATA
from tokenizers import Tokenizer as Peer

import tokmill

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = ("text", "json", "parallel")
FILES = sorted(path.relative_to(DATA).as_posix() for folder in FOLDERS for path in (DATA / folder).glob("*"))
PAIRS = sorted(path.name.removesuffix(".gguf.gz") for path in (DATA / "vocabs" / "gguf_pairs").glob("*.gguf.gz"))


def _path(data: Path, name: str) -> Path:
    path = data / "vocabs" / name
    if not path.exists():
        pytest.skip(f"no {name} in the data")
    return path


def _texts(data: Path, name: str) -> list[str]:
    path = data / name
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    limit = 100_000 // len(files)
    text = "".join(file.read_bytes().decode(errors="replace")[:limit] for file in files)
    size = 2_000
    return [text[begin : begin + size] for begin in range(0, len(text), size)]


@functools.cache
def _model(path: Path) -> tuple[tokmill.Tokenizer, sentencepiece.SentencePieceProcessor]:
    return tokmill.Tokenizer.from_file(path), sentencepiece.SentencePieceProcessor(model_file=str(path))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    ("name", "owner"),
    [("gpt-2", "gpt2.json"), ("llama-bpe", "llama3_1.json.gz"), ("qwen2", "qwen2_5.json.gz")],
)
def test_gguf_vocabularies_give_the_ids_of_the_files_they_were_made_from(
    data: Path, name: str, owner: str, file: str
) -> None:
    gguf = _gguf(data, name)
    tokenizer = tokmill.Tokenizer.from_file(_path(data, owner))
    # llama.cpp does not normalise, as Qwen's file does.
    texts = [unicodedata.normalize("NFC", text) for text in _texts(data, file)]
    assert np.array_equal(gguf.encode_batch(texts).values, tokenizer.encode_batch(texts).values)


@functools.cache
def _gguf(data: Path, name: str) -> tokmill.Tokenizer:
    return tokmill.Tokenizer.from_file(_path(data, f"gguf_pairs/ggml-vocab-{name}.gguf.gz"))


@pytest.mark.parametrize("name", PAIRS)
def test_gguf_vocabularies_give_the_ids_of_llama_cpp(data: Path, name: str) -> None:
    tokenizer = _gguf(data, name.removeprefix("ggml-vocab-"))
    for text, ids in _goldens(data, name.removeprefix("ggml-vocab-")):
        assert tokenizer.encode(text).tolist() == ids


def _goldens(data: Path, name: str) -> list[tuple[str, list[int]]]:
    """Texts and the ids that llama.cpp gives them."""
    stem = data / "vocabs" / "gguf_pairs" / f"ggml-vocab-{name}.gguf"
    texts = stem.with_suffix(".gguf.inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
    rows = stem.with_suffix(".gguf.out").read_text().removesuffix("\n").split("\n")
    # The last row may be empty, and its end of line missing.
    rows += [""] * (len(texts) - len(rows))
    return [(text, [int(number) for number in row.split()]) for text, row in zip(texts, rows, strict=True)]


@pytest.mark.parametrize("file", FILES)
def test_llama_2_converted_gives_the_ids_of_its_model(data: Path, file: str) -> None:
    """The model as `tokenizer.json` and the published `tokenizer.json` as a model, each in its owner."""
    peer, library = _converted(_path(data, "llama2.model"), _path(data, "llama2.json"))
    _, model = _model(_path(data, "llama2.model"))
    for text in _texts(data, file)[:50]:
        expected = model.encode(text)
        assert peer.encode(text, add_special_tokens=False).ids == expected
        assert library.encode(text) == expected


@functools.cache
def _converted(model: Path, published: Path) -> tuple[Peer, sentencepiece.SentencePieceProcessor]:
    peer = Peer.from_str(tokmill.Tokenizer.from_file(model).to_bytes(format="tokenizer.json").decode())
    peer.encode_special_tokens = True
    with pytest.warns(UserWarning, match="template"):
        written = tokmill.Tokenizer.from_file(published).to_bytes(format="sentencepiece")
    return peer, sentencepiece.SentencePieceProcessor(model_proto=written)


def test_a_gguf_vocabulary_as_tokenizer_json(data: Path) -> None:
    peer = Peer.from_str(_gguf(data, "llama-spm").to_bytes(format="tokenizer.json").decode())
    peer.encode_special_tokens = True
    for text, ids in _goldens(data, "llama-spm"):
        assert peer.encode(text, add_special_tokens=False).ids == ids
