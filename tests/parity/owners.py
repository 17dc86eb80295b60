"""The libraries whose ids are the reference, behind one face."""

from __future__ import annotations

import base64
import gzip
import importlib.metadata
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import sentencepiece
import tiktoken
from tokenizers import BertWordPieceTokenizer, Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SLICE = 4096
"""How many documents an owner is given at a time."""


@dataclass
class Encoded:
    """Documents as an owner, or tokmill, encodes them."""

    values: np.ndarray
    """uint32[n], the ids of all documents."""
    ends: np.ndarray
    """int64[documents + 1], where each document begins."""
    spans: np.ndarray | None = None
    """int64[n, 2] in characters, where there are any."""

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], spans: Iterable[Any] | None = None) -> Encoded:
        ends = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=ends[1:])
        values = np.fromiter((id for row in rows for id in row), np.uint32, int(ends[-1]))
        if spans is None:
            return cls(values, ends)
        flat = (place for row in spans for span in row for place in span)
        return cls(values, ends, np.fromiter(flat, np.int64, 2 * len(values)).reshape(-1, 2))

    def rows(self) -> list[list[int]]:
        values = self.values.tolist()
        return [values[begin:end] for begin, end in zip(self.ends[:-1], self.ends[1:], strict=True)]


class Owner(Protocol):
    """A library with one of its files loaded."""

    name: str
    """Its name and version."""
    specials: bool
    """Whether special tokens can be recognised in text."""
    decodes: bool
    """Whether decoded text is compared."""

    def encode(self, documents: list[str], *, specials: bool) -> Encoded:
        """Encodes documents, in which special tokens are recognised or not, without a template around them."""

    def decode(self, encoded: Encoded) -> Sequence[str | bytes]:
        """The text of ids, with that of special tokens."""


def version(library: str) -> str:
    """The name of a library with its version."""
    return f"{library} {importlib.metadata.version(library)}"


