"""What goes in: str, bytes, buffers, iterables and Arrow columns, borrowed where they lie."""

from __future__ import annotations

import array
import json
import mmap
from typing import TYPE_CHECKING

import numpy as np
import peers
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import texts

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = "The quick brown 🦊, naïve. " * 200
DATA = TEXT.encode()

BUFFERS: dict[str, Callable[[bytes], object]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "numpy": lambda data: np.frombuffer(data, np.uint8),
    "read-only numpy": lambda data: np.frombuffer(data, np.uint8),
    "array": lambda data: array.array("B", data),
    "strided memoryview": lambda data: memoryview(
        bytes(byte for pair in zip(data, data, strict=True) for byte in pair)
    )[::2],
    "pyarrow buffer": pa.py_buffer,
}


@pytest.mark.parametrize("kind", BUFFERS)
@pytest.mark.parametrize("data", [b"", b"short", DATA], ids=["empty", "short", "long"])
def test_buffers(tokenizer: tokmill.Tokenizer, kind: str, data: bytes) -> None:
    given_data = BUFFERS[kind](data)
    expected = tokenizer.encode(data.decode()).tolist()
    assert tokenizer.encode(given_data).tolist() == expected
    assert tokenizer.count(given_data) == len(expected)
    assert tokenizer.encode_batch([given_data, given_data])[1].tolist() == expected


