"""Train on any iterable of documents, save, and load with Hugging Face tokenizers' own file format."""

import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import tokmill


def documents() -> Iterator[str]:
    """Yield one document at a time; nothing else is held in memory."""
    for path in sorted(Path(sysconfig.get_path("stdlib"), "json").glob("*.py")):
        yield path.read_text(encoding="utf-8")


tokenizer = tokmill.train_bpe(
    documents(),
    vocab_size=1000,
    pattern="cl100k_base",
    special_tokens=["<|endoftext|>"],
    min_frequency=2,
)
print("ids", tokenizer.vocab_size, "special", tokenizer.special_tokens)
print("first merges", tokenizer.merges[:3])

with tempfile.TemporaryDirectory() as directory:
    path = Path(directory, "tokenizer.json")
    tokenizer.save(path)
    again = tokmill.Tokenizer.from_file(path)

assert again == tokenizer
size = sum(len(text.encode()) for text in documents())
print("bytes per token", round(size / sum(map(tokenizer.count, documents())), 2))
