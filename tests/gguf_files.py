"""Small GGUF files: just enough of the format to write the metadata of a vocabulary."""

from __future__ import annotations

import struct
from typing import Any

from peers import spell

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Types of tokens."""

_WORDS = [*"abcdehlnortw,é漢字", "the", "and", "Hello", "world"]


def written(**fields: Any) -> bytes:
    """A file with these fields of the tokenizer; a key that holds a dot is whole."""
    fields = {"general.architecture": "llama", **fields}
    values = {key if "." in key else f"tokenizer.ggml.{key}": value for key, value in fields.items()}
    return (
        b"GGUF"
        + struct.pack("<IQQ", 3, 0, len(values))
        + b"".join(_string(key) + _typed(value) for key, value in values.items())
    )


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _typed(value: Any) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _string(value)
        case bytes():
            return struct.pack("<IIQ", 9, 0, len(value)) + value
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_string, value))
        case [float(), *_]:
            return struct.pack(f"<IIQ{len(value)}f", 9, 6, len(value), *value)
        case list():
            return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
    raise TypeError(type(value))


def gpt2(extra: dict[str, int] | None = None, **fields: Any) -> bytes:
    """A byte-level BPE with a few merges, and `extra` tokens of these types."""
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("l", "l"), ("H", "e"), ("He", "ll"), ("Hell", "o")]
    tokens = [*(spell(bytes([byte])) for byte in range(256)), *map("".join, merges), *(extra or {})]
    return written(
        model="gpt2",
        pre="gpt-2",
        tokens=tokens,
        token_type=[NORMAL] * (256 + len(merges)) + list((extra or {}).values()),
        merges=[" ".join(pair) for pair in merges],
        **fields,
    )


def _scored(extra: dict[str, int] | None, tokens: list[tuple[str, float, int]]) -> dict[str, Any]:
    tokens = [*tokens, *((text, 0.0, kind) for text, kind in (extra or {}).items())]
    return {
        "tokens": [text for text, _, _ in tokens],
        "scores": [score for _, score, _ in tokens],
        "token_type": [kind for _, _, kind in tokens],
    }


def llama(extra: dict[str, int] | None = None, **fields: Any) -> bytes:
    """A BPE of sentencepiece's kind."""
    special = [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL)]
    bytes_ = [(f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)]
    made = ["▁t", "he", "▁the", "ll", "Hell", "lo", "▁a", "an", "and", "▁and"]
    letters = ["▁", *sorted({c for word in _WORDS for c in word})]
    scored = [(piece, -1.0 - rank, NORMAL) for rank, piece in enumerate([*made, *letters])]
    ids = {"bos_token_id": 1, "eos_token_id": 2}
    return written(model="llama", **_scored(extra, [*special, *bytes_, *scored]), **ids, **fields)


def t5(extra: dict[str, int] | None = None, **fields: Any) -> bytes:
    """A Unigram model."""
    special = [("<pad>", 0.0, CONTROL), ("</s>", 0.0, CONTROL), ("<unk>", 0.0, UNKNOWN)]
    pieces = ["▁", *(f"▁{word}" for word in _WORDS), *_WORDS]
    scored = [(piece, -2.0 - rank / 8, NORMAL) for rank, piece in enumerate(pieces)]
    return written(model="t5", **_scored(extra, [*special, *scored]), eos_token_id=1, unknown_token_id=2, **fields)


def bert(extra: dict[str, int] | None = None, **fields: Any) -> bytes:
    """A WordPiece model."""
    special = [("[PAD]", 0.0, CONTROL), ("[UNK]", 0.0, UNKNOWN), ("[CLS]", 0.0, CONTROL), ("[SEP]", 0.0, CONTROL)]
    words = [word.lower() for word in _WORDS]
    pieces = list(dict.fromkeys([*(f"▁{word}" for word in [*words, "▁"]), *words, "▁", "ᄒ", "▁ᄒ", "▁—"]))
    tokens = [*special, *((piece, 0.0, NORMAL) for piece in pieces)]
    ids = {"unknown_token_id": 1, "cls_token_id": 2, "seperator_token_id": 3}
    return written(model="bert", **_scored(extra, tokens), **ids, **fields)
