"""One Unigram training in a process of its own: `python -m bench.training.unigram_worker LIBRARY PATH SIZE TARGET`.

Writes seconds, processor seconds and peak memory as JSON to standard output, and the scores of pieces to TARGET.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.training.worker import peak

THREADS = 2
METHODS = {"tokmill": "em", "tokmill score_pruning": "score_pruning", "tokmill mingram": "mingram"}
"""What tokmill's methods are called here."""


def main() -> None:
    """Train once."""
    library, path, vocab_size, target = sys.argv[1:]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-THREADS:])
    __import__(library.split(maxsplit=1)[0])
    begun, cpu = time.perf_counter(), time.process_time()
    if library in METHODS:
        scores = with_tokmill(path, int(vocab_size), METHODS[library])
    else:
        scores = with_sentencepiece(path, int(vocab_size))
    found = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
    found["peak"] = peak()
    Path(target).write_text(json.dumps(scores()), encoding="utf-8")
    print(json.dumps(found))


def with_tokmill(path: str, vocab_size: int, method: str) -> Any:
    """Train with tokmill."""
    import tokmill

    options = {"normalization": "identity", "byte_fallback": False, "threads": THREADS, "method": method}
    trained = tokmill.train_unigram(path, vocab_size, **options)

    def scores() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as directory:
            trained.save(Path(directory, "tokenizer.json"))
            model = json.loads(Path(directory, "tokenizer.json").read_text(encoding="utf-8"))["model"]
        return dict(model["vocab"][3:])

    return scores


def with_sentencepiece(path: str, vocab_size: int) -> Any:
    """Train with sentencepiece."""
    import sentencepiece

    prefix = str(Path(tempfile.mkdtemp(), "model"))
    sentencepiece.SentencePieceTrainer.Train(
        input=path,
        model_prefix=prefix,
        model_type="unigram",
        vocab_size=vocab_size,
        num_threads=THREADS,
        normalization_rule_name="identity",
        max_sentence_length=100_000_000,
        minloglevel=2,
    )

    def scores() -> dict[str, float]:
        model = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
        return {model.id_to_piece(i): model.get_score(i) for i in range(3, model.get_piece_size())}

    return scores


if __name__ == "__main__":
    main()
