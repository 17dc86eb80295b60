"""Files: reading and writing every format, atomically, and the hub without a network."""

from __future__ import annotations

import errno
import gzip
import json
import os
import sys
from pathlib import Path

import peers
import pytest
import tiktoken
from texts import CORPUS
from tiktoken.load import load_tiktoken_bpe
from tokenizers import Tokenizer as Peer

import tokmill


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokenizer.json"
    path.write_text(peers.train("gpt2", added=True, template=True).to_str(), encoding="utf-8")
    return path


def assert_same_ids(left: tokmill.Tokenizer, right: tokmill.Tokenizer) -> None:
    for text in CORPUS:
        for options in ({}, {"allowed_special": "all", "add_special_tokens": True}):
            assert left.encode(text, **options).tolist() == right.encode(text, **options).tolist()


def test_every_way_to_name_a_file(tokenizer_file: Path) -> None:
    tokenizer = tokmill.Tokenizer.from_file(tokenizer_file)
    data = tokenizer_file.read_bytes()
    assert tokmill.Tokenizer.from_file(str(tokenizer_file)) == tokenizer
    assert tokmill.Tokenizer.from_file(tokenizer_file.parent) == tokenizer
    for content in (data, bytearray(data), memoryview(data), data.decode(), gzip.compress(data)):
        assert tokmill.Tokenizer.from_bytes(content) == tokenizer
    packed = tokenizer_file.with_suffix(".json.gz")
    packed.write_bytes(gzip.compress(data))
    assert tokmill.Tokenizer.from_file(packed) == tokenizer
    renamed = tokenizer_file.rename(tokenizer_file.with_name("no suffix, ünïcode"))
    assert tokmill.Tokenizer.from_file(renamed) == tokenizer


def test_vocab_and_merges(tmp_path: Path) -> None:
    peer = peers.train("gpt2")
    peer.model.save(str(tmp_path))
    loaded = tokmill.Tokenizer.from_file(tmp_path)
    for text in CORPUS:
        assert loaded.encode(text).tolist() == peer.encode(text).ids


def test_tekken(tmp_path: Path) -> None:
    import base64

    ranks = peers.ranks("tekken")
    entries = [
        {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
        for token, rank in ranks.items()
    ]
    config = {
        "pattern": peers.TEKKEN,
        "num_vocab_tokens": len(entries),
        "default_vocab_size": len(entries) + 20,
        "default_num_special_tokens": 20,
        "version": "v3",
    }
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps({"config": config, "vocab": entries}), encoding="utf-8")
    ours = tokmill.Tokenizer.from_file(path)
    peer = tiktoken.Encoding("tekken", pat_str=peers.TEKKEN, mergeable_ranks=ranks, special_tokens={})
    for text in CORPUS:
        assert ours.encode(text).tolist() == [id + 20 for id in peer.encode_ordinary(text)]


def test_saving_tokenizer_json(tokenizer_file: Path, tmp_path: Path) -> None:
    tokenizer = tokmill.Tokenizer.from_file(tokenizer_file)
    saved = tmp_path / "saved.json"
    tokenizer.save(saved)
    assert saved.read_bytes() == tokenizer.to_bytes()
    assert tokmill.Tokenizer.from_file(saved) == tokenizer
    assert Peer.from_file(str(saved)).to_str() == Peer.from_file(str(tokenizer_file)).to_str()
    tokenizer.save(str(tmp_path / "any name"), format="tokenizer.json")
    assert (tmp_path / "any name").read_bytes() == saved.read_bytes()


def test_saving_tiktoken(tmp_path: Path) -> None:
    ranks = peers.ranks("cl100k")
    specials = {"<|x|>": len(ranks)}
    tokenizer = tokmill.Tokenizer.from_bytes(peers.tiktoken_file(ranks), pattern="cl100k_base", special_tokens=specials)
    path = tmp_path / "x.tiktoken"
    with pytest.warns(UserWarning, match="pattern"), pytest.warns(UserWarning, match="special"):
        tokenizer.save(path)
    assert load_tiktoken_bpe(str(path)) == ranks
    again = tokmill.Tokenizer.from_file(path, pattern="cl100k_base", special_tokens=specials)
    assert again == tokenizer
    assert_same_ids(again, tokenizer)