def read(path: Path) -> bytes:
    """The content of a file, which may be compressed."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


class HuggingFace:
    """tokenizers and a `tokenizer.json`."""

    specials = True

    def __init__(self, tokenizer: Tokenizer, *, latin1: bool = False) -> None:
        self.name = version("tokenizers")
        self.tokenizer = tokenizer
        # A vocabulary of bytes as Latin-1 characters is given the bytes of a text so.
        self.latin1 = latin1
        self.decodes = not latin1
        tokenizer.no_padding()
        tokenizer.no_truncation()

    @classmethod
    def load(cls, path: Path, *, latin1: bool = False) -> HuggingFace:
        return cls(Tokenizer.from_buffer(read(path)), latin1=latin1)

    def encode(self, documents: list[str], *, specials: bool) -> Encoded:
        self.tokenizer.encode_special_tokens = not specials
        if self.latin1:
            documents = [document.encode().decode("latin-1") for document in documents]
        parts = []
        for begin in range(0, len(documents), SLICE):
            encodings = self.tokenizer.encode_batch(documents[begin : begin + SLICE], add_special_tokens=False)
            parts.append(Encoded.of([e.ids for e in encodings], (e.offsets for e in encodings)))
        return _joined(parts)

    def decode(self, encoded: Encoded) -> list[str]:
        return self.tokenizer.decode_batch(encoded.rows(), skip_special_tokens=False)


def bert_vocabulary(path: Path, *, lowercase: bool) -> HuggingFace:
    """The pipeline of BERT around a bare `vocab.txt`, as transformers builds it."""
    return HuggingFace(BertWordPieceTokenizer(str(path), lowercase=lowercase)._tokenizer)


def _joined(parts: list[Encoded]) -> Encoded:
    if len(parts) == 1:
        return parts[0]
    counts = [np.diff(part.ends) for part in parts]
    ends = np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *counts]))]).astype(np.int64)
    values = np.concatenate([np.zeros(0, np.uint32), *(part.values for part in parts)])
    spans = [np.zeros((0, 2), np.int64), *(part.spans for part in parts if part.spans is not None)]
    return Encoded(values, ends, np.concatenate(spans) if all(part.spans is not None for part in parts) else None)


class SentencePiece:
    """sentencepiece and a `.model`, in which text never spells a special token."""

    specials = False
    decodes = True

    def __init__(self, path: Path) -> None:
        self.name = version("sentencepiece")
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=read(path))

    def encode(self, documents: list[str], *, specials: bool) -> Encoded:
        encoded = [self.processor.encode_as_offset_mapping(document) for document in documents]
        return Encoded.of([row["ids"] for row in encoded], (row["offsets"] for row in encoded))

    def decode(self, encoded: Encoded) -> list[str]:
        return [self.processor.decode(row) for row in encoded.rows()]


class Tiktoken:
    """tiktoken and a table of ranks, whose ids begin at `first_id`."""

    decodes = True

    def __init__(self, encoding: tiktoken.Encoding, first_id: int = 0) -> None:
        self.name = version("tiktoken")
        self.encoding = encoding
        self.specials = bool(encoding.special_tokens_set)
        self.first_id = first_id

    @classmethod
    def ranks(cls, path: Path, pattern: str) -> Tiktoken:
        lines = (line.split() for line in read(path).splitlines())
        ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        return cls(tiktoken.Encoding(path.name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=special(ranks)))

    @classmethod
    def tekken(cls, path: Path) -> Tiktoken:
        """Mistral's own recipe: the special tokens have the first ids, and the ranks follow them."""
        file = json.loads(read(path))
        config = file["config"]
        first_id = config["default_num_special_tokens"]
        size = config["default_vocab_size"] - first_id
        ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in file["vocab"][:size]}
        pattern = config["pattern"]
        return cls(tiktoken.Encoding("tekken", pat_str=pattern, mergeable_ranks=ranks, special_tokens={}), first_id)

    def encode(self, documents: list[str], *, specials: bool) -> Encoded:
        if specials:
            rows = [self.encoding.encode(document, allowed_special="all") for document in documents]
        else:
            rows = [self.encoding.encode_ordinary(document) for document in documents]
        encoded = Encoded.of(rows)
        encoded.values += np.uint32(self.first_id)
        return encoded

    def decode(self, encoded: Encoded) -> list[bytes]:
        own = Encoded(encoded.values - np.uint32(self.first_id), encoded.ends)
        return [self.encoding.decode_bytes(row) for row in own.rows()]


def special(ranks: dict[bytes, int]) -> dict[str, int]:
    """The special token that the rank files, which hold none, are given here."""
    return {"<|endoftext|>": max(ranks.values()) + 1}


class LlamaCpp:
    """llama.cpp, through llama-cpp-python, and the vocabulary of a `.gguf`."""

    specials = True
    decodes = False

    def __init__(self, path: Path) -> None:
        import llama_cpp

        self.name = f"llama.cpp of llama-cpp-python {llama_cpp.__version__}"
        self.library = llama_cpp
        # It would tell of every token that is spelled strangely.
        self._silent = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._silent, None)
        options = llama_cpp.llama_model_default_params()
        options.vocab_only = True
        with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
            file.write(read(path))
            file.flush()
            self.model = llama_cpp.llama_model_load_from_file(file.name.encode(), options)
        if not self.model:
            raise ValueError(f"llama.cpp cannot load {path}")
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)

    def encode(self, documents: list[str], *, specials: bool) -> Encoded:
        return Encoded.of([self._ids(document.encode(), specials) for document in documents])

    def _ids(self, text: bytes, specials: bool) -> list[int]:
        room = len(text) + 8
        while True:
            ids = (self.library.llama_token * room)()
            count = self.library.llama_tokenize(self.vocabulary, text, len(text), ids, room, False, specials)
            if count >= 0:
                return ids[:count]
            room = -count

    def decode(self, encoded: Encoded) -> list[str]:
        raise NotImplementedError
