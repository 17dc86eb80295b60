"""Every character through every normalizer, as tokenizers has it."""

from __future__ import annotations

import json

import peers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import texts
from tokenizers import Regex, normalizers

import tokmill

NORMALIZERS = {
    "nfc": normalizers.NFC(),
    "nfd": normalizers.NFD(),
    "nfkc": normalizers.NFKC(),
    "nfkd": normalizers.NFKD(),
    "lowercase": normalizers.Lowercase(),
    "strip accents": normalizers.StripAccents(),
    "strip": normalizers.Strip(),
    "nmt": normalizers.Nmt(),
    "byte level": normalizers.ByteLevel(),
    "bert": normalizers.BertNormalizer(),
    "bert, cased": normalizers.BertNormalizer(lowercase=False),
    "bert, accents alone": normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False
    ),
    "replace white space": normalizers.Replace(Regex(r"\s+"), "_"),
    "replace words": normalizers.Replace(Regex(r"\w"), "w"),
    "albert": normalizers.Sequence(
        [
            normalizers.Replace("``", '"'),
            normalizers.Replace("''", '"'),
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
        ]
    ),
    "clip": normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]),
    "llama": normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
}


@pytest.fixture(params=NORMALIZERS)
def pair(request: pytest.FixtureRequest) -> tuple[normalizers.Normalizer, tokmill.Tokenizer]:
    """A normalizer, and a tokenizer whose decoded ids are what its own normalizer makes of a text."""
    tokenizer = peers.train("no cuts")
    document = json.loads(tokenizer.to_str())
    normalizer = NORMALIZERS[request.param]
    document["normalizer"] = json.loads(normalizer.__getstate__())
    return normalizer, tokmill.Tokenizer.from_bytes(json.dumps(document))


def test_every_character(pair: tuple[normalizers.Normalizer, tokmill.Tokenizer]) -> None:
    normalizer, ours = pair
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for begin in range(0, len(characters), 1 << 13):
        text = "x".join(characters[begin : begin + (1 << 13)])
        assert ours.decode(ours.encode(text)) == normalizer.normalize_str(text)


COMPOSING = "aA \u0301\u0323\u0345é\u1e69가\u1100\u1161\u11a8豈\u302e\U0001d165ﬁ"


@given(text=st.one_of(texts, st.text(COMPOSING, max_size=12)))
def test_every_text(pair: tuple[normalizers.Normalizer, tokmill.Tokenizer], text: str) -> None:
    normalizer, ours = pair
    assert ours.decode(ours.encode(text)) == normalizer.normalize_str(text)
