"""The encodings that OpenAI publishes: their patterns, special tokens and rank files, and the models that use them.

Rank files are read where tiktoken keeps them: in the directory that `TIKTOKEN_CACHE_DIR` or `DATA_GYM_CACHE_DIR` names,
or `data-gym-cache` in the directory for temporary files, under the SHA-1 of their address. A file that lies there under
its own name, such as `cl100k_base.tiktoken`, is found too. Nothing is fetched, and a file whose SHA-256 is not that of
the published one is refused. Source: `tiktoken_ext/openai_public.py`, `tiktoken/load.py` and `tiktoken/model.py` of
tiktoken 0.14.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HOST = "https://openaipublic.blob.core.windows.net"
_GPT2_MERGES = "gpt-2/encodings/main/vocab.bpe"
_GPT2_VOCABULARY = "gpt-2/encodings/main/encoder.json"

_SHA256 = {
    _GPT2_MERGES: "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    _GPT2_VOCABULARY: "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    "encodings/r50k_base.tiktoken": "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
    "encodings/p50k_base.tiktoken": "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
    "encodings/cl100k_base.tiktoken": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "encodings/o200k_base.tiktoken": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}

_GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
_CL100K_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_O200K_PATTERN = "|".join(
    [
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTIONS}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)

# Patterns that are spelled for speed in another engine: the name of the pattern that finds the same pieces.
SAME_PATTERN = {_GPT2_PATTERN: "gpt2", _CL100K_PATTERN: "cl100k_base"}


def marked(name: str) -> str:
    """A special token as OpenAI writes them."""
    return f"<|{name}|>"


def _special(**ids: int) -> dict[str, int]:
    return {marked(name): id for name, id in ids.items()}


_O200K_SPECIAL = _special(endoftext=199999, endofprompt=200018)
_HARMONY_NAMES = {
    199998: "startoftext",
    199999: "endoftext",
    200002: "return",
    200003: "constrain",
    200005: "channel",
    200006: "start",
    200007: "end",
    200008: "message",
    200012: "call",
}
_HARMONY_SPECIAL = {marked(_HARMONY_NAMES.get(id, f"reserved_{id}")): id for id in range(199998, 201088)}


@dataclass(frozen=True)
class Published:
    """One published encoding."""

    ranks: str
    pattern: str
    special_tokens: dict[str, int]
    n_vocab: int | None = None


_GPT2_END = _special(endoftext=50256)
PUBLISHED = {
    "gpt2": Published("r50k_base", _GPT2_PATTERN, _GPT2_END, 50257),
    "r50k_base": Published("r50k_base", _GPT2_PATTERN, _GPT2_END, 50257),
    "p50k_base": Published("p50k_base", _GPT2_PATTERN, _GPT2_END, 50281),
    "p50k_edit": Published(
        "p50k_base",
        _GPT2_PATTERN,
        {**_GPT2_END, **_special(fim_prefix=50281, fim_middle=50282, fim_suffix=50283)},
    ),
    "cl100k_base": Published(
        "cl100k_base",
        _CL100K_PATTERN,
        _special(endoftext=100257, fim_prefix=100258, fim_middle=100259, fim_suffix=100260, endofprompt=100276),
    ),
    "o200k_base": Published("o200k_base", _O200K_PATTERN, _O200K_SPECIAL),
    # The name reserved for 200018 stands beside that of the end of the prompt.
    "o200k_harmony": Published("o200k_base", _O200K_PATTERN, {**_O200K_SPECIAL, **_HARMONY_SPECIAL}),
}

_MODELS = {
    "o200k_base": "o1 o3 o4-mini gpt-5 gpt-4.1 gpt-4o",
    "cl100k_base": "gpt-4 gpt-3.5-turbo gpt-3.5 gpt-35-turbo davinci-002 babbage-002 text-embedding-ada-002 "
    "text-embedding-3-small text-embedding-3-large",
    "p50k_base": "text-davinci-003 text-davinci-002 code-davinci-002 code-davinci-001 code-cushman-002 "
    "code-cushman-001 davinci-codex cushman-codex",
    "p50k_edit": "text-davinci-edit-001 code-davinci-edit-001",
    "r50k_base": "text-davinci-001 text-curie-001 text-babbage-001 text-ada-001 davinci curie babbage ada "
    "text-similarity-davinci-001 text-similarity-curie-001 text-similarity-babbage-001 text-similarity-ada-001 "
    "text-search-davinci-doc-001 text-search-curie-doc-001 text-search-babbage-doc-001 text-search-ada-doc-001 "
    "code-search-babbage-code-001 code-search-ada-code-001",
    "gpt2": "gpt2 gpt-2",
}
_MODEL_PREFIXES = {
    "o200k_base": "o1- o3- o4-mini- gpt-5 gpt-4.5- gpt-4.1- chatgpt-4o- gpt-4o- ft:gpt-4o",
    "cl100k_base": "gpt-4- gpt-3.5-turbo- gpt-35-turbo- ft:gpt-4 ft:gpt-3.5-turbo ft:davinci-002 ft:babbage-002",
    "o200k_harmony": "gpt-oss-",
}
MODEL_TO_ENCODING = {model: encoding for encoding, models in _MODELS.items() for model in models.split()}
# Longest first: `ft:gpt-4o` is a prefix of its own beside `ft:gpt-4`.
MODEL_PREFIX_TO_ENCODING = dict(
    sorted(
        ((prefix, encoding) for encoding, prefixes in _MODEL_PREFIXES.items() for prefix in prefixes.split()),
        key=lambda item: -len(item[0]),
    )
)


def constructor_arguments(name: str, path: str | os.PathLike[str] | None) -> dict[str, Any]:
    """The keyword arguments of `Encoding` for a published encoding, its ranks read from `path` or from the cache."""
    published = PUBLISHED[name]
    return {
        "name": name,
        "explicit_n_vocab": published.n_vocab,
        "pat_str": published.pattern,
        "mergeable_ranks": _ranks(name, published, path),
        "special_tokens": dict(published.special_tokens),
    }


def parse_ranks(data: bytes, source: str) -> dict[bytes, int]:
    """The ranks of a `.tiktoken` file: on each line a token in base64, a space and its rank."""
    ranks = {}
    for line in data.splitlines():
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise ValueError(f"Error parsing line {line!r} in {source}") from error
    return ranks


def _ranks(name: str, published: Published, path: str | os.PathLike[str] | None) -> dict[bytes, int]:
    remote = f"encodings/{published.ranks}.tiktoken"
    if path is not None:
        return parse_ranks(_checked(Path(path), remote), os.fspath(path))
    if name == "gpt2" and (merges := _cached(_GPT2_MERGES)) and (vocabulary := _cached(_GPT2_VOCABULARY)):
        return _gpt2_ranks(_checked(merges, _GPT2_MERGES), _checked(vocabulary, _GPT2_VOCABULARY))
    found = _cached(remote)
    if found is None:
        raise FileNotFoundError(
            f"The ranks of {name} are in none of {', '.join(map(str, _cache_directories()))}. tokmill fetches nothing: "
            f"put {published.ranks}.tiktoken there (TIKTOKEN_CACHE_DIR names the directory), "
            f"or pass its path: get_encoding({name!r}, path=...)."
        )
    return parse_ranks(_checked(found, remote), str(found))


def _cache_directories() -> list[Path]:
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return [Path(os.environ[variable])] if os.environ[variable] else []
    return [Path(tempfile.gettempdir()) / "data-gym-cache"]


def _cached(remote: str) -> Path | None:
    key = hashlib.sha1(f"{_HOST}/{remote}".encode(), usedforsecurity=False).hexdigest()
    candidates = [directory / name for directory in _cache_directories() for name in (key, Path(remote).name)]
    return next((path for path in candidates if path.is_file()), None)


def _checked(path: Path, remote: str) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != _SHA256[remote]:
        raise ValueError(
            f"Hash mismatch for {path}: it is not {_HOST}/{remote} (expected {_SHA256[remote]}). "
            f"This may indicate a corrupted download."
        )
    return data


def _gpt2_ranks(merges: bytes, vocabulary: bytes) -> dict[bytes, int]:
    """The ranks of the pair of files that GPT-2 came with; they spell bytes as printable characters."""
    printable = [byte for byte in range(256) if chr(byte).isprintable() and chr(byte) != " "]
    rest = [byte for byte in range(256) if byte not in printable]
    to_byte = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(rest)}
    tokens = [bytes([byte]) for byte in printable + rest]
    for merge in merges.decode().split("\n")[1:-1]:
        tokens.append(bytes(to_byte[char] for char in merge.replace(" ", "")))
    ranks = {token: rank for rank, token in enumerate(tokens)}
    spelled = json.loads(vocabulary)
    spelled.pop(marked("endoftext"), None)
    if ranks != {bytes(to_byte[char] for char in token): rank for token, rank in spelled.items()}:
        raise ValueError("encoder.json and vocab.bpe disagree")
    return ranks
