"""Training: from a corpus, wherever it lies, to a tokenizer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np

from tokmill._tokmill import Tokenizer, TokmillError, WordCounter, WordCounts, _check_bpe, _train_bpe
from tokmill.corpus import Corpus, warn_of_long_pieces
from tokmill.progress import showing

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tokmill.corpus import Files, Source, Unit
    from tokmill.progress import Progress

__all__ = ["MergeTrace", "Veto", "count_words", "layouts", "train_bpe", "trainer_options"]


class Veto(TypedDict, total=False):
    """Entries that no merge may make: every rule that is given must let an entry pass."""

    substrings: Sequence[bytes]
    """Byte strings that no entry may contain."""
    regex: str
    """A regular expression that no entry may match anywhere."""
    max_words: int
    """The most words, which are stretches between blanks, that an entry may hold."""
    lengths: Sequence[int]
    """The lengths in bytes that an entry may have."""


@dataclasses.dataclass(eq=False)
class MergeTrace:
    """What every merge did to the counts of all pairs, in columns; `train_bpe(..., trace=MergeTrace())` fills it.

    A step is one merge that was made, in order; merges inherited from a `base` are none. Counts include overlaps, as
    those that a trainer compares. Together the initial counts and the first `end[i]` changes are the counts after step
    `i`, for asking what a vocabulary says of its corpus (as in arXiv 2407.16607). Empty until the training has ended.
    """

    initial_left: NDArray[np.uint32] = dataclasses.field(default_factory=lambda: np.empty(0, np.uint32))
    """uint32[pairs]: left ids of the pairs of the corpus before the first step, ascending."""
    initial_right: NDArray[np.uint32] = dataclasses.field(default_factory=lambda: np.empty(0, np.uint32))
    """uint32[pairs]: their right ids."""
    initial_count: NDArray[np.uint64] = dataclasses.field(default_factory=lambda: np.empty(0, np.uint64))
    """uint64[pairs]: their counts."""
    count: NDArray[np.uint64] = dataclasses.field(default_factory=lambda: np.empty(0, np.uint64))
    """uint64[steps]: the count of the pair that the step merged."""
    end: NDArray[np.uint64] = dataclasses.field(default_factory=lambda: np.empty(0, np.uint64))
    """uint64[steps]: where the step's changes end."""
    left: NDArray[np.uint32] = dataclasses.field(default_factory=lambda: np.empty(0, np.uint32))
    """uint32[changes]: left ids of the pairs whose counts changed, ascending within a step."""
    right: NDArray[np.uint32] = dataclasses.field(default_factory=lambda: np.empty(0, np.uint32))
    """uint32[changes]: their right ids."""
    delta: NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.empty(0, np.int64))
    """int64[changes]: by how much the counts changed."""


def count_words(
    source: Source = None,
    *,
    files: Files | None = None,
    field: str | None = None,
    column: str | None = None,
    unit: Unit = "line",
    pattern: str | None = "o200k_base",
    normalizer: Literal["nfc", "nfd", "nfkc", "nfkd"] | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
) -> WordCounts:
    """Count the pieces of a corpus, for training later, or elsewhere.

    Counts of parts of a corpus add up: `count_words(a) + count_words(b)`. All options are those of `train_bpe`, which
    must be given the same `pattern` and `normalizer` together with the counts.
    """
    counter = WordCounter(pattern=pattern, normalizer=normalizer, threads=threads, memory_limit=memory_limit)
    with showing(progress) as tell:
        Corpus(source, files, field, column, unit).feed(counter, tell)
    return counter.finish()


