"""Training: from a corpus, wherever it lies, to a tokenizer."""

from __future__ import annotations

import dataclasses
import glob
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

import numpy as np

from tokmill._tokmill import Tokenizer, TokmillError, WordCounter, WordCounts, _train_bpe, _train_superbpe
from tokmill.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = [
    "MergeTrace",
    "Progress",
    "Source",
    "Veto",
    "count_words",
    "train_bpe",
    "train_superbpe",
    "trainer_options",
]

Source: TypeAlias = Any
"""A corpus; see `train_bpe`."""

Progress: TypeAlias = "Callable[[str, int, int | None], object]"
"""Called with the phase ("count", "encode", "merge", "seed" or "prune"), what is done of it (bytes, merges, or pieces),
and the total where it is known."""

_Unit: TypeAlias = Literal["line", "file", "document"]
_BATCH_BYTES = 8 << 20


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
    files: Iterable[str | os.PathLike[str]] | None = None,
    field: str | None = None,
    column: str | None = None,
    unit: _Unit = "line",
    pattern: str | None = "o200k_base",
    normalizer: Literal["nfc"] | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
) -> WordCounts:
    """Count the pieces of a corpus, for training later, or elsewhere.

    Counts of parts of a corpus add up: `count_words(a) + count_words(b)`. All options are those of `train_bpe`, which
    must be given the same `pattern` and `normalizer` together with the counts.
    """
    if isinstance(source, WordCounts):
        raise TypeError("the source is counts already")
    counter = WordCounter(
        pattern=pattern,
        normalizer=normalizer,
        threads=threads,
        memory_limit=memory_limit,
    )
    _feed(counter, source, files=files, field=field, column=column, unit=unit, progress=progress)
    return counter.finish()


def _feed(
    counter: WordCounter,
    source: Source,
    *,
    files: Iterable[str | os.PathLike[str]] | None,
    field: str | None,
    column: str | None,
    unit: _Unit,
    progress: Progress | None,
) -> None:
    """Counts all documents of a corpus."""
    paths = _paths(source, files)
    parquet = [path for path in paths if Path(path).suffix == ".parquet"]
    others = [path for path in paths if path not in parquet]
    if others:
        counter.push_files(others, unit=unit, field=field, progress=progress)
    if parquet:
        documents = Documents(parquet, column=column)
        for batch in documents.batches(_BATCH_BYTES):
            lines = (line for document in batch for line in io.BytesIO(document))
            counter.push(lines if unit == "line" else batch)
            _tell(progress, documents.position, documents.total_bytes)
    if paths:
        return
    if hasattr(source, "__arrow_c_array__") or hasattr(source, "__arrow_c_stream__"):
        counter.push(source)
        return
    done = 0
    for part in _batches(source):
        counter.push(part)
        done += sum(map(len, part))
        _tell(progress, done, None)


def _tell(progress: Progress | None, done: int, total: int | None) -> None:
    if progress is not None:
        progress("count", done, total)


