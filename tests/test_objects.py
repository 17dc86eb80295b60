"""Tokenizers as Python objects: equality, hashing, pickling, new ones from old ones, the vocabulary."""

from __future__ import annotations

import copy
import pickle

import peers
import pytest
from texts import CORPUS

import tokmill

VARIANTS = [("gpt2", {}), ("deepseek", {"nfc": True, "added": True, "template": True}), ("no cuts", {"added": True})]


@pytest.fixture(params=VARIANTS, ids=lambda variant: variant[0])
def any_tokenizer(request: pytest.FixtureRequest) -> tokmill.Tokenizer:
    name, options = request.param
    return tokmill.Tokenizer.from_bytes(peers.train(name, **options).to_str())


def test_pickling(any_tokenizer: tokmill.Tokenizer) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(any_tokenizer, protocol))
        assert again == any_tokenizer
        assert hash(again) == hash(any_tokenizer)
        assert again.fingerprint == any_tokenizer.fingerprint
        for text in CORPUS:
            for options in ({}, {"allowed_special": "all", "add_special_tokens": True}):
                assert again.encode(text, **options).tolist() == any_tokenizer.encode(text, **options).tolist()


def test_pickles_do_not_depend_on_use(any_tokenizer: tokmill.Tokenizer) -> None:
    before = pickle.dumps(any_tokenizer)
    any_tokenizer.encode_batch(CORPUS)
    assert hash(any_tokenizer)
    assert pickle.dumps(any_tokenizer) == before


def test_a_tiktoken_file_survives_pickling() -> None:
    ranks = peers.ranks("cl100k")
    for pattern in ("cl100k_base", r"\p{L}+|\d"):
        tokenizer = tokmill.Tokenizer.from_bytes(
            peers.tiktoken_file(ranks), pattern=pattern, special_tokens={"<|x|>": 5000}
        )
        again = pickle.loads(pickle.dumps(tokenizer))
        assert again == tokenizer
        for text in CORPUS:
            assert (
                again.encode(text, allowed_special="all").tolist()
                == tokenizer.encode(text, allowed_special="all").tolist()
            )


def test_copies_are_the_object_itself(any_tokenizer: tokmill.Tokenizer) -> None:
    assert copy.copy(any_tokenizer) is any_tokenizer
    assert copy.deepcopy({"key": any_tokenizer})["key"] is any_tokenizer


def test_equality(any_tokenizer: tokmill.Tokenizer, tokenizer: tokmill.Tokenizer) -> None:
    same = tokmill.Tokenizer.from_bytes(any_tokenizer.to_bytes())
    assert same == any_tokenizer
    assert len({same, any_tokenizer}) == 1
    other = any_tokenizer.with_special_tokens({"<|new|>": 5000})
    assert other != any_tokenizer
    assert other.fingerprint != any_tokenizer.fingerprint
    assert any_tokenizer != "a string"
    assert (any_tokenizer == tokenizer) == (any_tokenizer.to_bytes() == tokenizer.to_bytes())


def test_the_fingerprint_is_one_of_the_content(tokenizer: tokmill.Tokenizer) -> None:
    assert len(tokenizer.fingerprint) == len(bytes.fromhex(tokenizer.fingerprint)) * 2
    assert repr(tokenizer) == f"<tokmill.Tokenizer: BPE, {len(tokenizer)} ids>"


def test_objects_cannot_be_changed(tokenizer: tokmill.Tokenizer) -> None:
    for name in ("vocab_size", "fingerprint", "anything"):
        with pytest.raises(AttributeError):
            setattr(tokenizer, name, 1)
    tokenizer.vocab().clear()
    tokenizer.special_tokens.clear()
    tokenizer.merges.clear()
    assert tokenizer.vocab()
    assert tokenizer.special_tokens
    assert tokenizer.merges


def test_new_special_tokens(tokenizer: tokmill.Tokenizer) -> None:
    more = tokenizer.with_special_tokens({"<|b|>": 5000, "<|a|>": 4000})
    assert more.special_tokens == {**tokenizer.special_tokens, "<|a|>": 4000, "<|b|>": 5000}
    assert list(more.special_tokens.values()) == sorted(more.special_tokens.values())
    assert len(more) == 5001
    text = "see <|a|> and <|b|>"
    assert more.encode(text).tolist() == tokenizer.encode(text).tolist()
    ids = more.encode(text, allowed_special="all").tolist()
    assert [id for id in ids if id >= len(tokenizer)] == [4000, 5000]
    assert more.encode(text, allowed_special={"<|b|>"}).tolist().count(4000) == 0
    assert more.encode(text, allowed_special=set()).tolist() == more.encode(text).tolist()
    assert more.decode(ids) == text
    assert more.decode(ids, skip_special_tokens=True) == "see  and "
    with pytest.raises(tokmill.UnknownId):
        more.token_bytes(4500)


@pytest.mark.parametrize("id", [0, 300, -1, 2**32, 2**40])
def test_ids_that_special_tokens_cannot_have(tokenizer: tokmill.Tokenizer, id: int) -> None:
    with pytest.raises(tokmill.TokmillError, match=r"<\|new\|>"):
        tokenizer.with_special_tokens({"<|new|>": id})


def test_truncation(tokenizer: tokmill.Tokenizer) -> None:
    smaller = tokenizer.truncated(400)
    assert len(smaller) == 400
    assert smaller.merges == tokenizer.merges[: len(smaller.merges)]
    assert smaller.special_tokens == tokenizer.special_tokens
    for id in range(400):
        assert smaller.token_bytes(id) == tokenizer.token_bytes(id)
    for text in CORPUS:
        ids = smaller.encode(text)
        assert smaller.decode(ids) == text
        assert ids.max() < 400
    assert tokenizer.truncated(len(tokenizer)) == tokenizer
    for size in (0, 100, len(tokenizer) + 1, -1, 2**70):
        with pytest.raises(tokmill.TokmillError, match="vocab_size"):
            tokenizer.truncated(size)


def test_tokens_by_bytes_and_by_spelling(tokenizer: tokmill.Tokenizer) -> None:
    for spelled, id in tokenizer.vocab().items():
        assert tokenizer.token_id(spelled) == id
        assert tokenizer.token_id(tokenizer.token_bytes(id)) == id
    assert tokenizer.token_id("Ġ") == tokenizer.token_id(b" ")
    assert tokenizer.token_id(b"not a token") is None
    assert tokenizer.token_id("not a token") is None


def test_merges_build_the_vocabulary(tokenizer: tokmill.Tokenizer) -> None:
    made = {left + right for left, right in tokenizer.merges}
    known = {tokenizer.token_bytes(id) for id in range(len(tokenizer))} - {b"<|endoftext|>"}
    assert made | {bytes([byte]) for byte in range(256)} == known


def test_patterns() -> None:
    patterns = tokmill.patterns()
    assert {"gpt2", "r50k_base", "p50k_base", "cl100k_base", "o200k_base", "llama3", "qwen2", "deepseek_v3"} <= set(
        patterns
    )
    assert {"tekken", "superbpe", "superbpe_2"} <= set(patterns)
    assert patterns["gpt2"] == patterns["r50k_base"]