@pytest.mark.parametrize("characters", ["é", "plain, é", "世界🦊 abc"])
def test_a_large_str_is_its_bytes_however_often_it_comes(tokenizer: tokmill.Tokenizer, characters: str) -> None:
    text = characters * (200_000 // len(characters)) + "plain ASCII " * 3000 + "end"
    expected = tokenizer.encode(text.encode())
    for _ in range(3):
        assert np.array_equal(tokenizer.encode(text), expected)
    assert np.array_equal(tokenizer.encode_batch([text, text[1:]])[0], expected)


def test_mmap(tokenizer: tokmill.Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(DATA)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert np.array_equal(tokenizer.encode(mapped), tokenizer.encode(DATA))


def test_a_buffer_is_released(tokenizer: tokmill.Tokenizer) -> None:
    data = bytearray(DATA)
    tokenizer.encode(data)
    tokenizer.encode_batch([data])
    data.append(0)


@pytest.mark.parametrize("wrong", [None, 3, 1.5, ["a"], {"a": 1}, np.zeros(3, np.uint32), object()], ids=repr)
def test_wrong_types(tokenizer: tokmill.Tokenizer, wrong: object) -> None:
    for method in (tokenizer.encode, tokenizer.count, tokenizer.encode_with_offsets, tokenizer.tokens):
        with pytest.raises(TypeError):
            method(wrong)
    with pytest.raises(TypeError, match="text 1: expected str, bytes or another buffer"):
        tokenizer.encode_batch(["fine", wrong])


@pytest.mark.parametrize("wrong", ["one text", b"one text", bytearray(b"one text"), 3, None])
def test_a_batch_is_not_one_text(tokenizer: tokmill.Tokenizer, wrong: object) -> None:
    for method in (tokenizer.encode_batch, tokenizer.count_batch, tokenizer.encode_batch_with_offsets):
        with pytest.raises(TypeError):
            method(wrong)


def test_a_failing_iterable(tokenizer: tokmill.Tokenizer) -> None:
    def broken() -> object:
        yield "a"
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        tokenizer.encode_batch(broken())


def test_any_iterable(tokenizer: tokmill.Tokenizer) -> None:
    expected = tokenizer.encode_batch(["a b", b"c"])
    for batch in (("a b", b"c"), iter(["a b", b"c"]), {"a b": 0, b"c": 0}, np.array(["a b", b"c"], object)):
        assert tokenizer.encode_batch(batch) == expected
    assert tokenizer.encode_batch(np.array(["a b", "c"])) == expected


# -- Arrow -------------------------------------------------------------------------------------------------------------

ARROW_TYPES = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.string_view(), pa.binary_view()]
long_texts = texts | texts.map(lambda text: text * 3)


class Stream:
    """Exports a stream and nothing else, as polars does."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.column = column

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.column.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("kind", ARROW_TYPES, ids=str)
@given(documents=st.lists(long_texts, max_size=8), cut=st.integers(0, 8))
def test_columns(tokenizer: tokmill.Tokenizer, kind: pa.DataType, documents: list[str], cut: int) -> None:
    column = pa.array([document.encode() for document in documents], pa.binary()).cast(kind)
    expected = tokenizer.encode_batch(documents)
    assert tokenizer.encode_batch(column) == expected
    assert tokenizer.encode_batch(column[cut:]) == tokenizer.encode_batch(documents[cut:])
    chunks = pa.chunked_array([column[:cut], column[cut:]], kind)
    assert tokenizer.encode_batch(chunks) == expected
    assert tokenizer.encode_batch(Stream(chunks)) == expected
    assert tokenizer.count_batch(chunks).tolist() == np.diff(expected.offsets).tolist()
    assert tokenizer.encode_batch(documents, pairs=column, add_special_tokens=True) == tokenizer.encode_batch(
        column, pairs=documents, add_special_tokens=True
    )


@pytest.mark.parametrize("kind", ARROW_TYPES, ids=str)
def test_a_null_is_refused_by_its_row(tokenizer: tokmill.Tokenizer, kind: pa.DataType) -> None:
    column = pa.array(["a"] * 20 + [None, "b"], pa.string()).cast(kind)
    with pytest.raises(tokmill.TokmillError, match="row 20 is null"):
        tokenizer.encode_batch(column)
    with pytest.raises(tokmill.TokmillError, match="row 17 is null"):
        tokenizer.encode_batch(column[3:])
    with pytest.raises(tokmill.TokmillError, match="row 42 is null"):
        tokenizer.encode_batch(pa.chunked_array([column[:20], column[:20], ["a", "b"], column[20:]]))
    assert len(tokenizer.encode_batch(column[21:])) == 1


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pa.array([1, 2]), "format"),
        (pa.array([["a"]]), "format"),
        (pa.array(["a", "b"]).dictionary_encode(), "dictionary"),
        (pa.record_batch({"text": ["a"]}), "one of its columns"),
        (pa.table({"text": ["a"]}), "one of its columns"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_other_columns_are_refused_by_name(tokenizer: tokmill.Tokenizer, column: object, why: str) -> None:
    with pytest.raises(tokmill.TokmillError, match=why):
        tokenizer.encode_batch(column)


def test_a_failing_stream(tokenizer: tokmill.Tokenizer) -> None:
    schema = pa.schema({"text": pa.string()})

    def batches() -> object:
        raise LookupError("on purpose")
        yield

    reader = pa.RecordBatchReader.from_batches(schema, batches())
    with pytest.raises(tokmill.TokmillError, match="column"):
        tokenizer.encode_batch(reader)

    class Broken:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise LookupError("on purpose")

    class Senseless:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return "no capsule"

    with pytest.raises(LookupError, match="on purpose"):
        tokenizer.encode_batch(Broken())
    with pytest.raises(TypeError):
        tokenizer.encode_batch(Senseless())


def test_a_capsule_is_used_once(tokenizer: tokmill.Tokenizer) -> None:
    capsule = pa.chunked_array([["a"]]).__arrow_c_stream__()

    class Again:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return capsule

    assert len(tokenizer.encode_batch(Again())) == 1
    with pytest.raises(tokmill.TokmillError, match="used before"):
        tokenizer.encode_batch(Again())


def test_a_normalizer_without_steps_leaves_bytes_as_they_are() -> None:
    file = json.loads(peers.train("gpt2").to_str())
    plain, empty = (
        tokmill.Tokenizer.from_bytes(json.dumps({**file, "normalizer": normalizer}))
        for normalizer in (None, {"type": "Sequence", "normalizers": []})
    )
    for data in (b"\xff a\xe2\x85", "a\u00e9 b".encode()):
        assert empty.encode(data).tolist() == plain.encode(data).tolist()
        assert empty.encode_batch([data])[0].tolist() == plain.encode(data).tolist()
        assert empty.decode_bytes(empty.encode(data)) == data
