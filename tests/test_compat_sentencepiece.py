"""The face of sentencepiece gives what its processor gives, in every form, and the same kinds of errors."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece as owner
from hypothesis import given
from hypothesis import strategies as st
from texts import CORPUS, texts

from tokmill.compat import sentencepiece as face

KINDS = {
    "unigram": {"model_type": "unigram", "vocab_size": 400},
    "unigram with symbols": {"model_type": "unigram", "vocab_size": 400, "user_defined_symbols": ["<x>", "fox ", "ａ"]},
    "unigram with bytes": {"model_type": "unigram", "vocab_size": 700, "byte_fallback": True, "pad_id": 3},
    "bpe": {"model_type": "bpe", "vocab_size": 400, "character_coverage": 0.98},
    "bpe with bytes": {
        "model_type": "bpe",
        "vocab_size": 700,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "add_dummy_prefix": False,
    },
}
PLAIN = (int, str, bytes)
LOCATED = ("serialized_proto", "offset_mapping")


def train(options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    owner.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3), model_writer=file, minloglevel=2, hard_vocab_limit=False, **options
    )
    return file.getvalue()


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    model = train(KINDS[request.param])
    return owner.SentencePieceProcessor(model_proto=model), face.SentencePieceProcessor(model_proto=model)


def outcome(call: Any, *arguments: Any, **options: Any) -> Any:
    """What a call returns, or the type of the error that it raises."""
    try:
        return call(*arguments, **options)
    except Exception as error:
        return type(error)


inputs = st.one_of(texts, texts.map(str.encode))


@given(text=inputs)
def test_encoding(pair: tuple[Any, Any], text: str | bytes) -> None:
    peer, ours = pair
    for form in (*PLAIN, *LOCATED):
        assert ours.encode(text, out_type=form) == peer.encode(text, out_type=form), form
        assert ours.encode([text, text], out_type=form) == peer.encode([text, text], out_type=form), form
    for options in ({"emit_unk_piece": True}, {"add_bos": True, "add_eos": True, "reverse": True}, {"add_bos": True}):
        for form in (*PLAIN, *LOCATED):
            expected = outcome(peer.encode, text, out_type=form, **options)
            assert outcome(ours.encode, text, out_type=form, **options) == expected, (form, options)


@given(text=inputs)
def test_normalizing(pair: tuple[Any, Any], text: str | bytes) -> None:
    peer, ours = pair
    assert ours.normalize(text) == peer.normalize(text)
    if peer.normalize(text):
        assert ours.normalize([text], with_offsets=True) == peer.normalize([text], with_offsets=True)


@given(data=st.data())
def test_decoding(pair: tuple[Any, Any], data: st.DataObject) -> None:
    peer, ours = pair
    ids = data.draw(st.lists(st.integers(-1, peer.vocab_size()), max_size=8))
    names = st.integers(0, peer.vocab_size() - 1).map(peer.id_to_piece)
    pieces = data.draw(st.lists(st.one_of(names, st.sampled_from(["▁", "xyz", "ღ", "<unk>", "<0xE6>"])), max_size=8))
    for row in (ids, pieces, [piece.encode() for piece in pieces], [pieces, []], [[], ids]):
        for form in (str, bytes, *LOCATED):
            expected = outcome(peer.decode, row, out_type=form)
            assert outcome(ours.decode, row, out_type=form) == expected, (row, form)


def test_the_best_segmentations(pair: tuple[Any, Any]) -> None:
    peer, ours = pair
    for text in ("The quick brown fox", "it's 12:45 ღღ fox <x>", "", "漢字"):
        for count in (1, 3):
            best, expected = (outcome(one.nbest_encode, text, nbest_size=count, out_type=str) for one in (ours, peer))
            if isinstance(expected, list) and text:
                assert best[0] == expected[0]
                assert sorted(best[:2]) == sorted(expected[:2]) or len(best) == len(expected)
                for row in best:
                    assert ours.decode(row) == peer.decode(row)
            elif isinstance(expected, type):
                assert best is expected
    with pytest.raises(RuntimeError):
        ours.nbest_encode("a", nbest_size=1000)


def test_messages_of_other_segmentations(pair: tuple[Any, Any]) -> None:
    peer, ours = pair
    if isinstance(outcome(peer.nbest_encode, "a", nbest_size=2), type):
        return
    text = "It's ｆｏｘ 漢字"
    message = ours.nbest_encode_as_proto(text, 2)
    assert message.SerializeToString() == ours.nbest_encode(text, nbest_size=2, out_type="serialized_proto")
    single = ours.nbest_encode(text, nbest_size=1, out_type="serialized_proto")
    assert single == peer.nbest_encode(text, nbest_size=1, out_type="serialized_proto")
    for nbest in message.nbests:
        assert "".join(piece.surface for piece in nbest.pieces) == text
        assert all(text.encode()[piece.begin : piece.end].decode() == piece.surface for piece in nbest.pieces)


def test_sampling(pair: tuple[Any, Any]) -> None:
    peer, ours = pair
    text = "The quick brown fox"
    normalized = peer.normalize(text)
    face.set_random_generator_seed(7)
    drawn = [ours.encode(text, out_type=str, enable_sampling=True, alpha=0.3) for _ in range(20)]
    assert len({tuple(row) for row in drawn}) > 1
    assert all("".join(row) == normalized for row in drawn)
    face.set_random_generator_seed(7)
    assert drawn == [ours.encode(text, out_type=str, enable_sampling=True, alpha=0.3) for _ in range(20)]
    assert len(ours.sample_encode_as_ids([text, text], -1, 0.1)) == 2
    for size in (0, 1):
        with pytest.raises(ValueError, match="enable_sampling"):
            ours.encode(text, enable_sampling=True, nbest_size=size)


def test_the_vocabulary(pair: tuple[Any, Any]) -> None:
    peer, ours = pair
    assert len(ours) == len(peer) == ours.get_piece_size() == ours.vocab_size()
    every = list(range(len(peer)))
    for name in ("id_to_piece", "get_score", "is_unknown", "is_control", "is_unused", "is_byte", "IdToPiece", "IsByte"):
        assert getattr(ours, name)(every) == getattr(peer, name)(every)
        for wrong in (-1, len(peer), "a", [0, -1], ["a"]):
            assert outcome(getattr(ours, name), wrong) is outcome(getattr(peer, name), wrong)
    pieces = [*peer.id_to_piece(every), "no such piece"]
    assert ours.piece_to_id(pieces) == peer.piece_to_id(pieces)
    assert ours["<s>"] == peer["<s>"]
    for name in ("unk_id", "bos_id", "eos_id", "pad_id"):
        assert getattr(ours, name)() == getattr(peer, name)()
    for wrong in (1, [1], ["a", 1]):
        with pytest.raises(TypeError):
            ours.piece_to_id(wrong)


def test_every_public_name_of_the_owner_is_there() -> None:
    missing = {name for name in vars(owner.SentencePieceProcessor) if not name.startswith("_")} - set(
        dir(face.SentencePieceProcessor)
    )
    assert missing == set()


def test_names_of_methods(pair: tuple[Any, Any]) -> None:
    peer, ours = pair
    text = "The quick fox"
    for name in ("encode_as_ids", "encode_as_pieces", "EncodeAsIds", "EncodeAsPieces", "encode_as_offset_mapping"):
        assert getattr(ours, name)(text) == getattr(peer, name)(text)
    assert ours.tokenize([text]) == ours.Tokenize([text]) == peer.encode([text])
    ids = peer.encode(text)
    assert ours.DecodeIds(ids) == ours.detokenize(ids) == ours.decode_ids([ids])[0] == peer.decode(ids)
    assert ours.parallel_encode(text, chunk_len=5, num_threads=2) == ids
    array = ours.encode_as_numpy(text, add_bos=True)
    assert (array.dtype, array.tolist(), array.flags.writeable) == (np.int32, peer.encode(text, add_bos=True), False)
    assert ours.decode(np.array([ids, ids])) == [peer.decode(ids)] * 2
    assert ours.encode_as_proto(text).SerializeToString() == ours.encode_as_serialized_proto(text)


@pytest.mark.parametrize("copied", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
def test_copies(copied: Any) -> None:
    model = train(KINDS["unigram"])
    ours = face.SentencePieceProcessor(model_proto=model, out_type=str, add_eos=True)
    assert copied(ours).encode("the fox") == ours.encode("the fox")
    assert copied(ours).serialized_model_proto() == model
    assert copied(face.SentencePieceProcessor()).vocab_size() == 0


def test_loading(tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    path.write_bytes(train(KINDS["unigram"]))
    options = {"add_bos": True, "return_type": str}
    expected = face.SentencePieceProcessor(str(path), **options).encode("a fox")
    assert face.SentencePieceProcessor.from_file(path, **options).encode("a fox") == expected
    assert face.SentencePieceProcessor.from_proto(path.read_bytes(), **options).encode("a fox") == expected
    empty = face.SentencePieceProcessor()
    assert empty.Load(str(path))
    for call in (
        lambda library: library.SentencePieceProcessor(model_file=str(tmp_path / "absent")),
        lambda library: library.SentencePieceProcessor(model_proto=b"junk"),
        lambda library: library.SentencePieceProcessor(model_file="a", model_proto=b"b"),
        lambda library: library.SentencePieceProcessor().encode("a"),
        lambda library: library.SentencePieceProcessor().load(),
        lambda library: library.SentencePieceProcessor(out_type=bool),
        lambda library: library.SentencePieceProcessor(str(path)).encode("a", num_threads="a"),
        lambda library: library.SentencePieceProcessor(str(path)).encode(1),
        lambda library: library.SentencePieceProcessor(str(path)).encode(["a", 1]),
        lambda library: library.SentencePieceProcessor(str(path)).encode("a\ud800"),
        lambda library: library.SentencePieceProcessor(str(path)).parallel_encode("a"),
        lambda library: library.SentencePieceProcessor(str(path)).decode([1.5]),
    ):
        expected_error = outcome(call, owner)
        assert isinstance(expected_error, type)
        assert outcome(call, face) is expected_error


def test_the_normalizer_on_its_own(tmp_path: Path) -> None:
    model = train(KINDS["unigram"])
    for flags in ({}, {"add_dummy_prefix": False}, {"remove_extra_whitespaces": False}):
        peer, ours = (library.SentencePieceNormalizer(model_proto=model, **flags) for library in (owner, face))
        for text in ("  ｆｏｘ  a ", "㍿", b"  a  b"):
            assert ours.normalize(text, with_offsets=True) == peer.normalize(text, with_offsets=True)
        assert pickle.loads(pickle.dumps(ours)).normalize(" a") == peer.normalize(" a")


def test_bytes_that_are_not_text_are_refused() -> None:
    ours = face.SentencePieceProcessor(model_proto=train(KINDS["unigram"]))
    with pytest.raises(RuntimeError, match="UTF-8"):
        ours.encode(b"a\xff")
