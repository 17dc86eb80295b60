"""Training of WordPiece vocabularies: from a corpus, wherever it lies, to a tokenizer as BERT's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokmill._tokmill import Tokenizer, TokmillError, WordCounter, WordCounts, _check_wordpiece, _train_wordpiece
from tokmill.corpus import Corpus
from tokmill.progress import showing
from tokmill.training import layouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokmill.corpus import Files, Source, Unit
    from tokmill.progress import Progress

__all__ = ["count_wordpiece_words", "train_wordpiece"]


def count_wordpiece_words(
    source: Source = None,
    *,
    files: Files | None = None,
    field: str | None = None,
    column: str | None = None,
    unit: Unit = "line",
    lowercase: bool = True,
    strip_accents: bool | None = None,
    handle_chinese_chars: bool = True,
    clean_text: bool = True,
    threads: int | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
) -> WordCounts:
    """Count the words of a corpus for `train_wordpiece`, for training later, or elsewhere.

    Counts of parts of a corpus add up. All options are those of `train_wordpiece`, which must be given the same
    `lowercase`, `strip_accents`, `handle_chinese_chars` and `clean_text` together with the counts.
    """
    text = _text(lowercase, strip_accents, handle_chinese_chars, clean_text)
    counter = WordCounter.for_wordpiece(text, threads=threads, memory_limit=memory_limit)
    with showing(progress) as tell:
        Corpus(source, files, field, column, unit).feed(counter, tell)
    return counter.finish()


def train_wordpiece(
    source: Source = None,
    vocab_size: int = 30_000,
    *,
    files: Files | None = None,
    field: str | None = None,
    column: str | None = None,
    unit: Unit = "line",
    lowercase: bool = True,
    strip_accents: bool | None = None,
    handle_chinese_chars: bool = True,
    clean_text: bool = True,
    unk_token: str = "[UNK]",
    special_tokens: Sequence[str] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    template: str | tuple[str, str] | None = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"),
    min_frequency: int = 2,
    limit_alphabet: int | None = None,
    initial_alphabet: str = "",
    continuing_subword_prefix: str = "##",
    max_token_chars: int | None = None,
    max_input_chars_per_word: int = 100,
    threads: int | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
) -> Tokenizer:
    """Train a WordPiece vocabulary, with BERT's stages around it.

    Entries are those of Hugging Face's `WordPieceTrainer`: pairs are merged by frequency, as for BPE, and the merges
    are forgotten. That trainer numbers the letters inside words in the order of a hash map and gives another vocabulary
    on each run; here they are numbered by the first word that holds them, in order of bytes. So the result depends on
    the corpus and the options alone, not on threads or on the order of documents.

    Args:
        source: A `str` or `PathLike` is a file or a glob of files; a list of `PathLike` is files; any other iterable of
            `str` or `bytes` is documents; so is an Arrow column; `WordCounts` is what `count_wordpiece_words` counted.
        vocab_size: Ids in all: special tokens, alphabet and merges. Fewer where the corpus has no pair left to merge.
        files: Files, in place of `source`: text, JSON lines (`.jsonl`) or Parquet (`.parquet`). `.gz` and `.zst` are
            unpacked on the way, except around Parquet.
        field: The field of `.jsonl` files that holds the text.
        column: The column of `.parquet` files that holds the text (needs `tokmill[arrow]`).
        unit: What is read at a time: a `"line"` of a file or of a record, or the whole `"document"`, which is a file or
            a record (`"file"` is another name for it). No word reaches over a line's end in any case.
        lowercase: Put letters into lower case.
        strip_accents: Drop accents; `None` is where `lowercase` is set.
        handle_chinese_chars: Make each ideograph a word of its own.
        clean_text: Drop control characters and write white space as blanks.
        unk_token: The token, one of `special_tokens`, for a word that cannot be covered.
        special_tokens: Tokens with the first ids, in this order.
        template: Where special tokens go with `add_special_tokens=True`; see `train_bpe`. Those of the default are left
            out where `special_tokens` lacks one of them.
        min_frequency: A pair seen less often is not merged.
        limit_alphabet: Keep only so many characters, the most frequent ones; others vanish from words. `None` keeps
            all.
        initial_alphabet: Characters that are in the alphabet in any case.
        continuing_subword_prefix: What entries inside a word begin with.
        max_token_chars: No merge makes an entry of more characters, the prefix not counted.
        max_input_chars_per_word: The tokenizer takes longer words as unknown.
        threads: `None` is what `set_default_threads` says.
        memory_limit: Bytes. Counts beyond it go to temporary files; training that needs more is refused.
        progress: As for `train_bpe`.

    Raises:
        TokmillError: An option makes no sense, a word is not UTF-8, or a document cannot be read.
        OSError: A file cannot be read.
    """
    if unk_token not in special_tokens:
        raise TokmillError(f"option unk_token: {unk_token!r} is none of special_tokens")
    if template == _TEMPLATE and not {"[CLS]", "[SEP]"} <= set(special_tokens):
        template = None
    text = _text(lowercase, strip_accents, handle_chinese_chars, clean_text)
    with showing(progress) as tell:
        options: dict[str, object] = {
            "vocab_size": vocab_size,
            "min_frequency": min_frequency,
            "special_tokens": list(special_tokens),
            "initial_alphabet": list(initial_alphabet),
            "limit_alphabet": limit_alphabet,
            "continuing_subword_prefix": continuing_subword_prefix,
            "end_of_word_suffix": "",
            "max_token_chars": max_token_chars,
            "byte_level": False,
            "may_exceed": False,
            "threads": threads,
            "memory_limit": memory_limit,
            "progress": tell,
        }
        _check_wordpiece(options, layouts(template))
        if isinstance(source, WordCounts):
            counts = source
        else:
            counts = count_wordpiece_words(
                source,
                files=files,
                field=field,
                column=column,
                unit=unit,
                lowercase=lowercase,
                strip_accents=strip_accents,
                handle_chinese_chars=handle_chinese_chars,
                clean_text=clean_text,
                threads=threads,
                memory_limit=memory_limit,
                progress=tell,
            )
        return _train_wordpiece(counts, text, options, unk_token, max_input_chars_per_word, layouts(template))


_TEMPLATE = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")


def _text(
    lowercase: bool,
    strip_accents: bool | None,
    handle_chinese_chars: bool,
    clean_text: bool,
) -> dict[str, object]:
    """What BERT's normaliser does, as the compiled core takes it."""
    return {
        "lowercase": lowercase,
        "strip_accents": strip_accents,
        "handle_chinese_chars": handle_chinese_chars,
        "clean_text": clean_text,
    }
