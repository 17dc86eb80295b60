"""Training of superwords: from a corpus, wherever it lies, to a tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tokmill._tokmill import Tokenizer, WordCounter, WordCounts, _check_superbpe, _train_superbpe
from tokmill.corpus import Corpus
from tokmill.progress import showing
from tokmill.training import Veto, trainer_options

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from tokmill.corpus import Files, Source, Unit
    from tokmill.progress import Progress

__all__ = ["train_superbpe"]


def train_superbpe(
    source: Source = None,
    vocab_size: int = 200_000,
    *,
    transition: int = 180_000,
    patterns: tuple[str | None, str | None] = ("superbpe", "superbpe_2"),
    max_words: int | None = 4,
    forbidden: Sequence[bytes] = (b": ",),
    files: Files | None = None,
    field: str | None = None,
    column: str | None = None,
    unit: Unit = "line",
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
        checkpoint: As for `train_bpe`, in both stages; give the same documents again.
        checkpoint_seconds: How often.

    Raises:
        TokmillError: An option makes no sense, or a document cannot be read.
        OSError: A file cannot be read.
    """
    if isinstance(source, WordCounts):
        raise TypeError("superwords cannot be learned from counts of words: give the documents")
    first, second = patterns
    with showing(progress) as tell:
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
            progress=tell,
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
        )
        superwords: dict[str, object] = {
            "transition": transition,
            "second_pattern": second,
            "forbidden": list(forbidden),
            "max_words": max_words,
        }
        _check_superbpe(options, superwords)
        counter = WordCounter(
            pattern=first,
            normalizer=normalizer,
            threads=threads,
            memory_limit=memory_limit,
            keep_documents=True,
        )
        Corpus(source, files, field, column, unit).feed(counter, tell)
        return _train_superbpe(counter, options, superwords)
