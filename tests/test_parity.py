"""Agreement with the owners of real vocabularies, on a share of what `make parity` compares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import DATA
from parity import documents, record, vocabularies
from parity.compare import Pair, pair
from parity.owners import HuggingFace

SHARE = 1 << 16
"""Bytes of a text, or of the texts of a folder together."""
STRINGS = 1_000
GROUPS = sorted({name if not name.startswith("parallel/") else str(Path(name).parent) for name in documents.files()})


def _pair(name: str, data: Path) -> Pair:
    vocabulary = vocabularies.KNOWN[name]
    if not vocabulary.path.exists():
        pytest.skip(f"no data: {vocabulary.path} does not exist")
    try:
        return pair(vocabulary)
    except ImportError as error:
        pytest.skip(f"the owner is not installed: {error}")


@pytest.mark.parametrize("group", GROUPS or ["no texts"])
@pytest.mark.parametrize("name", vocabularies.KNOWN, scope="module")
def test_real_texts(name: str, group: str, data: Path) -> None:
    both = _pair(name, data)
    path = DATA / group
    names = [group] if path.is_file() else [file for file in documents.files() if file.startswith(f"{group}/")]
    text = "".join(documents.text(file, SHARE // len(names)) for file in names)
    assert both.compare([text], specials=False)
    assert both.compare(documents.lines(text), specials=True)


@pytest.mark.parametrize("name", vocabularies.KNOWN, scope="module")
def test_nasty_strings(name: str, data: Path) -> None:
    both = _pair(name, data)
    assert both.compare(documents.nasty(name, STRINGS, both.fragments()), specials=True)


@pytest.mark.parametrize("name", [*vocabularies.JSON, "vocab.txt", "vocab.txt cased"], scope="module")
def test_templates_and_pairs(name: str, data: Path) -> None:
    """Ids and type ids with special tokens around texts and pairs of them, and what they are decoded to."""
    both = _pair(name, data)
    assert isinstance(both.owner, HuggingFace)
    peer = both.owner.tokenizer
    peer.encode_special_tokens = False
    strings = documents.nasty(name, STRINGS, both.fragments())
    texts, pairs = strings[::2], strings[1::2]
    for second in (None, pairs):
        rows, types = both.ours.encode_batch_with_type_ids(
            texts, pairs=second, allowed_special="all", add_special_tokens=True
        )
        encodings = peer.encode_batch(texts if second is None else list(zip(texts, second, strict=True)))
        assert np.array_equal(rows.values, [id for encoding in encodings for id in encoding.ids])
        assert np.array_equal(types.values, [id for encoding in encodings for id in encoding.type_ids])
        expected = peer.decode_batch([encoding.ids for encoding in encodings], skip_special_tokens=True)
        assert both.ours.decode_batch(rows, skip_special_tokens=True) == expected


def test_the_matrix_shows_all_vocabularies_equal() -> None:
    rows = record.rows(record.PAGE.read_text())
    assert len(rows) == len(set(rows)) >= 11
    assert all(row.endswith("| 0 |") for row in rows)