def test_a_tiktoken_file_becomes_a_tokenizer_json(tmp_path: Path) -> None:
    ranks = peers.ranks("cl100k")
    peer = tiktoken.Encoding(
        "x", pat_str=peers.tiktoken_pattern("cl100k_base"), mergeable_ranks=ranks, special_tokens={"<|x|>": 9000}
    )
    ours = tokmill.Tokenizer.from_bytes(
        peers.tiktoken_file(ranks), pattern="cl100k_base", special_tokens={"<|x|>": 9000}
    )
    converted = Peer.from_str(ours.to_bytes().decode())
    for text in CORPUS:
        assert converted.encode(text).ids == peer.encode(text, allowed_special="all")


def test_what_a_format_would_change_is_refused(tmp_path: Path) -> None:
    tokenizer = tokmill.Tokenizer.from_bytes(peers.train("gpt2", nfc=True).to_str())
    with pytest.raises(tokmill.TokmillError):
        tokenizer.save(tmp_path / "x.tiktoken")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_tells_no_format(tokenizer: tokmill.Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(tokmill.TokmillError, match="format"):
        tokenizer.save(tmp_path / "x.docx")
    assert list(tmp_path.iterdir()) == []


# -- what the operating system refuses ---------------------------------------------------------------------------------


def test_missing_files(tmp_path: Path, tokenizer: tokmill.Tokenizer) -> None:
    missing = tmp_path / "nothing" / "tokenizer.json"
    for call in (tokmill.Tokenizer.from_file, tokenizer.save):
        with pytest.raises(FileNotFoundError) as caught:
            call(missing)
        assert caught.value.errno == errno.ENOENT
        assert str(tmp_path) in str(caught.value.filename)
        assert caught.value.strerror == os.strerror(errno.ENOENT)


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises((FileNotFoundError, tokmill.TokmillError), match="json"):
        tokmill.Tokenizer.from_file(tmp_path)


def test_a_directory_in_the_way(tmp_path: Path, tokenizer: tokmill.Tokenizer) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(OSError, match=r"x\.json"):
        tokenizer.save(tmp_path / "x.json")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory(tmp_path: Path, tokenizer: tokmill.Tokenizer) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            tokenizer.save(tmp_path / "x.json")
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o700)


FULL_DISK = """
import resource, signal, sys, tokmill
tokenizer = tokmill.Tokenizer.from_file(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    tokenizer.save(sys.argv[2])
except OSError as error:
    print(error.errno)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_leaves_the_old_file(tokenizer_file: Path) -> None:
    import subprocess

    before = tokenizer_file.read_bytes()
    assert len(before) > 1000
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tokenizer_file, tokenizer_file],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == [str(errno.EFBIG)]
    assert tokenizer_file.read_bytes() == before
    assert [path.name for path in tokenizer_file.parent.iterdir()] == [tokenizer_file.name]


def test_saving_replaces_a_file_and_keeps_its_permissions_usable(tmp_path: Path, tokenizer: tokmill.Tokenizer) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")
    tokenizer.save(path)
    assert tokmill.Tokenizer.from_file(path) == tokenizer
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]
    if sys.platform != "win32":
        umask = os.umask(0)
        os.umask(umask)
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask


# -- the hub -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer_file: Path) -> Path:
    """A cache of huggingface_hub with one repository, and no network."""
    cache = tmp_path / "cache"
    repository = cache / "models--org--name"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub._snapshot_download.HF_HUB_CACHE", str(cache), raising=False)
    return snapshot


def test_from_pretrained_offline(hub: Path, tokenizer_file: Path) -> None:
    expected = tokmill.Tokenizer.from_file(tokenizer_file)
    assert tokmill.Tokenizer.from_pretrained("org/name") == expected
    assert tokmill.Tokenizer.from_pretrained("org/name", revision=hub.name) == expected
    assert tokmill.Tokenizer.from_pretrained(str(hub)) == expected


def test_a_repository_that_is_not_in_the_cache(hub: Path) -> None:
    assert hub.exists()
    with pytest.raises(OSError, match=r"(?i)cache|offline|local"):
        tokmill.Tokenizer.from_pretrained("org/other")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"tokmill\[hub\]"):
        tokmill.Tokenizer.from_pretrained("org/name")
