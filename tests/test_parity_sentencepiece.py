"""Ids, offsets and decoded text equal to their owners' on real Unigram, sentencepiece and GGUF files and real text.

The first 100 KB of each file are compared; with TOKMILL_PARITY set, the whole.
"""

from __future__ import annotations

import functools
import gzip
import os
from typing import TYPE_CHECKING

import pytest
import sentencepiece
from conftest import DATA
from tokenizers import Tokenizer as Peer

import tokmill

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = bool(os.environ.get("TOKMILL_PARITY"))
FILES = sorted(path.relative_to(DATA).as_posix() for folder in ("text", "json") for path in (DATA / folder).glob("*"))
MODELS = ("llama2.model", "xlnet_base_cased.model", "spm_test_unigram1k.model")
UNIGRAMS = ("xlmr_from_gguf.json.gz", "xlnet_base_cased.json.gz")
PAIRS = sorted(path.name.removesuffix(".gguf.gz") for path in (DATA / "vocabs" / "gguf_pairs").glob("*.gguf.gz"))


def _path(data: Path, name: str) -> Path:
    path = data / "vocabs" / name
    if not path.exists():
        pytest.skip(f"no {name} in the data")
    return path


def _texts(data: Path, name: str) -> list[str]:
    text = (data / name).read_bytes().decode(errors="replace")
    if not WHOLE:
        text = text[:100_000]
    size = 2_000
    return [text[begin : begin + size] for begin in range(0, len(text), size)]


@functools.cache
def _model(path: Path) -> tuple[tokmill.Tokenizer, sentencepiece.SentencePieceProcessor]:
    return tokmill.Tokenizer.from_file(path), sentencepiece.SentencePieceProcessor(model_file=str(path))


@functools.cache
def _unigram(path: Path) -> tuple[tokmill.Tokenizer, Peer]:
    peer = Peer.from_str(gzip.decompress(path.read_bytes()).decode())
    peer.no_padding()
    peer.no_truncation()
    peer.encode_special_tokens = True
    return tokmill.Tokenizer.from_file(path), peer


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("file", FILES)
def test_models_of_sentencepiece(data: Path, name: str, file: str) -> None:
    tokenizer, peer = _model(_path(data, name))
    texts = _texts(data, file)
    for number, text in enumerate([*texts, "".join(texts[:20])]):
        expected = peer.encode(text)
        assert tokenizer.encode(text).tolist() == expected
        assert tokenizer.decode(expected) == peer.decode(expected)
        if number % 10 == 0:
            spans = [list(span) for span in peer.encode_as_offset_mapping(text)["offsets"]]
            assert tokenizer.encode_with_offsets(text)[1].tolist() == spans


@pytest.mark.parametrize("name", UNIGRAMS)
@pytest.mark.parametrize("file", FILES)
def test_unigrams_of_tokenizers(data: Path, name: str, file: str) -> None:
    tokenizer, peer = _unigram(_path(data, name))
    for text in _texts(data, file):
        expected = peer.encode(text, add_special_tokens=False)
        ids, spans = tokenizer.encode_with_offsets(text)
        assert ids.tolist() == expected.ids
        assert spans.tolist() == [list(span) for span in expected.offsets]
        assert tokenizer.encode(text).tolist() == expected.ids
        assert tokenizer.decode(ids) == peer.decode(expected.ids, skip_special_tokens=False)


@pytest.mark.parametrize("name", PAIRS)
def test_gguf_vocabularies_give_the_ids_of_llama_cpp(data: Path, name: str) -> None:
    folder = data / "vocabs" / "gguf_pairs"
    tokenizer = tokmill.Tokenizer.from_file(folder / f"{name}.gguf.gz")
    texts = (folder / f"{name}.gguf.inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
    rows = (folder / f"{name}.gguf.out").read_text().removesuffix("\n").split("\n")
    # The last row may be empty, and its end of line missing.
    rows += [""] * (len(texts) - len(rows))
    assert len(rows) == len(texts)
    for text, row in zip(texts, rows, strict=True):
        assert tokenizer.encode(text).tolist() == [int(number) for number in row.split()]