def train_bpe(
    source: Source = None,
    vocab_size: int = 32_000,
    *,
    files: Iterable[str | os.PathLike[str]] | None = None,
    field: str | None = None,
    column: str | None = None,
    unit: _Unit = "line",
    pattern: str | None = "o200k_base",
    normalizer: Literal["nfc"] | None = None,
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
        normalizer: What is done to the text first: nothing, or `"nfc"`.
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
        progress: Called now and then with phase, done and total. An exception in it ends the training.
        checkpoint: A file where merges are left from time to time, and taken up again by the same call.
        trace: Takes what every merge does to the counts of pairs, in memory; not together with `checkpoint`.

    Raises:
        TokmillError: An option makes no sense, or a document cannot be read.
        OSError: A file cannot be read.
    """
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
        progress=progress,
        checkpoint=checkpoint,
        trace=trace,
    )
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
            progress=progress,
        )
    return _train_bpe(counts, options)


def train_superbpe(
    source: Source = None,
    vocab_size: int = 200_000,
    *,
    transition: int = 180_000,
    patterns: tuple[str | None, str | None] = ("superbpe", "superbpe_2"),
    max_words: int | None = 4,
    forbidden: Sequence[bytes] = (b": ",),
    files: Iterable[str | os.PathLike[str]] | None = None,
    field: str | None = None,
    column: str | None = None,
    unit: _Unit = "line",
    normalizer: Literal["nfc"] | None = None,
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
) -> Tokenizer:
    """Train a SuperBPE: a byte-level BPE whose later tokens may span several words.

    The first stage is that of `train_bpe`, to `transition` ids. The second goes on from its merges on the same text,
    which is cut much more coarsely then, so that words merge with their neighbours. The result is an ordinary
    byte-level BPE, saved as an ordinary `tokenizer.json`.

    All of the corpus counts, in both stages and in whatever order it comes: superwords are those of the whole, not of
    its beginning. It is read once and kept until the second stage, in memory or, with `memory_limit`, on disk.

    Args:
        source: As for `train_bpe`, but not `WordCounts`: what spans words cannot be learned from counts of words.
            Files are fed by lines with their endings, so that no token goes past the end of a line.
        vocab_size: Ids in all. Fewer where the corpus has no pair left to merge.
        transition: Ids after the first stage. Fewer mean more superwords.
        patterns: How text is cut in the first and in the second stage: names of `tokmill.patterns()` or regular
            expressions; `None` cuts nothing. `("superbpe_128k", "superbpe_128k_2")` is the later pair. The tokenizer
            cuts by the second one.
        max_words: The most words, which are stretches between blanks, that a superword may hold.
        forbidden: Byte strings that no superword may contain.
        files: As for `train_bpe`.
        field: As for `train_bpe`.
        column: As for `train_bpe`.
        unit: As for `train_bpe`.
        normalizer: As for `train_bpe`.
        special_tokens: As for `train_bpe`.
        template: As for `train_bpe`.
        min_frequency: As for `train_bpe`, in both stages.
        initial_alphabet: As for `train_bpe`.
        alphabet_order: As for `train_bpe`.
        max_token_bytes: As for `train_bpe`, in both stages.
        max_token_chars: As for `train_bpe`, in both stages.
        veto: Further tokens that no merge of either stage may make.
        base: A tokenizer whose ids are kept; the first stage goes on where its merges end.
        pad_to: As for `train_bpe`.
        threads: As for `train_bpe`.
        memory_limit: Bytes. Counts and documents beyond it go to temporary files.
        progress: As for `train_bpe`; the second stage begins with the phase `"encode"`.

    Raises:
        TokmillError: An option makes no sense, or a document cannot be read.
        OSError: A file cannot be read.
    """
    if isinstance(source, WordCounts):
        raise TypeError("superwords cannot be learned from counts of words: give the documents")
    first, second = patterns
    options = trainer_options(
        vocab_size=vocab_size,
        pattern=second,
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
        progress=progress,
    )
    counter = WordCounter(
        pattern=first,
        normalizer=normalizer,
        threads=threads,
        memory_limit=memory_limit,
        keep_documents=True,
    )
    _feed(counter, source, files=files, field=field, column=column, unit=unit, progress=progress)
    superwords: dict[str, object] = {
        "transition": transition,
        "second_pattern": second,
        "forbidden": list(forbidden),
        "max_words": max_words,
    }
    return _train_superbpe(counter, options, superwords)


def trainer_options(
    *,
    special_tokens: Sequence[str],
    template: str | tuple[str, str] | None,
    initial_alphabet: str | bytes,
    veto: Veto | None,
    checkpoint: str | os.PathLike[str] | None = None,
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


def _paths(source: Source, files: Iterable[str | os.PathLike[str]] | None) -> list[str]:
    """The files of a corpus; none if it does not lie in files."""
    if (source is None) == (files is None):
        raise TypeError("a corpus is either a source or files=[...]")
    if files is not None:
        return [os.fspath(path) for path in files]
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        if os.path.lexists(name) or not glob.has_magic(name):
            return [name]
        paths = sorted(path for path in glob.iglob(name, recursive=True) if Path(path).is_file())  # noqa: PTH207
        if not paths:
            raise FileNotFoundError(f"no file matches {name!r}")
        return paths
    if isinstance(source, list | tuple) and source and isinstance(source[0], os.PathLike):
        return [os.fspath(path) for path in source]
    return []


def _batches(documents: Iterable[str | bytes]) -> Iterator[list[str | bytes]]:
    """The documents in lists of about `_BATCH_BYTES` together."""
    if isinstance(documents, bytes | bytearray | memoryview):
        raise TypeError("expected an iterable of documents, not one document")
    batch: list[str | bytes] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
