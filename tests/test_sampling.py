"""BPE dropout: what never varies, and that what varies does so as in tokenizers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import CORPUS, texts
from tokenizers import Tokenizer as Peer
from tokenizers import models, pre_tokenizers, trainers

import tokmill


def _train(vocab_size: int = 400) -> Peer:
    peer = Peer(models.BPE(unk_token="<unk>"))
    peer.pre_tokenizer = pre_tokenizers.Metaspace()
    peer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=["<unk>"]))
    return peer


def _with_dropout(peer: Peer, dropout: float | None) -> str:
    file = json.loads(peer.to_str())
    file["model"]["dropout"] = dropout
    return json.dumps(file)


PEER = _train()
OURS = tokmill.Tokenizer.from_bytes(PEER.to_str())


@given(text=texts, seed=st.integers(0, 2**64 - 1), dropout=st.floats(0, 1))
def test_equal_seeds_give_equal_ids(text: str, seed: int, dropout: float) -> None:
    once, again = (OURS.sample(text, dropout=dropout, seed=seed) for _ in range(2))
    assert once.tolist() == again.tolist()


@given(text=texts)
def test_no_dropout_is_encoding_and_full_dropout_is_characters(text: str) -> None:
    assert OURS.sample(text, dropout=0.0, seed=1).tolist() == OURS.encode(text).tolist()
    characters = Peer.from_str(_with_dropout(PEER, 1.0))
    assert OURS.sample(text, dropout=1.0, seed=1).tolist() == characters.encode(text).ids


def test_the_dropout_of_the_file_is_for_sampling_only() -> None:
    ours = tokmill.Tokenizer.from_bytes(_with_dropout(PEER, 1.0))
    assert ours.encode(CORPUS[0]).tolist() == PEER.encode(CORPUS[0]).ids
    assert ours.sample(CORPUS[0], seed=3).tolist() == OURS.sample(CORPUS[0], dropout=1.0, seed=3).tolist()
    assert json.loads(ours.to_bytes())["model"]["dropout"] == 1.0
    with pytest.raises(tokmill.TokmillError, match="dropout"):
        OURS.sample("text")
    with pytest.raises(tokmill.TokmillError, match="dropout"):
        OURS.sample("text", dropout=1.5)


def test_numbers_of_tokens_are_distributed_as_in_tokenizers() -> None:
    runs, text = 600, " ".join(CORPUS[0].split()[:12])
    peer = Peer.from_str(_with_dropout(PEER, 0.3))
    theirs = np.array([len(peer.encode(text).ids) for _ in range(runs)])
    ours = np.array([len(OURS.sample(text, dropout=0.3, seed=seed)) for seed in range(runs)])
    error = np.sqrt((theirs.var() + ours.var()) / runs)
    assert abs(theirs.mean() - ours.mean()) < 6 * error
