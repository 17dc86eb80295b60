"""Small token models and vocabularies for the tests of byte-level probabilities."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import peers
from reference_byte_level import END, Chain, InducedModel, Sequence, TokenModel, logits_of, strings

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

A, B = b"AB"

FIRST_ORDER = {
    b"": {A: Fraction(1, 2), B: Fraction(1, 2)},
    b"A": {A: Fraction(3, 10), B: Fraction(7, 10)},
    b"B": {A: Fraction(3, 5), B: Fraction(2, 5)},
}
_A_AFTER_THREE = {
    b"AAA": "0.2",
    b"AAB": "0.7",
    b"ABA": "0.4",
    b"ABB": "0.9",
    b"BAA": "0.5",
    b"BAB": "0.1",
    b"BBA": "0.8",
    b"BBB": "0.3",
}
THIRD_ORDER = {text: {A: Fraction(1, 2), B: Fraction(1, 2)} for text in strings(b"AB", 2)} | {
    text: {A: Fraction(p), B: 1 - Fraction(p)} for text, p in _A_AFTER_THREE.items()
}


def longest_match(tokens: Mapping[int, bytes]) -> Callable[[bytes], list[int]]:
    """The encoder that takes the longest token at each place (maximum prefix encoding)."""
    ids = {token: id for id, token in tokens.items()}
    lengths = sorted(map(len, ids), reverse=True)

    def encode(text: bytes) -> list[int]:
        sequence = []
        while text:
            length = next(length for length in lengths if text[:length] in ids)
            sequence.append(ids[text[:length]])
            text = text[length:]
        return sequence

    return encode


def merging(tokens: Mapping[int, bytes]) -> Callable[[bytes], list[int]]:
    """Byte-pair encoding with the ids as ranks."""
    ids = {token: id for id, token in tokens.items()}

    def encode(text: bytes) -> list[int]:
        parts = [bytes([byte]) for byte in text]
        while True:
            ranked = [
                (ids[left + right], at)
                for at, (left, right) in enumerate(itertools.pairwise(parts))
                if left + right in ids
            ]
            if not ranked:
                return [ids[part] for part in parts]
            _, at = min(ranked)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]

    return encode


def vocabulary(*tokens: bytes) -> dict[int, bytes]:
    return dict(enumerate(tokens))


def induced(
    tokens: Mapping[int, bytes],
    encode: Callable[[bytes], Iterable[int]],
    rows: Mapping[bytes, Mapping[int, Fraction]],
    *,
    order: int,
    stop: Fraction = Fraction(0),
    tail: int = 3,
) -> tuple[Chain, InducedModel]:
    """A byte chain, and the token model that it makes of a tokenizer."""
    chain = Chain(order, rows, stop)
    return chain, InducedModel(tokens, encode, chain, tail)


def random_model(vocab_size: int, seed: int, *, end: bool = True) -> TokenModel:
    """A token model whose next token depends on the last one and on how many there are."""

    @cache
    def row(last: int, odd: bool) -> dict[int, float]:
        generator = np.random.default_rng([seed, last + 1, odd])
        weights = generator.dirichlet(np.ones(vocab_size + end))
        return dict(zip([*range(vocab_size), *[END] * end], weights.tolist(), strict=True))

    def model(sequence: Sequence) -> dict[int, float]:
        return row(sequence[-1] if sequence else -1, len(sequence) % 2 == 1)

    return model


@cache
def bpe(alphabet: bytes, merges: tuple[tuple[bytes, bytes], ...], pattern: str | None = None) -> tokmill.Tokenizer:
    """A byte-level BPE whose last id ends a text."""
    tokens = dict.fromkeys([*(bytes([byte]) for byte in alphabet), *(left + right for left, right in merges)])
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    steps = [byte_level] if pattern is None else [split, byte_level]
    end = {"id": len(tokens), "content": "<|end|>", "special": True, "normalized": False}
    end |= {"single_word": False, "lstrip": False, "rstrip": False}
    model = {
        "type": "BPE",
        "vocab": {peers.spell(token): id for id, token in enumerate(tokens)},
        "merges": [[peers.spell(left), peers.spell(right)] for left, right in merges],
    }
    document = {
        "version": "1.0",
        "added_tokens": [end],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": None,
        "decoder": byte_level,
        "model": model,
    }
    return tokmill.Tokenizer.from_bytes(json.dumps(document))


def ordinary(tokenizer: tokmill.Tokenizer) -> dict[int, bytes]:
    special = set(tokenizer.special_tokens.values())
    return {id: tokenizer.token_bytes(id) for id in range(tokenizer.vocab_size) if id not in special}


def lm_on(tokenizer: tokmill.Tokenizer, model: TokenModel, semantics: str = "all") -> tokmill.ByteLM:
    """A byte model of a tokenizer whose last id ends a text."""
    end = tokenizer.vocab_size - 1
    engine = tokmill.ByteEngine(tokenizer, semantics=semantics, end_of_text=end)
    return tokmill.ByteLM(engine, logits_of(model, end + 1, end))


def chi_square(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """How far counts are from their expectations, in standard deviations of the chi-square statistic."""
    expected = probabilities * counts.sum()
    seen = expected > 0
    assert not counts[~seen].any()
    # Outcomes that are hardly ever expected count as one.
    rare = seen & (expected < 5)
    observed = np.append(counts[seen & ~rare], counts[rare].sum())
    expected = np.append(expected[seen & ~rare], expected[rare].sum())
    observed, expected = observed[expected > 0], expected[expected > 0]
    freedom = len(observed) - 1
    return float(((observed - expected) ** 2 / expected).sum() - freedom) / max(1.0, (2 * freedom) ** 0.5)