def train_bpe(
    source: Source = None,
    vocab_size: int = 32_000,
    *,
    files: Files | None = None,
    field: str | None = None,
    column: str | None = None,
    unit: Unit = "line",
    pattern: str | None = "o200k_base",
    normalizer: Literal["nfc", "nfd", "nfkc", "nfkd"] | None = None,
    special_tokens: Sequence[str] = (),
    template: str | tuple[str, str] | None = None,
    min_frequency: int = 2,
    initial_alphabet: Literal["bytes", "seen"] | bytes = "bytes",
    alphabet_order: Literal["gpt2", "bytes"] = "gpt2",
    max_token_bytes: int | None = None,
    max_token_chars: int | None = None,
    veto: Veto | None = None,
    base: Tokenizer | None = None,
    pad_to: int | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_seconds: float = 60.0,
    trace: MergeTrace | None = None,
) -> Tokenizer:
    """Train a byte-level BPE.

    Merges are those of Hugging Face's `BpeTrainer`, in the same order, and depend on the corpus and the options alone,
    not on threads or on the order of documents.

    Args:
        source: A `str` or `PathLike` is a file or a glob of files; a list of `PathLike` is files; any other iterable of
            `str` or `bytes` is documents; so is an Arrow column; `WordCounts` is a corpus counted before.
        vocab_size: Ids in all: special tokens, alphabet and merges. Fewer where the corpus has no pair left to merge.
        files: Files, in place of `source`: text, JSON lines (`.jsonl`) or Parquet (`.parquet`). `.gz` and `.zst` are
            unpacked on the way, except around Parquet.
        field: The field of `.jsonl` files that holds the text.
        column: The column of `.parquet` files that holds the text (needs `tokmill[arrow]`).
        unit: What is cut at a time: a `"line"` with its ending, of a file or of a record, or the whole `"document"`,
            which is a file or a record (`"file"` is another name for it).
        pattern: How text is cut: a regular expression or a name of `tokmill.patterns()`. `None` cuts nothing.
        normalizer: What is done to the text first: nothing, or a normalisation form of Unicode.
        special_tokens: Tokens with the first ids, in this order. Where they occur in the corpus they are text like any
            other, as for Hugging Face's trainer.
        template: Where special tokens go, `"<|begin|> $A <|end|>"`, or two such layouts, for one text and for a pair
            (`"$A <|sep|> $B"`).
        min_frequency: A pair seen less often is not merged.
        initial_alphabet: The bytes that have an id of their own: all (`"bytes"`), those that the corpus holds
            (`"seen"`), or those and these.
        alphabet_order: The order of their ids, which decides ties: `"gpt2"`, as Hugging Face has it, or `"bytes"`.
        max_token_bytes: No merge makes a token of more bytes.
        max_token_chars: No merge makes a token that touches more characters.
        veto: Further tokens that no merge may make.
        base: A tokenizer whose ids are kept; training goes on where its merges end, with `pattern` and `normalizer` as
            given here.
        pad_to: Fill up with runs of blanks and line feeds to exactly so many ids.
        threads: `None` is what `set_default_threads` says.
        memory_limit: Bytes. Counts beyond it go to temporary files; training that needs more is refused.
        progress: `"bar"` for a bar on a terminal or in a notebook, `"json"` for lines of JSON on standard error, or a
            function that is called now and then with phase ("count" or "merge"), done, and total or `None`; an
            exception in it ends the training.
        checkpoint: A file where merges are left from time to time, and taken up again by the same call.
        checkpoint_seconds: How often.
        trace: Takes what every merge does to the counts of pairs, in memory; not together with `checkpoint`.

    Raises:
        TokmillError: An option makes no sense, or a document cannot be read.
        OSError: A file cannot be read.
    """
    with showing(progress) as tell:
        options = trainer_options(
            vocab_size=vocab_size,
            pattern=pattern,
            normalizer=normalizer,
            special_tokens=special_tokens,
            template=template,
            min_frequency=min_frequency,
            initial_alphabet=initial_alphabet,
            alphabet_order=alphabet_order,
            max_token_bytes=max_token_bytes,
            max_token_chars=max_token_chars,
            veto=veto,
            base=base,
            pad_to=pad_to,
            threads=threads,
            memory_limit=memory_limit,
            progress=tell,
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
            trace=trace,
        )
        _check_bpe(options)
        if isinstance(source, WordCounts):
            counts = source
        else:
            counts = count_words(
                source,
                files=files,
                field=field,
                column=column,
                unit=unit,
                pattern=pattern,
                normalizer=normalizer,
                threads=threads,
                memory_limit=memory_limit,
                progress=tell,
            )
        warn_of_long_pieces(counts)
        return _train_bpe(counts, options)


def trainer_options(
    *,
    special_tokens: Sequence[str],
    template: str | tuple[str, str] | None,
    initial_alphabet: str | bytes,
    veto: Veto | None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_seconds: float = 60.0,
    trace: MergeTrace | None = None,
    **others: object,
) -> dict[str, object]:
    """The options of a trainer as the compiled core takes them."""
    return {
        **others,
        "special_tokens": list(special_tokens),
        "template": layouts(template),
        "initial_alphabet": _alphabet(initial_alphabet),
        "checkpoint": checkpoint,
        "checkpoint_seconds": checkpoint_seconds,
        "trace": trace,
        **_veto(veto or {}),
    }


def layouts(template: str | tuple[str, str] | None) -> tuple[str, str | None] | None:
    """The layouts for one text and for a pair, where that has one, as the compiled core takes them."""
    return (template, None) if isinstance(template, str) else template


def _alphabet(alphabet: str | bytes) -> bytes | None:
    """The bytes wanted besides those seen; `None` for all bytes."""
    if isinstance(alphabet, bytes):
        return alphabet
    if alphabet not in {"bytes", "seen"}:
        raise TokmillError(f'option initial_alphabet: {alphabet!r} is neither "bytes" nor "seen" nor a byte string')
    return None if alphabet == "bytes" else b""


def _veto(veto: Veto) -> dict[str, object]:
    if unknown := set(veto) - {"substrings", "regex", "max_words", "lengths"}:
        raise TypeError(f"option veto: unknown rule {min(unknown)!r}")
    return {
        "veto_substrings": list(veto.get("substrings", ())),
        "veto_regex": veto.get("regex"),
        "veto_max_words": veto.get("max_words"),
        "veto_lengths": None if "lengths" not in veto else list(veto["lengths"]),
    }
