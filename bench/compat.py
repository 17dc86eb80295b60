"""The faces beside their owners: how much faster `encode` and `encode_batch` are on a thousand paragraphs.

    python -m bench.compat

Both run in one process in turns, ids are compared, and the median ratio of the rounds is printed. Vocabularies and text
come from the directory that `TOKMILL_DATA` names.
"""

from __future__ import annotations

import gzip
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
import tiktoken
import tokenizers

from tokmill.compat import sentencepiece as our_sentencepiece
from tokmill.compat import tiktoken as our_tiktoken
from tokmill.compat import tokenizers as our_tokenizers

ROUNDS = 9
DATA = Path(os.environ.get("TOKMILL_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))


def paragraphs(count: int = 1000, characters: int = 500) -> list[str]:
    """Stretches of the texts at hand, in turns from each."""
    texts = [path.read_text(encoding="utf-8", errors="ignore") for path in sorted((DATA / "text").glob("*.txt"))]
    each = count // len(texts) + 1
    cut = [text[n * characters : (n + 1) * characters] for n in range(each) for text in texts]
    return [one for one in cut if one][:count]


def ratio(
    theirs: Callable[[], object], ours: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> float:
    """How many times faster ours is, by a clock."""
    assert theirs() == ours()
    ratios = []
    for _ in range(ROUNDS):
        begin = clock()
        theirs()
        middle = clock()
        ours()
        ratios.append((middle - begin) / (clock() - middle))
    return statistics.median(ratios)


def compare_tokenizers(texts: list[str]) -> None:
    """Batches of encodings, of which the ids are asked for, and then the offsets too, by processor time."""
    for name in ("gpt2.json", "llama3_1.json.gz", "bert_uncased.json", "llama2.json", "xlnet_base_cased.json.gz"):
        data = (DATA / "vocabs" / name).read_bytes()
        document = gzip.decompress(data) if name.endswith(".gz") else data
        theirs, ours = tokenizers.Tokenizer.from_buffer(document), our_tokenizers.Tokenizer.from_buffer(document)
        for one in (theirs, ours):
            one.no_padding()
            one.no_truncation()

        def ids(tokenizer: Any) -> object:
            return [encoding.ids for encoding in tokenizer.encode_batch(texts)]

        def spans(tokenizer: Any) -> object:
            return [(encoding.ids, encoding.offsets) for encoding in tokenizer.encode_batch(texts)]

        def padded(tokenizer: Any) -> object:
            tokenizer.enable_padding()
            tokenizer.enable_truncation(128)
            encodings = tokenizer.encode_batch(texts)
            tokenizer.no_padding()
            tokenizer.no_truncation()
            return [(encoding.ids, encoding.attention_mask, encoding.type_ids) for encoding in encodings]

        found = [
            ratio(lambda: call(theirs), lambda: call(ours), time.process_time)  # noqa: B023
            for call in (ids, spans, padded)
        ]
        print(f"tokenizers {name:24} ids {found[0]:5.1f}  with offsets {found[1]:5.1f}  padded, cut {found[2]:5.1f}")


def main() -> None:
    texts = paragraphs()
    size = sum(len(text.encode()) for text in texts)
    print(f"{len(texts)} paragraphs, {size / 1000:.0f} kB; times faster than the owner")
    compare_tokenizers(texts)
    for name in ("r50k_base", "cl100k_base", "o200k_base"):
        ours = our_tiktoken.get_encoding(name, path=DATA / "vocabs" / f"{name}.tiktoken")
        theirs = tiktoken.Encoding(
            name, pat_str=ours._pat_str, mergeable_ranks=ours._mergeable_ranks, special_tokens=ours._special_tokens
        )
        one = ratio(lambda: [theirs.encode(text) for text in texts], lambda: [ours.encode(text) for text in texts])  # noqa: B023
        batch = ratio(lambda: theirs.encode_batch(texts), lambda: ours.encode_batch(texts))  # noqa: B023
        print(f"tiktoken {name:12} encode {one:5.1f}  encode_batch {batch:5.1f}")
    for name in ("llama2.model", "xlnet_base_cased.model"):
        file = str(DATA / "vocabs" / name)
        peer = sentencepiece.SentencePieceProcessor(file)
        face = our_sentencepiece.SentencePieceProcessor(file)
        for kind in (int, str):
            one = ratio(
                lambda: [peer.encode(text, out_type=kind) for text in texts],  # noqa: B023
                lambda: [face.encode(text, out_type=kind) for text in texts],  # noqa: B023
            )
            batch = ratio(lambda: peer.encode(texts, out_type=kind), lambda: face.encode(texts, out_type=kind))  # noqa: B023
            print(f"sentencepiece {name} {kind.__name__}  encode {one:5.1f}  batch {batch:5.1f}")


if __name__ == "__main__":
    main()
