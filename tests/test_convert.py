"""Conversion between the files of sentencepiece and of tokenizers: the written files give equal ids in their owners."""

from __future__ import annotations

import io
import json
import warnings
from typing import TYPE_CHECKING, Any

import model_files
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from texts import CORPUS, FRAGMENTS
from tokenizers import Tokenizer as Peer

import tokmill
from tokmill.cli import main

if TYPE_CHECKING:
    from pathlib import Path

PLAIN: dict[str, Any] = {"normalization_rule_name": "identity"}
MODELS: dict[str, dict[str, Any]] = {
    "bpe": {"model_type": "bpe", "byte_fallback": True, "remove_extra_whitespaces": False},
    "bpe that trims": {"model_type": "bpe"},
    "bpe without prefix": {"model_type": "bpe", "add_dummy_prefix": False, "remove_extra_whitespaces": False},
    "unigram": {"model_type": "unigram", "byte_fallback": True, "remove_extra_whitespaces": False},
    "unigram that trims": {"model_type": "unigram"},
    "unigram across words": {"model_type": "unigram", "split_by_whitespace": False},
}


def _train(**options: Any) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in CORPUS * 3 for line in text.splitlines()]),
        model_writer=model,
        vocab_size=900 if options.get("byte_fallback") else 420,
        hard_vocab_limit=False,
        minloglevel=3,
        num_threads=1,
        **{**PLAIN, **options},
    )
    return model.getvalue()


def _quietly(tokenizer: tokmill.Tokenizer, format: str) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tokenizer.to_bytes(format=format)


@pytest.fixture(scope="module", params=MODELS)
def owners(request: pytest.FixtureRequest) -> tuple[sentencepiece.SentencePieceProcessor, Peer, tokmill.Tokenizer]:
    file = _train(**MODELS[request.param])
    written = _quietly(tokmill.Tokenizer.from_bytes(file), "tokenizer.json")
    peer = Peer.from_str(written.decode())
    peer.encode_special_tokens = True
    return sentencepiece.SentencePieceProcessor(model_proto=file), peer, tokmill.Tokenizer.from_bytes(written)


_TEXTS = st.lists(st.sampled_from([*FRAGMENTS, *CORPUS[0].split(), " ", "  ", "\u2581"]), max_size=12).map("".join)


@given(_TEXTS)
def test_a_model_as_tokenizer_json(owners: Any, text: str) -> None:
    library, peer, ours = owners
    expected = library.encode(text)
    assert peer.encode(text, add_special_tokens=False).ids == expected
    assert ours.encode(text).tolist() == expected


def test_back_again_it_is_a_model_with_the_same_ids(owners: Any) -> None:
    library, _, ours = owners
    again = sentencepiece.SentencePieceProcessor(model_proto=_quietly(ours, "sentencepiece"))
    for text in CORPUS:
        assert again.encode(text) == library.encode(text)
    assert [again.id_to_piece(id) for id in range(len(again))] == [
        library.id_to_piece(id) for id in range(len(library))
    ]


@pytest.mark.filterwarnings("ignore:tokenizers finds")
def test_what_changes_between_unigram_owners_is_warned_of(tmp_path: Path) -> None:
    tokenizer = tokmill.Tokenizer.from_bytes(_train(**MODELS["unigram"]))
    with pytest.warns(UserWarning, match="32 bits"):
        tokenizer.save(tmp_path / "tokenizer.json")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model_type": "unigram", "normalization_rule_name": "nmt_nfkc"}, "map of normalisation rules"),
        ({"model_type": "bpe", "user_defined_symbols": ["<sep>"]}, "UserDefined"),
        ({"model_type": "bpe", "treat_whitespace_as_suffix": True}, "blanks behind words"),
    ],
)
def test_what_would_change_ids_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(tokmill.TokmillError, match=reason):
        tokmill.Tokenizer.from_bytes(_train(**options)).to_bytes(format="tokenizer.json")


def test_equal_scores_are_no_list_of_merges() -> None:
    def even(pieces: list[model_files.Piece]) -> None:
        for piece in pieces:
            if piece.type == model_files.NORMAL:
                piece.score = float(int(piece.score / 40))

    tokenizer = tokmill.Tokenizer.from_bytes(model_files.changed(_train(**MODELS["bpe"]), even))
    with pytest.raises(tokmill.TokmillError, match="equal score"):
        tokenizer.to_bytes(format="tokenizer.json")


def test_a_list_that_leaves_merges_out_is_no_model() -> None:
    file = json.loads(tokmill.Tokenizer.from_bytes(_train(**MODELS["bpe"])).to_bytes(format="tokenizer.json"))
    # Without its last merge an entry is never made, which sentencepiece would make.
    last = "".join(file["model"]["merges"][-1])
    file["model"]["merges"] = [pair for pair in file["model"]["merges"] if "".join(pair) != last]
    with pytest.raises(tokmill.TokmillError, match="list of merges"):
        tokmill.Tokenizer.from_bytes(json.dumps(file).encode()).to_bytes(format="sentencepiece")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore:sentencepiece adds up", "ignore:tokenizers finds")
def test_the_command_line_converts_there_and_back(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.model").write_bytes(_train(**MODELS[name]))
    for source, target in (("a.model", "tokenizer.json"), ("tokenizer.json", "b.model")):
        assert main(["convert", "--tokenizer", str(tmp_path / source), "--out", str(tmp_path / target)]) == 0
