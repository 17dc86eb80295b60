"""Training on raw bytes: executables, firmware, files of any kind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tokmill._tokmill import Tokenizer, TokmillError, WordCounter, _check_bpe, _train_bpe
from tokmill.progress import showing
from tokmill.training import Veto, trainer_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tokmill.progress import Progress

__all__ = ["BINARY_SPECIAL_TOKENS", "train_binary_bpe"]

BINARY_SPECIAL_TOKENS = ("<|start|>", "<|end|>", "<|pad|>", "<|unk|>", "<|cls|>", "<|sep|>", "<|mask|>")
"""The special tokens of published binary tokenizers, ids 0 to 6."""

_TEMPLATE = ("<|start|> $A <|end|>", "<|start|> $A <|sep|> $B <|end|>")


def train_binary_bpe(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    vocab_size: int = 65_536,
    *,
    chunk_bytes: int = 8192,
    max_token_bytes: int = 16,
    token_lengths: Sequence[int] | None = None,
    entropy: tuple[float, float] | None = None,
    split: Literal["nul", "whitespace"] | None = None,
    split_probability: float = 1.0,
    seed: int = 0,
    special_tokens: Sequence[str] = BINARY_SPECIAL_TOKENS,
    template: str | tuple[str, str] | None = _TEMPLATE,
    min_frequency: int = 4,
    veto: Veto | None = None,
    pad_to: int | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_seconds: float = 60.0,
) -> Tokenizer:
    """Train a BPE on raw bytes.

    Special tokens come first, then the 256 bytes in order of value, then merges: with the default special tokens, byte
    `b` has the id `b + 7`. The merges of a smaller vocabulary are the first ones of a larger one, so one run gives all
    sizes: `tokenizer.truncated(4096)`.

    The tokenizer takes `bytes`, `memoryview`, `mmap` and whatever else has a buffer, and has no pretokenizer.

    Args:
        paths: Files, of any kind, or directories of files, which are searched through; symbolic links are left out.
            What the files hold is taken as it is: `.gz` is not unpacked.
        vocab_size: Ids in all. Fewer where the corpus has no pair left to merge.
        chunk_bytes: Files are cut into chunks of so many bytes, and no token crosses from one to the next while
            training. Equal chunks are kept once. 0 takes whole files.
        max_token_bytes: No merge makes a token of more bytes.
        token_lengths: The lengths in bytes that a merge may make, such as `(2, 4, 8)`; `None` allows all.
        entropy: The least and the most entropy of a chunk, in bits per byte: `(0.5, 7.5)` leaves out padding, and what
            is compressed or encrypted.
        split: Cut chunks further, behind each run of NUL bytes (`"nul"`) or before each run of ASCII white space
            (`"whitespace"`).
        split_probability: The probability with which each of these cuts is made.
        seed: Another seed draws other cuts.
        special_tokens: Tokens with the first ids, in this order.
        template: Where special tokens go with `add_special_tokens=True`; see `train_bpe`.
        min_frequency: A pair seen less often is not merged.
        veto: Further tokens that no merge may make.
        pad_to: Fill up with runs of blanks and line feeds to exactly so many ids.
        threads: `None` is what `set_default_threads` says.
        memory_limit: Bytes. Chunks beyond it go to temporary files; training that needs more is refused.
        progress: As for `train_bpe`.
        checkpoint: A file where merges are left from time to time, and taken up again by the same call.
        checkpoint_seconds: How often.

    Raises:
        TokmillError: An option makes no sense, or there is nothing to train on.
        OSError: A file cannot be read.
    """
    if token_lengths is not None:
        lengths = set(token_lengths) & set((veto or {}).get("lengths", token_lengths))
        veto = Veto({**(veto or {}), "lengths": sorted(lengths)})
        max_token_bytes = min(max_token_bytes, max(lengths, default=1))
    if template == _TEMPLATE and not set(BINARY_SPECIAL_TOKENS) <= set(special_tokens):
        template = None
    counter = WordCounter(pattern=None, normalizer=None, threads=threads, memory_limit=memory_limit)
    files = list(_files(paths))
    if not files:
        raise TokmillError("option paths: no file is there")
    with showing(progress) as tell:
        options = trainer_options(
            vocab_size=vocab_size,
            pattern=None,
            normalizer=None,
            special_tokens=special_tokens,
            template=template,
            min_frequency=min_frequency,
            initial_alphabet="bytes",
            alphabet_order="bytes",
            max_token_bytes=max_token_bytes,
            max_token_chars=None,
            veto=veto,
            base=None,
            pad_to=pad_to,
            threads=threads,
            memory_limit=memory_limit,
            progress=tell,
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
        )
        _check_bpe(options)
        counter.push_chunks(
            files,
            chunk_bytes=chunk_bytes,
            entropy=entropy,
            split=split,
            split_probability=split_probability,
            seed=seed,
            progress=tell,
        )
        return _train_bpe(counter.finish(), options)


def _files(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """The regular files that are named or lie in a directory that is, in order of path."""
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    for path in paths:
        if Path(path).is_dir():
            found = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
            yield from sorted(os.fspath(file) for file in found if file.is_file() and not file.is_symlink())
        else:
            yield os.fspath(path)
