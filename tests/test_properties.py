"""What holds for every text, and agreement with the slow specification on random vocabularies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import peers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Reference
from texts import CORPUS, byte_strings, texts

import tokmill

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

LOSSLESS = ["gpt2", "no cuts", "cl100k", "qwen2", "o200k", "tekken", "deepseek", "digits", "punctuation"]
"""No normaliser, no prefix space, and a pattern that covers all text."""


@pytest.fixture(scope="module", params=LOSSLESS)
def lossless(request: pytest.FixtureRequest) -> tokmill.Tokenizer:
    return tokmill.Tokenizer.from_bytes(peers.train(request.param).to_str())


@given(data=byte_strings)
def test_bytes_survive(lossless: tokmill.Tokenizer, data: bytes) -> None:
    ids = lossless.encode(data)
    assert lossless.decode_bytes(ids) == data
    assert b"".join(map(lossless.token_bytes, ids)) == data
    assert lossless.decode(ids) == data.decode(errors="replace")
    assert lossless.decode(ids, errors="ignore") == data.decode(errors="ignore")


@settings(max_examples=10)
@given(data=byte_strings, more=st.lists(st.integers(0, 255), min_size=1, max_size=7))
def test_long_decoding_equals_python(lossless: tokmill.Tokenizer, data: bytes, more: list[int]) -> None:
    # Single bytes, so that characters lie across whatever is decoded at a time.
    characters = "a\u00e9\u20ac\U0001f99c".encode()
    by_byte = {lossless.token_bytes(int(i)): int(i) for b in range(256) for i in lossless.encode(bytes([b]))}
    for text in (characters * 5000, (characters + data + bytes(more)) * 3000):
        ids = np.array([by_byte[text[at : at + 1]] for at in range(len(text))], dtype=np.uint32)
        assert lossless.decode_bytes(ids) == text
        assert lossless.decode(ids) == text.decode(errors="replace")
        assert lossless.decode(ids[:-1]) == text[:-1].decode(errors="replace")
    with pytest.raises(tokmill.UnknownId):
        lossless.decode([*ids.tolist(), lossless.vocab_size + 7])


@given(data=byte_strings)
def test_byte_offsets_partition_the_text(lossless: tokmill.Tokenizer, data: bytes) -> None:
    ids, spans = lossless.encode_with_offsets(data, unit="byte")
    assert spans.dtype == np.int64
    assert spans.shape == (len(ids), 2)
    assert [data[begin:end] for begin, end in spans] == list(map(lossless.token_bytes, ids))
    assert spans.ravel().tolist() == [0, *np.repeat(spans[:-1, 1], 2), len(data)][: 2 * len(ids)]


@given(text=texts)
def test_char_offsets_cover_the_bytes(lossless: tokmill.Tokenizer, text: str) -> None:
    ids, chars = lossless.encode_with_offsets(text)
    _, exact = lossless.encode_with_offsets(text, unit="byte")
    starts = np.cumsum([0, *(len(char.encode()) for char in text)])
    for (begin, end), (first, last) in zip(chars, exact, strict=True):
        assert starts[begin] <= first < starts[begin + 1]
        assert starts[end - 1] < last <= starts[end]
    assert len(ids) == len(chars)


@given(text=texts)
def test_a_str_is_its_utf8(tokenizer: tokmill.Tokenizer, text: str) -> None:
    assert np.array_equal(tokenizer.encode(text), tokenizer.encode(text.encode()))


@given(data=byte_strings)
def test_streaming_equals_decoding(lossless: tokmill.Tokenizer, data: bytes) -> None:
    ids = lossless.encode(data)
    stream = lossless.stream()
    parts = [stream.push(id) for id in ids]
    assert "".join(parts) + stream.finish() == lossless.decode(ids)
    if data == data.decode(errors="ignore").encode():
        assert "".join(parts) == data.decode()
        assert all("\ufffd" not in part for part in parts) or "\ufffd" in data.decode()
    assert stream.finish() == ""


@given(documents=st.lists(byte_strings, max_size=8), threads=st.integers(1, 9))
def test_a_batch_is_its_rows(lossless: tokmill.Tokenizer, documents: list[bytes], threads: int) -> None:
    batch = lossless.encode_batch(documents, threads=threads)
    rows = [lossless.encode(document).tolist() for document in documents]
    assert [row.tolist() for row in batch] == rows
    assert batch.offsets.tolist() == np.cumsum([0, *map(len, rows)]).tolist()
    assert lossless.count_batch(documents, threads=threads).tolist() == list(map(len, rows))
    assert lossless.decode_batch(batch, threads=threads) == list(map(lossless.decode, rows))
    assert lossless.decode_batch(rows) == list(map(lossless.decode, rows))
    with_offsets, spans = lossless.encode_batch_with_offsets(documents, threads=threads)
    assert with_offsets == batch
    expected = [span for document in documents for span in lossless.encode_with_offsets(document)[1].tolist()]
    assert spans.tolist() == expected


WITH_TOKENS = ["<|endoftext|>", "a<|endoftext|>b", "a word [MASK] <|x|>", "e\u0301"]
SHORT_AND_LONG = st.one_of(texts, st.sampled_from([*CORPUS, *WITH_TOKENS, " ".join(CORPUS) * 9]))


@given(documents=st.lists(SHORT_AND_LONG, max_size=30), allowed=st.sampled_from(["none", "all"]))
def test_a_document_has_the_same_ids_in_any_company(documents: list[str], allowed: str) -> None:
    for options in ({}, {"added": True}, {"nfc": True}):
        tokenizer = tokmill.Tokenizer.from_bytes(peers.train("cl100k", **options).to_str())
        batch = tokenizer.encode_batch(documents, allowed_special=allowed)
        rows = [tokenizer.encode(document, allowed_special=allowed).tolist() for document in documents]
        assert [row.tolist() for row in batch] == rows
        counts = tokenizer.count_batch(documents, allowed_special=allowed)
        assert counts.tolist() == list(map(len, rows))


@pytest.mark.parametrize("name", ["gpt2", "cl100k", "no cuts"])
def test_threads_change_nothing(name: str) -> None:
    tokenizer = tokmill.Tokenizer.from_bytes(peers.train(name, added=True).to_str())
    documents = [text * 40 for text in CORPUS] * 12 + [" ".join(CORPUS) * 900]
    assert sum(map(len, documents)) > 4 * 256 * 1024, "enough for threads to be worth their while"
    batches = [tokenizer.encode_batch(documents, threads=threads) for threads in (1, 2, 3, 8)]
    assert all(batch == batches[0] for batch in batches)
    counts = [tokenizer.count_batch(documents, threads=threads).tolist() for threads in (1, 2, 3, 8)]
    assert all(count == np.diff(batches[0].offsets).tolist() for count in counts)
    long = documents[-1]
    for threads in (1, 2, 5):
        assert np.array_equal(tokenizer.encode(long, threads=threads), batches[0][-1])
        assert tokenizer.count(long, threads=threads) == len(batches[0][-1])


@st.composite
def merge_lists(draw: DrawFn) -> tuple[dict[bytes, int], list[tuple[bytes, bytes]]]:
    """The bytes in some order, and merges of a few of them into tokens that may be made by several paths."""
    tokens = [bytes([byte]) for byte in draw(st.permutations(range(256)))]
    halves = [b"a", b"b", b" ", "é".encode()[:1], "é".encode()[1:]]
    merges: dict[tuple[bytes, bytes], None] = {}
    for _ in range(draw(st.integers(0, 12))):
        left, right = draw(st.sampled_from(halves)), draw(st.sampled_from(halves))
        merges[left, right] = None
        if left + right not in tokens:
            tokens.append(left + right)
            halves.append(left + right)
    return {token: id for id, token in enumerate(tokens)}, list(merges)


small_texts = st.text(alphabet="ab é", max_size=24)
patterns = st.sampled_from([None, r" ?[^ ]+| +", r"a+|[^a]+"])


@given(made=merge_lists(), text=small_texts, pattern=patterns, ignore_merges=st.booleans())
def test_merges_against_the_specification(
    made: tuple[dict[bytes, int], list[tuple[bytes, bytes]]], text: str, pattern: str | None, ignore_merges: bool
) -> None:
    vocab, merges = made
    reference = Reference(vocab, merges, pattern, ignore_merges)
    tokenizer = tokmill.Tokenizer.from_bytes(tokenizer_json(vocab, merges, pattern, ignore_merges=ignore_merges))
    ids = tokenizer.encode(text).tolist()
    assert ids == reference.encode(text)
    assert tokenizer.decode_bytes(ids) == reference.decode(ids)
    assert tokenizer.merges == merges


@given(made=merge_lists(), text=small_texts, pattern=patterns.filter(bool))
def test_ranks_against_the_specification(
    made: tuple[dict[bytes, int], list[tuple[bytes, bytes]]], text: str, pattern: str
) -> None:
    ranks, _ = made
    tokenizer = tokmill.Tokenizer.from_bytes(peers.tiktoken_file(ranks), pattern=pattern)
    assert tokenizer.encode(text).tolist() == Reference(ranks, None, pattern, ignore_merges=True).encode(text)


def tokenizer_json(
    vocab: dict[bytes, int], merges: list[tuple[bytes, bytes]], pattern: str | None, *, ignore_merges: bool
) -> str:
    """A byte-level tokenizer.json, written by hand."""
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    model = {
        "type": "BPE",
        "ignore_merges": ignore_merges,
        "vocab": {peers.spell(token): id for token, id in vocab.items()},
        "merges": [[peers.spell(left), peers.spell(right)] for left, right in merges],
    }
    steps = [split, byte_level] if pattern else [byte_level]
    file = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "decoder": byte_level,
        "model": model,
    }
    return json.dumps(file)
