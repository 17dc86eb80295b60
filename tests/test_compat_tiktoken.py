"""The face of tiktoken gives what tiktoken gives: ids, bytes, errors and their messages."""

from __future__ import annotations

import copy
import itertools
import pickle
from pathlib import Path
from typing import Any

import published
import pytest
import tiktoken as owner
import tiktoken.model
import tiktoken_ext.openai_public
from hypothesis import given
from hypothesis import strategies as st
from texts import CORPUS, texts

import tokmill
from tokmill.compat import _openai
from tokmill.compat import tiktoken as face

SPECIAL = {"<|end|>": 600, "<|end of text|>": 601, "é": 605}
PATTERNS = [_openai.PUBLISHED["gpt2"].pattern, _openai.PUBLISHED["cl100k_base"].pattern, r"\p{L}+|\s"]
TRAINED = tokmill.train_bpe(CORPUS, 600)
RANKS = {TRAINED.token_bytes(id): id for id in range(len(TRAINED))}
PAIRS = [
    [
        library.Encoding("small", pat_str=pattern, mergeable_ranks=RANKS, special_tokens=SPECIAL)
        for library in (owner, face)
    ]
    for pattern in PATTERNS
]

pairs = st.sampled_from(PAIRS)
# Texts that may spell special tokens, whole or in part.
spelling = st.lists(st.one_of(texts, st.sampled_from([*SPECIAL, "<|end", "|>", "<|"])), max_size=5).map("".join)


def outcome(call: Any, *arguments: Any, **options: Any) -> Any:
    """What a call returns, or the type and the message of the error that it raises."""
    try:
        return call(*arguments, **options)
    except Exception as error:
        return type(error), str(error)


@given(pairs, texts)
def test_ordinary(pair: list[Any], text: str) -> None:
    peer, ours = pair
    assert ours.encode_ordinary(text) == peer.encode_ordinary(text)
    assert ours.encode_ordinary_batch([text, "", text]) == peer.encode_ordinary_batch([text, "", text])


@given(
    pairs,
    spelling,
    st.one_of(st.just("all"), st.sets(st.sampled_from([*SPECIAL, "other"]))),
    st.one_of(st.just("all"), st.sets(st.sampled_from([*SPECIAL, "a"])), st.just(())),
)
def test_special_tokens(pair: list[Any], text: str, allowed: Any, disallowed: Any) -> None:
    options = {"allowed_special": allowed, "disallowed_special": disallowed}
    peer, ours = pair
    expected = outcome(peer.encode, text, **options)
    assert outcome(ours.encode, text, **options) == expected
    assert outcome(lambda: ours.encode_to_numpy(text, **options).tolist()) == expected
    assert outcome(lambda: ours.encode_batch(["", text], **options)[1]) == expected


@given(pairs, st.text(st.characters(codec=None), max_size=20))
def test_surrogates(pair: list[Any], text: str) -> None:
    peer, ours = pair
    assert ours.encode(text, disallowed_special=()) == peer.encode(text, disallowed_special=())
    assert ours.encode_batch(["a", text], disallowed_special=()) == peer.encode_batch(
        ["a", text], disallowed_special=()
    )
    assert outcome(lambda: ours.encode_to_numpy(text, disallowed_special=()).tolist()) == outcome(
        lambda: peer.encode_to_numpy(text, disallowed_special=()).tolist()
    )


@given(pairs, st.lists(st.sampled_from([*b"ab \n'", *"é漢🦜".encode(), 0xFF]), max_size=12).map(bytes))
def test_bytes_that_are_not_text(pair: list[Any], data: bytes) -> None:
    peer, ours = pair
    if peer._pat_str == PATTERNS[2]:
        return  # tiktoken itself drops text there, and then cuts what it has not
    assert ours._encode_bytes(data) == peer._encode_bytes(data)
    if data:
        assert ours._encode_single_piece(data) == peer._encode_single_piece(data)


@given(pairs, st.one_of(spelling.map(lambda text: text[:6]), st.text("ab \n'é", max_size=4)))
def test_unstable(pair: list[Any], text: str) -> None:
    peer, ours = pair
    stable, completions = ours.encode_with_unstable(text, allowed_special={"<|end|>"}, disallowed_special=())
    expected = peer.encode_with_unstable(text, allowed_special={"<|end|>"}, disallowed_special=())
    assert stable == expected[0]
    assert sorted(completions) == sorted(expected[1])


@given(pairs, st.lists(st.integers(-1, 607), max_size=8))
def test_decoding(pair: list[Any], ids: list[int]) -> None:
    peer, ours = pair
    for name in ("decode_bytes", "decode", "decode_tokens_bytes", "decode_with_offsets"):
        assert outcome(getattr(ours, name), ids) == outcome(getattr(peer, name), ids), name
    assert outcome(ours.decode_batch, [ids, []]) == outcome(peer.decode_batch, [ids, []])
    assert outcome(ours.decode, ids, errors="strict") == outcome(peer.decode, ids, errors="strict")
    assert outcome(ours.decode_bytes_batch, [ids]) == outcome(peer.decode_bytes_batch, [ids])


def test_the_vocabulary() -> None:
    peer, ours = PAIRS[0]
    for name in ("name", "n_vocab", "max_token_value", "special_tokens_set", "_mergeable_ranks", "_special_tokens"):
        assert getattr(ours, name) == getattr(peer, name)
    assert repr(ours) == repr(peer)
    assert ours.token_byte_values() == peer.token_byte_values()
    assert outcome(lambda: ours.eot_token) == outcome(lambda: peer.eot_token)
    for id in range(-1, 607):
        assert outcome(ours.decode_single_token_bytes, id) == outcome(peer.decode_single_token_bytes, id)
        assert ours.is_special_token(id) == peer.is_special_token(id)
    for token in ["a", "é", "the", "<|end|>", b"\xff", b"\xff\xff", "no such token"]:
        assert outcome(ours.encode_single_token, token) == outcome(peer.encode_single_token, token)


