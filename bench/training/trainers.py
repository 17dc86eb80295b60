"""Every library that trains BPE, reduced to `train(path, vocab_size, threads) -> entries`.

The work is the same wherever a library lets one choose: the bytes as alphabet, GPT-2's pattern, a line with its ending
at a time, every pair that occurs. gigatoken has that pattern built in and takes a file as one document; sentencepiece
cuts at blanks and merges characters, so its entries are not comparable. Thread pools that take no argument take their
size from the environment, which the caller sets.

Entries are what the merges made, as bytes, in their order. Handing them over is outside the clock.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def tokmill(path: str, vocab_size: int, threads: int) -> Callable[[], list[bytes]]:
    from tokmill import train_bpe

    trained = train_bpe(path, vocab_size, pattern="gpt2", min_frequency=1, threads=threads)
    return lambda: [trained.token_bytes(token_id) for token_id in range(256, trained.vocab_size)]


def gigatoken(path: str, vocab_size: int, threads: int) -> Callable[[], list[bytes]]:
    from gigatoken import train_bpe

    _, merges = train_bpe(Path(path), vocab_size, [])
    return lambda: [left + right for left, right in merges]


def rustbpe(path: str, vocab_size: int, threads: int) -> Callable[[], list[bytes]]:
    from rustbpe import Tokenizer

    tokenizer = Tokenizer()
    with Path(path).open(encoding="utf-8", newline="\n") as lines:
        tokenizer.train_from_iterator(lines, vocab_size, pattern=GPT2)
    return lambda: [bytes(entry) for entry, rank in tokenizer.get_mergeable_ranks() if rank >= 256]


def tokenizers(path: str, vocab_size: int, threads: int) -> Callable[[], list[bytes]]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train([path], trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False))
    return lambda: spelled_in_bytes([tokenizer.id_to_token(i) for i in range(256, tokenizer.get_vocab_size())])


def sentencepiece(path: str, vocab_size: int, threads: int) -> Callable[[], list[bytes]]:
    from sentencepiece import SentencePieceTrainer

    with tempfile.TemporaryDirectory() as directory:
        SentencePieceTrainer.Train(
            input=path,
            model_prefix=str(Path(directory, "model")),
            model_type="bpe",
            vocab_size=vocab_size,
            num_threads=threads,
            character_coverage=1.0,
            normalization_rule_name="identity",
            max_sentence_length=1_000_000,
            minloglevel=2,
        )
    return list


def spelled_in_bytes(entries: list[str]) -> list[bytes]:
    """Undo the spelling of bytes as printable characters: those that are printable in latin-1 stand for themselves."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {byte: byte for byte in plain} | {256 + number: byte for number, byte in enumerate(others)}
    return [bytes(table[ord(character)] for character in entry) for entry in entries]


TRAINERS = {trainer.__name__: trainer for trainer in (tokmill, gigatoken, sentencepiece, rustbpe, tokenizers)}
"""Every trainer by the name of its library, tokmill first."""
