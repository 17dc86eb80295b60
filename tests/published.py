"""The rank files of tiktoken's published encodings, made from the vocabularies at hand, in tiktoken's cache layout.

p50k is r50k with 24 runs of spaces more; GPT-2's pair of files is written from its `tokenizer.json`. tiktoken accepts
all of them by their SHA-256.
"""

import base64
import hashlib
import json
from pathlib import Path

HOST = "https://openaipublic.blob.core.windows.net"
NEEDED = ("r50k_base.tiktoken", "cl100k_base.tiktoken", "o200k_base.tiktoken", "gpt2.json")


def write_cache(vocabularies: Path, cache: Path) -> None:
    def put(remote: str, data: bytes) -> None:
        key = hashlib.sha1(f"{HOST}/{remote}".encode(), usedforsecurity=False).hexdigest()
        (cache / key).write_bytes(data)

    files = {name: (vocabularies / name).read_bytes() for name in NEEDED}
    for name in NEEDED[:3]:
        put(f"encodings/{name}", files[name])
    spaces = (b"%b %d\n" % (base64.b64encode(b" " * run), 50255 + run) for run in range(2, 26))
    put("encodings/p50k_base.tiktoken", files["r50k_base.tiktoken"] + b"".join(spaces))
    model = json.loads(files["gpt2.json"])["model"]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    put("gpt-2/encodings/main/vocab.bpe", "\n".join(["#version: 0.2", *merges, ""]).encode())
    put("gpt-2/encodings/main/encoder.json", json.dumps(model["vocab"]).encode())