@pytest.mark.parametrize(
    "call",
    [
        lambda encoding: encoding.encode_ordinary(1),
        lambda encoding: encoding.encode_ordinary(b"a"),
        lambda encoding: encoding.encode("a", allowed_special=["<|end|>"]),
        lambda encoding: encoding.encode("a", allowed_special=["<|end|>"], disallowed_special=()),
        lambda encoding: encoding.encode_batch(["a"], num_threads=0),
        lambda encoding: encoding.decode_batch([[97]], num_threads=0),
        lambda encoding: encoding.decode_bytes(["a"]),
        lambda encoding: encoding.decode_bytes([1 << 40]),
    ],
)
def test_wrong_arguments(call: Any) -> None:
    peer, ours = (outcome(call, encoding) for encoding in PAIRS[0])
    assert isinstance(peer, tuple)
    assert ours[0] is peer[0]


def test_special_tokens_that_share_an_id() -> None:
    special = {"<|one|>": 600, "<|same|>": 600}
    peer, ours = (
        library.Encoding("shared", pat_str=PATTERNS[0], mergeable_ranks=RANKS, special_tokens=special)
        for library in (owner, face)
    )
    text = "a<|same|> b <|one|><|same|>"
    for allowed in ({"<|one|>"}, {"<|same|>"}, "all"):
        options = {"allowed_special": allowed, "disallowed_special": ()}
        assert ours.encode(text, **options) == peer.encode(text, **options)
        assert ours.encode_batch([text], **options) == peer.encode_batch([text], **options)


def test_what_cannot_be_exact_is_refused() -> None:
    ranks = {token: rank for token, rank in RANKS.items() if token != b"z"}
    with pytest.raises(tokmill.TokmillError, match="0x7A"):
        face.Encoding("x", pat_str=".", mergeable_ranks=ranks, special_tokens={})
    with pytest.raises(AssertionError):
        face.Encoding("x", pat_str=".", mergeable_ranks=RANKS, special_tokens={}, explicit_n_vocab=5)


@pytest.mark.parametrize("copied", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
def test_copies(copied: Any) -> None:
    ours = PAIRS[1][1]
    again = copied(ours)
    assert again.encode("the fox <|end|>", allowed_special="all") == ours.encode(
        "the fox <|end|>", allowed_special="all"
    )
    assert again.name == ours.name


def test_published_encodings_are_those_of_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    for reader in ("load_tiktoken_bpe", "data_gym_to_mergeable_bpe_ranks"):
        monkeypatch.setattr(tiktoken_ext.openai_public, reader, lambda *_args, **_options: {})
    constructors = tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS
    assert face.list_encoding_names() == list(constructors)
    for name, constructor in constructors.items():
        expected, ours = constructor(), _openai.PUBLISHED[name]
        assert (ours.pattern, ours.special_tokens, ours.n_vocab) == (
            expected["pat_str"],
            expected["special_tokens"],
            expected.get("explicit_n_vocab"),
        )


def test_models_are_those_of_tiktoken() -> None:
    assert tiktoken.model.MODEL_TO_ENCODING == _openai.MODEL_TO_ENCODING
    assert tiktoken.model.MODEL_PREFIX_TO_ENCODING == _openai.MODEL_PREFIX_TO_ENCODING
    prefixes = [f"{prefix}x" for prefix in tiktoken.model.MODEL_PREFIX_TO_ENCODING]
    for model in itertools.chain(tiktoken.model.MODEL_TO_ENCODING, prefixes, ["nope"]):
        assert outcome(face.encoding_name_for_model, model) == outcome(owner.encoding_name_for_model, model)


@pytest.mark.parametrize("name", ["nope", 3])
def test_names_that_are_not_known(name: Any) -> None:
    with pytest.raises(ValueError, match=r"Unknown encoding nope|Expected a string in get_encoding"):
        face.get_encoding(name)


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(face, "_encodings", {})
    with pytest.raises(FileNotFoundError, match=r"cl100k_base\.tiktoken"):
        face.get_encoding("cl100k_base")
    wrong = tmp_path / "cl100k_base.tiktoken"
    wrong.write_bytes(b"IQ== 0\n")
    for path in (None, wrong):
        with pytest.raises(ValueError, match="Hash mismatch"):
            face.get_encoding("cl100k_base", path=path)


def test_published_encodings_from_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path) -> None:
    published.write_cache(data / "vocabs", tmp_path)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(face, "_encodings", {})
    text = "".join(CORPUS)
    for name in ("gpt2", "p50k_edit", "cl100k_base", "o200k_harmony"):
        ours, peer = face.get_encoding(name), owner.get_encoding(name)
        assert ours is face.get_encoding(name)
        assert ours.n_vocab == peer.n_vocab
        assert ours.encode(text, disallowed_special=()) == peer.encode(text, disallowed_special=())
        assert len(pickle.dumps(ours)) < 200
        assert pickle.loads(pickle.dumps(ours)).encode("a") == ours.encode("a")
    from_path = face.get_encoding("r50k_base", path=data / "vocabs" / "r50k_base.tiktoken")
    assert from_path._mergeable_ranks == face.get_encoding("gpt2")._mergeable_ranks
