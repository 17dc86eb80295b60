"""Ids, offsets and text equal to those of tokenizers and tiktoken, on small vocabularies that the test trains."""

from __future__ import annotations

import numpy as np
import peers
import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from texts import CORPUS, texts
from tokenizers import AddedToken
from tokenizers import Tokenizer as Peer

import tokmill

VARIANTS = [
    *[{"pre_tokenizer": name} for name in peers.PRE_TOKENIZERS],
    {"pre_tokenizer": "gpt2", "nfc": True},
    {"pre_tokenizer": "qwen2", "nfc": True, "added": True},
    {"pre_tokenizer": "gpt2", "added": True},
    {"pre_tokenizer": "gpt2 with prefix space", "added": True},
    {"pre_tokenizer": "no cuts", "nfc": True, "added": True},
    {"pre_tokenizer": "cl100k", "template": True},
    {"pre_tokenizer": "gpt2 with prefix space", "added": True, "template": True},
    {"pre_tokenizer": "deepseek", "nfc": True, "added": True, "template": True},
]


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda variant: "-".join(map(str, variant.values())))
def pair(request: pytest.FixtureRequest) -> tuple[Peer, tokmill.Tokenizer]:
    """The same tokenizer twice: tokenizers' own, and read from its file."""
    variant = dict(request.param)
    peer = Peer.from_str(peers.train(variant.pop("pre_tokenizer"), **variant).to_str())
    return peer, tokmill.Tokenizer.from_bytes(peer.to_str())


@given(text=texts, special=st.booleans(), add=st.booleans())
def test_ids_and_offsets(pair: tuple[Peer, tokmill.Tokenizer], text: str, special: bool, add: bool) -> None:
    peer, ours = pair
    peer.encode_special_tokens = not special
    expected = peer.encode(text, add_special_tokens=add)
    options = {"allowed_special": "all" if special else "none", "add_special_tokens": add}
    ids, spans = ours.encode_with_offsets(text, **options)
    assert ids.tolist() == expected.ids
    assert spans.tolist() == [list(span) for span in expected.offsets]
    assert ours.encode(text, **options).tolist() == expected.ids
    assert ours.count(text, **options) == len(expected.ids)


@given(text=texts)
def test_decoding(pair: tuple[Peer, tokmill.Tokenizer], text: str) -> None:
    peer, ours = pair
    peer.encode_special_tokens = False
    ids = peer.encode(text).ids
    for skip in (False, True):
        assert ours.decode(ids, skip_special_tokens=skip) == peer.decode(ids, skip_special_tokens=skip)


@given(
    pairs=st.lists(st.tuples(texts, texts), max_size=4),
    length=st.integers(4, 20),
    side=st.sampled_from(["left", "right"]),
)
def test_pairs_and_truncation(
    pair: tuple[Peer, tokmill.Tokenizer], pairs: list[tuple[str, str]], length: int, side: str
) -> None:
    peer, ours = pair
    peer.encode_special_tokens = True
    firsts, seconds = [first for first, _ in pairs], [second for _, second in pairs]
    expected = [encoding.ids for encoding in peer.encode_batch(pairs)]
    batch = ours.encode_batch(firsts, pairs=seconds, add_special_tokens=True)
    assert [row.tolist() for row in batch] == expected
    peer.enable_truncation(length, direction=side)
    try:
        for texts_of_row, options in ((pairs, {"pairs": seconds}), (firsts, {})):
            expected = [encoding.ids for encoding in peer.encode_batch(texts_of_row)]
            batch = ours.encode_batch(
                firsts, max_length=length, truncation_side=side, add_special_tokens=True, **options
            )
            assert [row.tolist() for row in batch] == expected
    finally:
        peer.no_truncation()


def test_vocabulary(pair: tuple[Peer, tokmill.Tokenizer]) -> None:
    peer, ours = pair
    vocab = peer.get_vocab()
    assert ours.vocab() == vocab
    assert list(ours.vocab().values()) == sorted(vocab.values())
    assert len(ours) == ours.vocab_size == max(vocab.values()) + 1
    for token, id in vocab.items():
        assert ours.token_id(token) == id
    assert ours.special_tokens == {
        token.content: id for id, token in peer.get_added_tokens_decoder().items() if token.special
    }
    text = CORPUS[0]
    assert ours.tokens(text) == peer.encode(text, add_special_tokens=False).tokens


def test_saved_file_loads_unchanged_with_its_owner(pair: tuple[Peer, tokmill.Tokenizer]) -> None:
    peer, ours = pair
    again = Peer.from_str(ours.to_bytes().decode())
    assert again.to_str() == peer.to_str()


@pytest.mark.parametrize("flag", ["single_word", "lstrip", "rstrip"])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("special", [False, True])
@given(
    text=st.lists(
        st.sampled_from(["ab", "abc", "x", "é", "e\u0301", " ", "\n", ".", "_", "1", "\u00a0", "²"]), max_size=12
    ).map("".join)
)
def test_flags_of_added_tokens(flag: str, normalized: bool, special: bool, text: str) -> None:
    peer = Peer.from_str(peers.train("gpt2", nfc=True).to_str())
    contents = ["ab", "abc", "e\u0301", "é."]
    peer.add_tokens([AddedToken(each, **{flag: True}, normalized=normalized, special=special) for each in contents])
    ours = tokmill.Tokenizer.from_bytes(peer.to_str())
    expected = peer.encode(text)
    ids, spans = ours.encode_with_offsets(text, allowed_special="all")
    assert ids.tolist() == expected.ids
    assert spans.tolist() == [list(span) for span in expected.offsets]


@pytest.mark.parametrize("name", ["r50k_base", "cl100k_base", "o200k_base"])
def test_tiktoken(name: str) -> None:
    ranks = peers.ranks({"r50k_base": "gpt2"}.get(name, name.removesuffix("_base")))
    specials = {"<|x|>": len(ranks), "<|xy|>": len(ranks) + 7}
    pattern = peers.tiktoken_pattern(name)
    peer = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials)
    file = peers.tiktoken_file(ranks)
    by_name = tokmill.Tokenizer.from_bytes(file, pattern=name, special_tokens=specials)
    by_regex = tokmill.Tokenizer.from_bytes(file, pattern=pattern, special_tokens=specials)

    @given(text=texts)
    def compare(text: str) -> None:
        for ours in (by_name, by_regex):
            assert ours.encode(text).tolist() == peer.encode_ordinary(text)
            assert ours.encode(text, allowed_special="all").tolist() == peer.encode(text, allowed_special="all")
            some = ours.encode(text, allowed_special={"<|x|>"}).tolist()
            assert some == peer.encode(text, allowed_special={"<|x|>"}, disallowed_special=())
            ids = np.array(some, np.uint32)
            assert ours.decode_bytes(ids) == peer.decode_bytes(some)
            assert ours.decode(ids[1:]) == peer.decode(some[1:])

    compare()
    assert [by_name.token_bytes(id) for id in range(len(ranks))] == sorted(ranks, key=ranks.__getitem__)
