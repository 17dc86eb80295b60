"""Bad input: each is an error that says where and why, and the object is usable afterwards."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import peers
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tokmill
from tokmill import _tokmill

if TYPE_CHECKING:
    from collections.abc import Callable


def test_exception_types() -> None:
    assert issubclass(tokmill.TokmillError, ValueError)
    assert issubclass(tokmill.UnknownId, tokmill.TokmillError)
    assert issubclass(tokmill.UnknownId, IndexError)
    assert issubclass(tokmill.InternalError, RuntimeError)
    assert not issubclass(tokmill.InternalError, ValueError)
    for kind in (tokmill.TokmillError, tokmill.UnknownId, tokmill.InternalError):
        assert repr(pickle.loads(pickle.dumps(kind("why")))) == repr(kind("why"))


@pytest.mark.parametrize("size", [0, 1 << 20], ids=["attached", "detached"])
def test_a_bug_is_an_internal_error(tokenizer: tokmill.Tokenizer, size: int, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(tokmill.InternalError, match="on purpose"):
        _tokmill._panic("on purpose", size)
    assert "on purpose" in capfd.readouterr().err, "the place in the source is on stderr"
    assert tokenizer.decode(tokenizer.encode("still here")) == "still here"


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    [
        lambda t, **options: t.encode("a", **options),
        lambda t, **options: t.encode_batch(["a"], **options),
        lambda t, **options: t.encode_with_offsets("a", **options),
        lambda t, **options: t.encode_batch_with_offsets(["a"], **options),
        lambda t, **options: t.count("a", **options),
        lambda t, **options: t.count_batch(["a"], **options),
        lambda t, **options: t.tokens("a", **options),
        lambda t, **options: t.decode([65], **options),
        lambda t, **options: t.decode_bytes([65], **options),
        lambda t, **options: t.decode_batch([[65]], **options),
        lambda t, **options: t.stream(**options),
        lambda t, **options: t.to_bytes(**options),
        lambda t, **options: tokmill.Tokenizer.from_bytes(t.to_bytes(), **options),
    ],
)
def test_unknown_options_are_type_errors(tokenizer: tokmill.Tokenizer, method: Callable[..., object]) -> None:
    method(tokenizer)
    with pytest.raises(TypeError, match="unknown"):
        method(tokenizer, unknown=1)


def test_options_are_keywords(tokenizer: tokmill.Tokenizer) -> None:
    with pytest.raises(TypeError):
        tokenizer.encode("a", "all")


@pytest.mark.parametrize(
    ("call", "where"),
    [
        (lambda t: t.encode("a", allowed_special="some"), "allowed_special"),
        (lambda t: t.encode("a", allowed_special={"<|nothing|>"}), "allowed_special.*<|nothing|>"),
        (lambda t: t.encode("a", threads=0), "threads"),
        (lambda t: t.encode("a", threads=-1), "threads"),
        (lambda t: t.encode_batch(["a"], threads=2**70), "threads"),
        (lambda t: t.encode_batch(["a"], max_length=-1), "max_length"),
        (lambda t: t.encode_batch(["a"], max_length=4, stride=2), "stride"),
        (lambda t: t.encode_batch(["a"], max_length=1, truncation_side="middle"), "truncation_side"),
        (lambda t: t.encode_batch(["a"], pairs=["b", "c"]), "pairs"),
        (lambda t: t.encode_batch(["a"]).to_padded(side="up"), "side"),
        (lambda t: t.encode_batch(["a"]).to_padded(length=-1), "length"),
        (lambda t: t.encode_with_offsets("a", unit="line"), "unit"),
        (lambda t: t.decode([65], errors="guess"), "errors"),
        (lambda t: t.to_bytes(format="docx"), "format"),
        (lambda t: t.save("x", format="docx"), "format"),
        (lambda _: tokmill.set_default_threads(0), "n"),
        (lambda _: tokmill.set_default_threads(-3), "n"),
    ],
)
def test_senseless_values_name_the_option(
    tokenizer: tokmill.Tokenizer, call: Callable[[tokmill.Tokenizer], object], where: str
) -> None:
    with pytest.raises(tokmill.TokmillError, match=where):
        call(tokenizer)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.encode("a", allowed_special=3),
        lambda t: t.encode("a", allowed_special=[3]),
        lambda t: t.encode("a", threads="2"),
        lambda t: t.encode("a", threads=1.5),
        lambda t: t.encode_batch(["a"], max_length="2"),
        lambda t: t.decode("text"),
        lambda t: t.decode([1.5]),
        lambda t: t.decode([None]),
        lambda t: t.decode(3),
        lambda t: t.decode(np.array([1.5])),
        lambda t: t.decode(np.array([[1, 2]])),
        lambda t: t.decode_batch(3),
        lambda t: t.decode_batch([1, 2]),
        lambda t: t.token_bytes("a"),
        lambda t: t.token_id(3),
        lambda t: t.with_special_tokens(["<|x|>"]),
        lambda t: t.with_special_tokens({3: 5000}),
        lambda t: t.with_special_tokens({"<|x|>": "5000"}),
        lambda _: tokmill.Tokenizer.from_file(3),
        lambda _: tokmill.Tokenizer.from_bytes(3),
        lambda _: tokmill.Tokenizer(),
        lambda _: tokmill.Ragged([1], [0, 1]),
    ],
)
def test_wrong_types_are_type_errors(tokenizer: tokmill.Tokenizer, call: Callable[[tokmill.Tokenizer], object]) -> None:
    with pytest.raises(TypeError):
        call(tokenizer)


# -- text and ids ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "position"),
    [("\ud800", 0), ("ab\udfffcd", 2), ("🦊\ud83d", 1), pytest.param("é" * 150_000 + "\ud83d!", 150_000, id="large")],
)
def test_lone_surrogates_are_refused_with_their_position(
    tokenizer: tokmill.Tokenizer, text: str, position: int
) -> None:
    message = f"lone surrogate at character {position}"
    for method in (tokenizer.encode, tokenizer.count, tokenizer.encode_with_offsets, tokenizer.tokens):
        with pytest.raises(tokmill.TokmillError, match=message):
            method(text)
    with pytest.raises(tokmill.TokmillError, match=f"1.*{message}"):
        tokenizer.encode_batch(["fine", text])


@pytest.mark.parametrize("id", [600, 2**24, 2**32 - 1, 2**32, 2**64, 2**100, -1, -(2**40)])
def test_ids_out_of_range(tokenizer: tokmill.Tokenizer, id: int) -> None:
    assert len(tokenizer) == 600
    stream = tokenizer.stream()
    calls = [
        lambda: tokenizer.decode([65, id]),
        lambda: tokenizer.decode_bytes([id]),
        lambda: tokenizer.decode_batch([[65], [id]]),
        lambda: tokenizer.token_bytes(id),
        lambda: stream.push(id),
    ]
    for call in calls:
        with pytest.raises(tokmill.UnknownId, match=rf"id {id} is not in the vocabulary \(ids run from 0 to 599\)"):
            call()
    if -(2**63) <= id < 2**63:
        with pytest.raises(tokmill.UnknownId):
            tokenizer.decode(np.array([id], np.int64))
    assert stream.push(tokenizer.encode("a")[0]) + stream.finish() == "a"


def test_bytes_that_are_not_utf8(tokenizer: tokmill.Tokenizer) -> None:
    half = tokenizer.encode("é".encode()[:1])
    assert tokenizer.decode(half) == "\ufffd"
    assert tokenizer.decode(half, errors="ignore") == ""
    assert tokenizer.decode_batch([half], errors="ignore") == [""]
    for call in (
        lambda: tokenizer.decode(half, errors="strict"),
        lambda: tokenizer.decode_batch([half], errors="strict"),
    ):
        with pytest.raises(UnicodeDecodeError):
            call()


def test_an_nfc_tokenizer_refuses_what_is_not_utf8() -> None:
    tokenizer = tokmill.Tokenizer.from_bytes(peers.train("gpt2", nfc=True).to_str())
    with pytest.raises(tokmill.TokmillError, match="byte 2"):
        tokenizer.encode(b"ab\xff")
    assert tokenizer.encode("ab").size


# -- files -------------------------------------------------------------------------------------------------------------

GOOD = json.loads(peers.train("gpt2").to_str())
HUGE_ID = {"id": 2**40, "content": "<|x|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


def _with(**changes: object) -> dict[str, Any]:
    return {**GOOD, **changes}


def _model(**changes: object) -> dict[str, Any]:
    return _with(model={**GOOD["model"], **changes})


BAD_FILES: dict[str, tuple[object, str]] = {
    "empty object": ({}, "no tokenizer"),
    "version": (_with(version="9.0"), "version"),
    "model is a list": (_with(model=[]), "model"),
    "model is null": (_with(model=None), "model"),
    "unknown model": (_with(model={"type": "Oracle"}), "model.*Oracle"),
    "unknown pretokenizer": (_with(pre_tokenizer={"type": "Oracle"}), "pre_tokenizer.*Oracle"),
    "unknown normalizer": (_with(normalizer={"type": "Oracle"}), "normalizer.*Oracle"),
    "unknown post-processor": (_with(post_processor={"type": "Oracle"}), "post_processor.*Oracle"),
    "unknown decoder": (_with(decoder={"type": "Oracle"}), "decoder.*Oracle"),
    "added tokens are a number": (_with(added_tokens=3), "added_tokens"),
    "added token without content": (_with(added_tokens=[{"id": 5}]), r"added_tokens\[0\]"),
    "vocabulary is a list": (_model(vocab=["a"]), "model.vocab"),
    "id is a string": (_model(vocab={**GOOD["model"]["vocab"], "new": "7"}), "model.vocab"),
    "id is negative": (_model(vocab={**GOOD["model"]["vocab"], "new": -1}), "model.vocab"),
    "id is huge": (_model(vocab={**GOOD["model"]["vocab"], "new": 2**40}), "model.vocab|id"),
    "id is given twice": (_model(vocab={**GOOD["model"]["vocab"], "new": 17}), "17"),
    "merge of absent tokens": (_model(merges=[["Ġ", "t"], ["nothere", "t"]]), r"model.merges\[1\]"),
    "merge into an absent token": (_model(merges=[["Q", "Q"]]), r"model.merges\[0\]"),
    "merge of three": (_model(merges=[["a", "b", "c"]]), r"model.merges\[0\]"),
    "merge is a number": (_model(merges=[3]), r"model.merges\[0\]"),
    "merges are a string": (_model(merges="a b"), "model.merges"),
    "dropout": (_model(dropout="half"), "dropout"),
    "unknown token of words": (_with(model={"type": "WordPiece", "vocab": {"a": 0}}), "unk_token"),
    "word pieces without unknown": (
        _with(model={"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "[UNK]"}),
        "model.unk_token",
    ),
    "pattern does not compile": (
        _with(pre_tokenizer={"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}),
        "pre_tokenizer|pattern",
    ),
    "template names an absent token": (
        _with(
            post_processor={
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}],
                "pair": [],
                "special_tokens": {},
            }
        ),
        "post_processor",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_say_where_and_why(name: str) -> None:
    content, where = BAD_FILES[name]
    with pytest.raises(tokmill.TokmillError, match=where):
        tokmill.Tokenizer.from_bytes(json.dumps(content))


@pytest.mark.parametrize(
    "data", [b"", b" ", b"\x00" * 100, b"{", b"[1, 2]", b"null", b"\x1f\x8b\x08garbage", "naïve".encode()]
)
def test_files_of_no_format(data: bytes) -> None:
    with pytest.raises(tokmill.TokmillError):
        tokmill.Tokenizer.from_bytes(data)


def test_deep_json() -> None:
    for data in (b"[" * 100_000, b'{"model":' * 100_000, b'{"version":"1.0","model":' + b"[" * 100_000):
        with pytest.raises(tokmill.TokmillError):
            tokmill.Tokenizer.from_bytes(data)


@given(st.data())
def test_damaged_files_never_panic(data: st.DataObject) -> None:
    good = peers.train("gpt2", added=True).to_str().encode()
    cut = good[: data.draw(st.integers(0, len(good)))]
    spoiled = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        spoiled[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    for damaged in (cut, bytes(spoiled)):
        try:
            tokenizer = tokmill.Tokenizer.from_bytes(damaged)
        except tokmill.TokmillError as error:
            assert str(error)  # noqa: PT017 (either outcome is right)
        else:
            text = "some text"
            assert isinstance(tokenizer.decode(tokenizer.encode(text)), str)


RANKS = peers.ranks("gpt2")


@pytest.mark.parametrize(
    "content",
    [
        b"IQ== 0\nIg== one\n",
        b"IQ==\n",
        b"IQ== 0 1\n",
        b"!!!! 0\n",
        b"IQ== 0\nIg== 0\n",
        b"IQ== 0\nIQ== 1\n",
        b"IQ== -1\n",
        b"IQ== 99999999999999\n",
        b"IQ== 0\nIg== 1\n",
    ],
)
def test_bad_tiktoken_files(content: bytes) -> None:
    with pytest.raises(tokmill.TokmillError):
        tokmill.Tokenizer.from_bytes(content, pattern="gpt2")


def test_a_tiktoken_file_lacks_a_byte() -> None:
    ranks = {token: rank for token, rank in RANKS.items() if token != b"\x80"}
    with pytest.raises(tokmill.TokmillError, match=r"(?i)0x80|128"):
        tokmill.Tokenizer.from_bytes(peers.tiktoken_file(ranks), pattern="gpt2")


@pytest.mark.parametrize("pattern", ["(", "[z-a]", r"\p{Nonsense}", r"(a)\1", "*", "(?P<x>a)(?P=x)"])
def test_patterns_that_do_not_compile(pattern: str) -> None:
    with pytest.raises(tokmill.TokmillError):
        tokmill.Tokenizer.from_bytes(peers.tiktoken_file(RANKS), pattern=pattern)


def test_a_tiktoken_file_needs_a_pattern() -> None:
    with pytest.raises(tokmill.TokmillError, match="pattern"):
        tokmill.Tokenizer.from_bytes(peers.tiktoken_file(RANKS))


@pytest.mark.parametrize("id", [0, 255, 2**40, -1])
def test_a_tiktoken_special_token_takes_a_taken_id(id: int) -> None:
    with pytest.raises(tokmill.TokmillError, match=r"<\|x\|>"):
        tokmill.Tokenizer.from_bytes(peers.tiktoken_file(RANKS), pattern="gpt2", special_tokens={"<|x|>": id})
