"""Tokenizers of transformers, as they are and accelerated: a thousand paragraphs, padded, as lists and as tensors.

    make .cache/integrations-5/.created
    PYTHONPATH=python .cache/integrations-5/bin/python -m bench.accelerate

Both run in one process in turns, results are compared, and the median ratio of the rounds is printed. Vocabularies and
text come from the directory that `TOKMILL_DATA` names.
"""

from __future__ import annotations

import gzip
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import transformers

import tokmill

ROUNDS = 7
DATA = Path(os.environ.get("TOKMILL_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))
NAMES = ("gpt2.json", "llama3_1.json.gz", "bert_uncased.json", "llama2.json")


def paragraphs(count: int = 1000, characters: int = 500) -> list[str]:
    """Stretches of the texts at hand, in turns from each."""
    texts = [path.read_text(encoding="utf-8", errors="ignore") for path in sorted((DATA / "text").glob("*.txt"))]
    each = count // len(texts) + 1
    cut = [text[n * characters : (n + 1) * characters] for n in range(each) for text in texts]
    return [one for one in cut if one][:count]


def load(name: str) -> Any:
    """A tokenizer of transformers, from a file."""
    data = (DATA / "vocabs" / name).read_bytes()
    backend = tokenizers.Tokenizer.from_str((gzip.decompress(data) if name.endswith("gz") else data).decode())
    backend.no_padding()
    backend.no_truncation()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token=backend.id_to_token(0))


def ratio(theirs: Any, ours: Any, texts: list[str], options: dict[str, Any]) -> float:
    """How many times faster ours is."""
    expected, found = theirs(texts, **options), ours(texts, **options)
    assert all(np.array_equal(np.asarray(expected[key]), np.asarray(found[key])) for key in expected)
    ratios = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        theirs(texts, **options)
        middle = time.perf_counter()
        ours(texts, **options)
        ratios.append((middle - begin) / (time.perf_counter() - middle))
    return statistics.median(ratios)


def main() -> None:
    """Prints a line for each vocabulary."""
    texts = paragraphs()
    for name in NAMES:
        theirs, ours = load(name), tokmill.accelerate(load(name))
        forms: dict[str, dict[str, Any]] = {
            "lists": {},
            "numpy": {"return_tensors": "np"},
            "torch": {"return_tensors": "pt"},
            "numpy, with offsets": {"return_tensors": "np", "return_offsets_mapping": True},
        }
        found = [f"{form} {ratio(theirs, ours, texts, {'padding': True, **forms[form]}):.1f}" for form in forms]
        print(f"{name:18}", "; ".join(found))


if __name__ == "__main__":
    main()
