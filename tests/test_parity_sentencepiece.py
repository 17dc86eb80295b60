"""Ids, offsets and decoded text equal to their owners' on real Unigram, sentencepiece and GGUF files and real text.

The first 100 KB of each file, and of the files of a folder together, are compared, and some strings of awkward
fragments; with TOKMILL_PARITY set, the whole, and many such strings.
"""

from __future__ import annotations

import functools
import gzip
import itertools
import os
import random
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
import pytest
import sentencepiece
from conftest import DATA
from texts import FRAGMENTS
from tokenizers import Tokenizer as Peer

import tokmill

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = bool(os.environ.get("TOKMILL_PARITY"))
FOLDERS = ("text", "json", "parallel")
FILES = sorted(path.relative_to(DATA).as_posix() for folder in FOLDERS for path in (DATA / folder).glob("*"))
NASTY = 100_000 if WHOLE else 2_000
"""Strings made of awkward fragments, a vocabulary."""
MODELS = ("llama2.model", "xlnet_base_cased.model", "spm_test_unigram1k.model")
UNIGRAMS = ("xlmr_from_gguf.json.gz", "xlnet_base_cased.json.gz")
PAIRS = sorted(path.name.removesuffix(".gguf.gz") for path in (DATA / "vocabs" / "gguf_pairs").glob("*.gguf.gz"))


def _path(data: Path, name: str) -> Path:
    path = data / "vocabs" / name
    if not path.exists():
        pytest.skip(f"no {name} in the data")
    return path


def _texts(data: Path, name: str) -> list[str]:
    path = data / name
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    limit = None if WHOLE else 100_000 // len(files)
    text = "".join(file.read_bytes().decode(errors="replace")[:limit] for file in files)
    size = 2_000
    return [text[begin : begin + size] for begin in range(0, len(text), size)]


def _nasty(name: str, extra: list[str]) -> list[str]:
    generator = random.Random(name)
    fragments = [*FRAGMENTS, *extra]
    return ["".join(generator.choices(fragments, k=generator.randint(0, 12))) for _ in range(NASTY)]


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


@pytest.mark.parametrize("name", MODELS)
def test_nasty_strings_in_models_of_sentencepiece(data: Path, name: str) -> None:
    tokenizer, peer = _model(_path(data, name))
    for text in _nasty(name, ["\u2581", "<s>", "<0x41>", "\u2047"]):
        expected = peer.encode_as_offset_mapping(text)
        ids, spans = tokenizer.encode_with_offsets(text)
        assert ids.tolist() == tokenizer.encode(text).tolist() == expected["ids"]
        assert spans.tolist() == [list(span) for span in expected["offsets"]]
        assert tokenizer.decode(ids) == peer.decode(ids.tolist())


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


@pytest.mark.parametrize("name", UNIGRAMS)
def test_nasty_strings_in_unigrams_of_tokenizers(data: Path, name: str) -> None:
    tokenizer, peer = _unigram(_path(data, name))
    peer.encode_special_tokens = False
    texts = _nasty(name, ["\u2581", *list(tokenizer.special_tokens)[:8]])
    rows, spans = tokenizer.encode_batch_with_offsets(texts, allowed_special="all")
    encodings = peer.encode_batch(texts, add_special_tokens=False)
    peer.encode_special_tokens = True
    for ids, places, text, expected in zip(rows, _rows(spans, rows.offsets), texts, encodings, strict=True):
        assert ids.tolist() == expected.ids, text
        assert places.tolist() == [list(span) for span in expected.offsets], text
    assert tokenizer.decode_batch(rows) == peer.decode_batch([e.ids for e in encodings], skip_special_tokens=False)


def _rows(spans: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    return [spans[begin:end] for begin, end in itertools.pairwise(offsets)]


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
