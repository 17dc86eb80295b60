"""The main job: train a BPE tokenizer, save it, encode a corpus, decode it back, beside the peers.

The corpus is the source text of Python's own standard library. `make demo` runs this with tokenizers and tiktoken
installed; without them the table says so. Every library gets one thread and one document a file.
"""

from __future__ import annotations

import os
import platform
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable

VOCAB_SIZE = 8192
PATTERN = "o200k_base"
END_OF_TEXT = "<|endoftext|>"


def main() -> None:
    """Run the job and print a table."""
    texts = standard_library()
    size = sum(len(text.encode()) for text in texts)
    version = platform.python_version()
    print(f"corpus      standard library of Python {version}: {len(texts)} files, {size / 1e6:.1f} MB")

    started = time.perf_counter()
    trained = tokmill.train_bpe(texts, VOCAB_SIZE, pattern=PATTERN, special_tokens=[END_OF_TEXT])
    seconds = time.perf_counter() - started
    print(f"training    {trained.vocab_size} ids, {len(trained.merges)} merges in {seconds:.2f} s")

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "tokenizer.json")
        trained.save(path)
        tokenizer = tokmill.Tokenizer.from_file(path)
        kilobytes = path.stat().st_size / 1e3
        print(f"saved       tokenizer.json, {kilobytes:.0f} kB, read back equal: {tokenizer == trained}")
        peers = {"tokenizers": tokenizers_peer(path), "tiktoken": tiktoken_peer(tokenizer)}

    started = time.perf_counter()
    batch = tokenizer.encode_batch(texts, threads=1)
    seconds = time.perf_counter() - started
    expected = [batch[row].tolist() for row in range(len(batch))]

    started = time.perf_counter()
    decoded = [tokenizer.decode_bytes(ids) for ids in batch]
    decode_seconds = time.perf_counter() - started
    exact = decoded == [text.encode() for text in texts]
    tokens = len(batch.values)
    print(f"encoded     {tokens} tokens, {size / tokens:.3f} bytes per token")
    print(f"decoded     {size / decode_seconds / 1e6:.0f} MB/s, every byte as it was: {exact}")

    print(f"\n{'encode, one thread':20} {'seconds':>8} {'MB/s':>8}   ids")
    print(row("tokmill", size, seconds, f"{tokens} tokens"))
    for name, encode in peers.items():
        if encode is None:
            print(f"{name:20} {'-':>8} {'-':>8}   not installed")
            continue
        started = time.perf_counter()
        found = encode(texts)
        seconds = time.perf_counter() - started
        different = sum(ours != theirs for ours, theirs in zip(expected, found, strict=True))
        print(row(name, size, seconds, f"different in {different} files" if different else "equal"))
    if not exact:
        raise SystemExit("the decoded text differs from the original")


def standard_library() -> list[str]:
    """The text of every source file that is UTF-8, in order of path."""
    root = Path(sysconfig.get_path("stdlib"))
    texts = []
    for path in sorted(root.rglob("*.py")):
        if {"site-packages", "dist-packages"}.isdisjoint(path.parts):
            try:
                texts.append(path.read_bytes().decode())
            except UnicodeDecodeError:
                continue  # Tests of Python's own decoders; tokmill takes bytes, the peers do not.
    return texts


def tokenizers_peer(path: Path) -> Callable[[list[str]], list[list[int]]] | None:
    """Hugging Face tokenizers with the file that tokmill saved."""
    try:
        import tokenizers
    except ImportError:
        return None
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    peer = tokenizers.Tokenizer.from_file(str(path))
    # The fast call leaves out offsets; one text a call keeps memory small.
    return lambda texts: [peer.encode_batch_fast([text], add_special_tokens=False)[0].ids for text in texts]


def tiktoken_peer(tokenizer: tokmill.Tokenizer) -> Callable[[list[str]], list[list[int]]] | None:
    """Tiktoken with the same ranks and pattern."""
    try:
        import tiktoken
    except ImportError:
        return None
    special_tokens = tokenizer.special_tokens
    (pattern,) = tokmill.patterns()[PATTERN]
    ids = sorted(set(tokenizer.vocab().values()) - set(special_tokens.values()))
    peer = tiktoken.Encoding(
        "demo",
        pat_str=pattern,
        mergeable_ranks={tokenizer.token_bytes(token_id): token_id for token_id in ids},
        special_tokens=special_tokens,
    )
    return lambda texts: [peer.encode_ordinary(text) for text in texts]


def row(name: str, size: int, seconds: float, remark: str) -> str:
    """A line of the table."""
    return f"{name:20} {seconds:8.2f} {size / seconds / 1e6:8.1f}   {remark}"


if __name__ == "__main__":
    main()
