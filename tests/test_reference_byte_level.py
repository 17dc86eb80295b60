"""The specification itself against published tables and exact sums."""

from __future__ import annotations

from fractions import Fraction

import pytest
from byte_models import FIRST_ORDER, THIRD_ORDER, A, B, induced, longest_match, merging, random_model, vocabulary
from reference_byte_level import ReferenceByteModel, decode, full_cover, probability, strings

PAIRS = vocabulary(b"A", b"B", b"AA")
EIGHT = vocabulary(b"A", b"B", b"AA", b"BAAB", b"BBAA", b"BBBA", b"BA", b"BBA")


@pytest.mark.parametrize("encoder", [longest_match, merging])
def test_the_induced_model_of_a_first_order_chain(encoder) -> None:
    chain, model = induced(PAIRS, encoder(PAIRS), FIRST_ORDER, order=1)
    rows = {
        2: {2: Fraction(9, 100), 0: Fraction(21, 100), 1: Fraction(7, 10)},
        0: {2: Fraction(0), 0: Fraction(0), 1: Fraction(1)},
        1: {2: Fraction(9, 50), 0: Fraction(21, 50), 1: Fraction(2, 5)},
    }
    for last, row in rows.items():
        found = model((last,))
        assert {id: found[id] for id in row} == row
    reference = ReferenceByteModel(PAIRS, model, encoder(PAIRS), strings(b"AB", 3))
    for text in strings(b"AB", 6):
        assert reference.mass(text) == chain.mass(text)
    # After the prompt A, the token model alone says that B must come.
    assert model((0,))[1] == 1
    assert reference.next(b"A")[A] == Fraction(3, 10)
    assert reference.leak(b"A") == 0


@pytest.mark.parametrize(
    ("prompt", "naive", "exact"),
    [
        (b"AAAB", "0", "0.7"),
        (b"ABBB", "0", "0.3"),
        (b"BABB", "0", "0.9"),
        (b"AABA", "0.25", "0.4"),
        (b"BBAB", "0", "0.1"),
        (b"ABAA", None, "0.5"),
        (b"AAAA", "0.2", "0.2"),
        (b"BBBB", "0", "0.3"),
    ],
)
def test_the_third_order_chain(prompt: bytes, naive: str | None, exact: str) -> None:
    encode = longest_match(EIGHT)
    _, model = induced(EIGHT, encode, THIRD_ORDER, order=3, tail=4)
    row = model(tuple(encode(prompt)))
    if naive is None:
        assert not row
    else:
        assert sum(p for id, p in row.items() if id in EIGHT and EIGHT[id][0] == A) == Fraction(naive)
    reference = ReferenceByteModel(EIGHT, model, encode, strings(b"AB", 4))
    assert reference.next(prompt)[A : B + 1] == [Fraction(exact), 1 - Fraction(exact)]


def test_covers_by_hand() -> None:
    assert full_cover(PAIRS, b"AA") == {(2,), (0, 0), (0, 2)}
    assert full_cover(PAIRS, b"") == {()}
    tokens = vocabulary(b"a", b"b", b"c", b"ab", b"bc", b"abc", b"ca")
    sizes = [len(full_cover(tokens, b"abc" * k + b"ab")) for k in range(1, 5)]
    assert sizes == [20, 100, 500, 2500]


@pytest.mark.parametrize("seed", range(5))
def test_all_segmentations_lose_nothing(seed: int) -> None:
    tokens = vocabulary(b"a", b"b", b"ab", b"ba", b"aba")
    model = random_model(len(tokens), seed)
    reference = ReferenceByteModel(tokens, model)
    for text in strings(b"ab", 5):
        assert abs(reference.leak(text)) < 1e-12
        for sequence in reference.cover(text):
            inner = decode(tokens, sequence[:-1])
            assert len(inner) < len(text) or not text
            assert decode(tokens, sequence).startswith(text)
    # The text's own sum over everything that the model can say, cut off at a length.
    sequences = [()]
    for _ in range(5):
        sequences += [(*s, id) for s in sequences for id in tokens if len(s) == len(sequences[-1])]
    text = b"ab"
    found = sum(
        probability(model, s)
        for s in set(sequences)
        if decode(tokens, s).startswith(text) and s in reference.cover(text)
    )
    assert found == pytest.approx(reference.mass(text), rel=1e-12)
