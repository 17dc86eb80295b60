"""Ids, offsets and text equal to those of tokenizers on real vocabularies and generated strings, awkward ones.

A few hundred strings a vocabulary; with TOKMILL_PARITY set, a hundred thousand.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from test_parity_data import HUGGING_FACE, _hugging_face, _path
from texts import CORPUS, FRAGMENTS

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 100_000 if os.environ.get("TOKMILL_PARITY") else 300
BATCH = 5_000
RANGES = [(0x00, 0x20), (0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x2FFF), (0x3000, 0xD7FF), (0x1F300, 0x1FAFF)]


def _string(generator: random.Random, tokens: list[str]) -> str:
    """Fragments, fragments and tokens, characters of any kind, or a piece of a sentence."""
    kind = generator.random()
    if kind < 0.5:
        return "".join(generator.choices(FRAGMENTS, k=generator.randrange(1, 20)))
    if kind < 0.8:
        return "".join(generator.choices(FRAGMENTS + tokens, k=generator.randrange(1, 16)))
    if kind < 0.9:
        ranges = generator.choices(RANGES, k=generator.randrange(1, 24))
        return "".join(chr(generator.randrange(*each)) for each in ranges)
    sentence = generator.choice(CORPUS)
    begin = generator.randrange(len(sentence))
    return sentence[begin : begin + generator.randrange(60)]


@pytest.mark.parametrize("name", HUGGING_FACE)
def test_strings(name: str, data: Path) -> None:
    peer, ours = _hugging_face(_path(data, f"vocabs/{HUGGING_FACE[name]}"))
    peer.encode_special_tokens = False
    generator = random.Random(name)
    vocab = sorted(peer.get_vocab())
    special = [token.content for token in peer.get_added_tokens_decoder().values()][:20]
    tokens = [*generator.sample(vocab, 400), *special, "▁", "▁▁", "<0x0A>", "</w>", "<unk>", "##"]
    for _ in range(0, COUNT, BATCH):
        texts = [_string(generator, tokens) for _ in range(min(COUNT, BATCH))]
        rows, spans = ours.encode_batch_with_offsets(texts, allowed_special="all")
        plain = ours.encode_batch(texts, allowed_special="all")
        for index, expected in enumerate(peer.encode_batch(texts, add_special_tokens=False)):
            begin, end = rows.offsets[index], rows.offsets[index + 1]
            ids = rows.values[begin:end].tolist()
            assert ids == expected.ids, repr(texts[index])
            assert plain[index].tolist() == expected.ids, repr(texts[index])
            assert list(map(tuple, spans[begin:end].tolist())) == expected.offsets, repr(texts[index])
            assert ours.decode(ids) == peer.decode(ids, skip_special_tokens=False), repr(texts[index])
