"""Binary BPE: raw bytes in, merges of the textbook, both layouts of published files."""

from __future__ import annotations

import json
import mmap
import random
from pathlib import Path

import naive_training
import numpy as np
import peers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Peer

import tokmill

SPECIALS = ["<|start|>", "<|end|>", "<|pad|>", "<|unk|>", "<|cls|>", "<|sep|>", "<|mask|>"]


def machine_code(size: int, seed: int = 0) -> bytes:
    """Bytes that repeat the way machine code does: opcodes, small numbers, strings, padding."""
    source = random.Random(7)
    words = [b"\0" * 16, b"\xff\xff\xff\xff", b"\xe8\0\0\0\0", b"error: out of memory\0", b"\x80\xc3 ok\0"]
    words += [bytes(source.choices(range(256), weights=range(256, 0, -1), k=source.randint(1, 7))) for _ in range(60)]
    source = random.Random(seed)
    parts: list[bytes] = []
    while sum(map(len, parts[-100:])) * max(len(parts) // 100, 1) < 2 * size:
        parts += source.choices(words, weights=[len(words) - n for n in range(len(words))], k=100)
    return b"".join(parts)[:size]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files, one of them in a folder of its own, and a link."""
    folder = tmp_path_factory.mktemp("binary")
    (folder / "a.so").write_bytes(machine_code(100_000))
    (folder / "lib").mkdir()
    (folder / "lib" / "b.o").write_bytes(machine_code(50_001, seed=1))
    (folder / "link").symlink_to(folder / "a.so")
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> tokmill.Tokenizer:
    return tokmill.train_binary_bpe(folder, 800)


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def entries_of(tokenizer: tokmill.Tokenizer) -> list[bytes]:
    return [tokenizer.token_bytes(id) for id in range(len(tokenizer))]


def test_specials_bytes_merges(trained: tokmill.Tokenizer) -> None:
    assert trained.special_tokens == {token: id for id, token in enumerate(SPECIALS)}
    assert entries_of(trained)[7:263] == [bytes([byte]) for byte in range(256)]
    assert len(trained) == 800
    assert max(map(len, entries_of(trained)[263:])) == 16
    assert trained.encode(b"a", add_special_tokens=True).tolist() == [0, ord("a") + 7, 1]


@given(
    files=st.lists(st.lists(st.sampled_from([b"\0", b"\xff", b"ab", b"\x80"]), max_size=60).map(b"".join), max_size=4),
    chunk_bytes=st.sampled_from([0, 5, 16]),
    frequency=st.integers(1, 4),
    max_bytes=st.integers(1, 9),
)
def test_merges_are_those_of_the_textbook(
    files: list[bytes], chunk_bytes: int, frequency: int, max_bytes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    for index, file in enumerate([b"\0\0", *files]):
        (folder / str(index)).write_bytes(file)
    pieces = [chunk for file in [b"\0\0", *files] for chunk in chunks(file, chunk_bytes or 1000)]
    alphabet = [bytes([byte]) for byte in range(256)]
    entries, merges = naive_training.train(
        pieces, (alphabet, []), 280, frequency, lambda entry: len(entry) <= max_bytes
    )
    ours = tokmill.train_binary_bpe(
        folder,
        280,
        chunk_bytes=chunk_bytes,
        max_token_bytes=max_bytes,
        min_frequency=frequency,
        special_tokens=[],
    )
    assert ours.merges == [(entries[left], entries[right]) for left, right in merges]


def test_a_smaller_one_is_a_part_of_a_larger_one(folder: Path, trained: tokmill.Tokenizer) -> None:
    for size in (263, 264, 500):
        assert trained.truncated(size) == tokmill.train_binary_bpe(folder, size)


def test_paths_threads_and_memory_change_nothing(folder: Path, trained: tokmill.Tokenizer) -> None:
    files = [folder / "lib" / "b.o", str(folder / "a.so")]
    assert tokmill.train_binary_bpe(files, 800) == trained
    assert tokmill.train_binary_bpe(str(folder), 800, threads=3) == trained
    assert tokmill.train_binary_bpe([folder / "a.so", folder / "lib"], 800, memory_limit=60_000_000) == trained
    other = tokmill.train_binary_bpe(folder / "a.so", 800)
    assert other.merges != trained.merges


def test_any_buffer_is_encoded(trained: tokmill.Tokenizer, folder: Path) -> None:
    data = machine_code(10_000, seed=5)
    expected = trained.encode(data)
    assert expected.dtype == np.uint32
    assert len(expected) < 0.8 * len(data)
    for same in (bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        assert np.array_equal(trained.encode(same), expected)
    assert trained.decode_bytes(expected) == data
    path = folder / "a.so"
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert np.array_equal(trained.encode(mapped), trained.encode(path.read_bytes()))


@given(data=st.binary(max_size=300))
def test_any_bytes_come_back_as_they_were(trained: tokmill.Tokenizer, data: bytes) -> None:
    assert trained.decode_bytes(trained.encode(data)) == data


def test_both_layouts_are_read_alike(trained: tokmill.Tokenizer) -> None:
    modern = json.loads(trained.to_bytes())
    assert modern["pre_tokenizer"]["type"] == "ByteLevel"

    def latin1(spelled: str) -> str:
        id = modern["model"]["vocab"][spelled]
        return spelled if id < len(SPECIALS) else trained.token_bytes(id).decode("latin-1")

    model = modern["model"]
    vocab = {latin1(token): id for token, id in model["vocab"].items()}
    merges = [[latin1(half) for half in merge] for merge in model["merges"]]
    old = modern | {"pre_tokenizer": None, "decoder": None, "model": model | {"vocab": vocab, "merges": merges}}
    data = machine_code(3_000, seed=9) + bytes(range(256))
    for decoder in (None, {"type": "Fuse"}):
        file = json.dumps(old | {"decoder": decoder})
        reread = tokmill.Tokenizer.from_bytes(file)
        assert reread.encode(data).tolist() == trained.encode(data).tolist()
        assert reread.decode_bytes(reread.encode(data)) == data
        peer = Peer.from_str(file)
        assert peer.encode(data.decode("latin-1"), add_special_tokens=False).ids == trained.encode(data).tolist()
    peer = Peer.from_str(json.dumps(modern | {"pre_tokenizer": None}))
    assert peer.encode(peers.spell(data), add_special_tokens=False).ids == trained.encode(data).tolist()


def test_chunks_of_other_entropy_are_left_out(tmp_path: Path) -> None:
    noise = random.Random(3).randbytes(8192)
    text = (b"push rbp; mov rbp, rsp; " * 400)[:8192]
    (tmp_path / "mixed").write_bytes(bytes(8192) + noise + text)
    kept = tokmill.train_binary_bpe(tmp_path, 300, entropy=(0.5, 7.5), min_frequency=2)
    (tmp_path / "mixed").write_bytes(text)
    assert kept == tokmill.train_binary_bpe(tmp_path, 300, min_frequency=2)
    with pytest.raises(tokmill.TokmillError, match="entropy"):
        tokmill.train_binary_bpe(tmp_path, 300, entropy=(5, 2))
    with pytest.raises(tokmill.TokmillError, match="empty"):
        tokmill.train_binary_bpe(tmp_path, 300, entropy=(7.9, 8))


def test_chunks_are_cut_further(tmp_path: Path) -> None:
    (tmp_path / "strings").write_bytes(b"abc\0abd\0\0" * 500)
    whole = tokmill.train_binary_bpe(tmp_path, 290)
    cut = tokmill.train_binary_bpe(tmp_path, 290, split="nul")
    assert any(b"\0a" in entry for entry in entries_of(whole)[263:])
    assert not any(b"\0a" in entry for entry in entries_of(cut)[263:])
    assert tokmill.train_binary_bpe(tmp_path, 290, split="nul", split_probability=0) == whole
    with pytest.raises(tokmill.TokmillError, match="split"):
        tokmill.train_binary_bpe(tmp_path, 290, split="tabs")


def test_lengths_are_an_option(folder: Path) -> None:
    ours = tokmill.train_binary_bpe(folder, 400, token_lengths=(2, 4, 8))
    assert {len(entry) for entry in entries_of(ours)[263:]} == {2, 4, 8}
    refused = r"(?s-u:[^ \t\n\r\x0b\x0c][ \t\n\r\x0b\x0c]\z)"
    ours = tokmill.train_binary_bpe(folder, 400, veto={"regex": refused})
    assert not any(entry.rstrip() != entry and entry.strip() for entry in entries_of(ours)[263:])


def test_senseless_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(tokmill.TokmillError, match="no file"):
        tokmill.train_binary_bpe(tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        tokmill.train_binary_bpe(tmp_path / "absent")


def test_a_published_vocabulary(data: Path) -> None:
    published = tokmill.Tokenizer.from_file(data / "vocabs" / "glaurung_binary_001.json.gz")
    program = (data / "binaries" / "zstd").read_bytes()[:200_000]
    assert published.decode_bytes(published.encode(program)) == program
