"""Small tokenizers over characters for the tests of byte-level probabilities: files of both owners, made by hand."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tokmill

BLANK = "\u2581"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


@dataclass(frozen=True)
class Layout:
    """How blanks are treated."""

    opening: bool = True
    """Whether a blank stands before every text."""
    way: str = "normalizer"
    """What writes blanks as U+2581: a "normalizer", a "metaspace" pretokenizer, or "sentencepiece"."""
    split: bool = False
    """Whether each blank begins a piece (of a Metaspace)."""


LAYOUTS = [
    Layout(),
    Layout(opening=False),
    Layout(way="metaspace"),
    Layout(way="metaspace", split=True),
    Layout(opening=False, way="metaspace", split=True),
]
SENTENCEPIECE = [Layout(way="sentencepiece"), Layout(opening=False, way="sentencepiece")]


def bpe(
    characters: Sequence[str], merges: Sequence[tuple[str, str]], layout: Layout, *, fallback: bool = True
) -> tokmill.Tokenizer:
    """A BPE over characters, in which `▁` is the blank."""
    entries = ["<unk>", *BYTES * fallback, *characters]
    entries += [left + right for left, right in merges if left + right not in characters]
    vocab = {entry: id for id, entry in enumerate(dict.fromkeys(entries))}
    if layout.way == "sentencepiece":
        # The library merges whatever forms a piece, so ranks are the scores.
        ranks = {left + right: rank for rank, (left, right) in enumerate(merges)}
        pieces = [(entry, -float(ranks.get(entry, len(merges) + id)), _kind(entry)) for entry, id in vocab.items()]
        return _with_end(_model_file(pieces, layout, 2, fallback=fallback))
    model = {
        "type": "BPE",
        "vocab": vocab,
        "merges": [[left, right] for left, right in merges],
        "unk_token": "<unk>",
        "fuse_unk": True,
        "byte_fallback": fallback,
    }
    return _with_end(_file(model, layout, fallback=fallback))


def unigram(scores: dict[str, float], layout: Layout, *, fallback: bool = True) -> tokmill.Tokenizer:
    """A Unigram model of pieces with these scores, in which `▁` is the blank."""
    lowest = min(scores.values())
    pieces = [("<unk>", lowest - 1), *((byte, lowest - 2) for byte in BYTES * fallback), *scores.items()]
    if layout.way == "sentencepiece":
        return _with_end(_model_file([(text, s, _kind(text)) for text, s in pieces], layout, 1, fallback=fallback))
    model = {"type": "Unigram", "vocab": [list(piece) for piece in pieces], "unk_id": 0, "byte_fallback": fallback}
    return _with_end(_file(model, layout, fallback=fallback))


def _with_end(tokenizer: tokmill.Tokenizer) -> tokmill.Tokenizer:
    """The same with one id more, which ends a text."""
    if "</s>" in tokenizer.special_tokens:
        return tokenizer
    return tokenizer.with_special_tokens({**tokenizer.special_tokens, "</s>": tokenizer.vocab_size})


def _file(model: dict[str, Any], layout: Layout, *, fallback: bool) -> tokmill.Tokenizer:
    normalizers, pretokenizer = [], None
    if layout.way == "normalizer":
        normalizers += [{"type": "Prepend", "prepend": BLANK}] * layout.opening
        normalizers += [{"type": "Replace", "pattern": {"String": " "}, "content": BLANK}]
    else:
        scheme = "always" if layout.opening else "never"
        pretokenizer = {
            "type": "Metaspace",
            "replacement": BLANK,
            "prepend_scheme": scheme,
            "split": layout.split,
        }
    decoders = [{"type": "Replace", "pattern": {"String": BLANK}, "content": " "}]
    decoders += [{"type": "ByteFallback"}] * fallback
    decoders += [{"type": "Fuse"}]
    decoders += [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] * layout.opening
    document = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": normalizers} if normalizers else None,
        "pre_tokenizer": pretokenizer,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": model,
    }
    return tokmill.Tokenizer.from_bytes(json.dumps(document))


_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6


def _kind(text: str) -> int:
    return _UNKNOWN if text == "<unk>" else _BYTE if text in BYTES else _NORMAL


def _model_file(
    pieces: list[tuple[str, float, int]], layout: Layout, model_type: int, *, fallback: bool
) -> tokmill.Tokenizer:
    """A `ModelProto` of sentencepiece, field by field."""
    pieces = [*pieces, ("</s>", 0.0, _CONTROL)]
    file = b"".join(
        _bytes(1, _bytes(1, text.encode()) + b"\x15" + struct.pack("<f", score) + _number(3, kind))
        for text, score, kind in pieces
    )
    file += _bytes(2, _number(3, model_type) + _number(35, fallback))
    file += _bytes(3, _bytes(1, b"identity") + _number(3, layout.opening) + _number(4, 0) + _number(5, 1))
    return tokmill.Tokenizer.from_bytes(file)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
