"""Training of Unigram models: from a corpus, wherever it lies, to a tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tokmill._tokmill import Tokenizer, WordCounter, WordCounts, _check_unigram, _train_unigram
from tokmill.corpus import Corpus
from tokmill.progress import showing
from tokmill.training import layouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokmill.corpus import Files, Source, Unit
    from tokmill.progress import Progress

__all__ = ["count_unigram_words", "train_unigram"]

_Normalization = Literal["identity", "nfc", "nfkc", "nmt_nfkc"]


def count_unigram_words(
    source: Source = None,
    *,
    files: Files | None = None,
    field: str | None = None,
    column: str | None = None,
    unit: Unit = "line",
    normalization: _Normalization = "nmt_nfkc",
    add_dummy_prefix: bool = True,
    remove_extra_whitespaces: bool = True,
    split_by_whitespace: bool = True,
    threads: int | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
) -> WordCounts:
    """Count the words of a corpus for `train_unigram`, for training later, or elsewhere.

    Counts of parts of a corpus add up. All options are those of `train_unigram`, which must be given the same
    `normalization`, `add_dummy_prefix`, `remove_extra_whitespaces` and `split_by_whitespace` together with the counts.
    """
    text: dict[str, object] = {
        "normalization": normalization,
        "add_dummy_prefix": add_dummy_prefix,
        "remove_extra_whitespaces": remove_extra_whitespaces,
        "split_by_whitespace": split_by_whitespace,
    }
    counter = WordCounter.for_unigram(text, threads=threads, memory_limit=memory_limit)
    with showing(progress) as tell:
        Corpus(source, files, field, column, unit).feed(counter, tell)
    return counter.finish()


def train_unigram(
    source: Source = None,
    vocab_size: int = 32_000,
    *,
    files: Files | None = None,
    field: str | None = None,
    column: str | None = None,
    unit: Unit = "line",
    normalization: _Normalization = "nmt_nfkc",
    add_dummy_prefix: bool = True,
    remove_extra_whitespaces: bool = True,
    method: Literal["em", "score_pruning", "mingram"] = "em",
    unk_token: str = "<unk>",
    special_tokens: Sequence[str] = ("<s>", "</s>"),
    user_defined_symbols: Sequence[str] = (),
    template: str | tuple[str, str] | None = None,
    byte_fallback: bool = True,
    character_coverage: float = 0.9995,
    required_chars: str = "",
    max_piece_chars: int = 16,
    split_by_unicode_script: bool = True,
    split_by_number: bool = True,
    split_by_whitespace: bool = True,
    split_digits: bool = False,
    seed_size: int = 1_000_000,
    shrinking_factor: float = 0.75,
    sub_iterations: int = 2,
    token_cost: float = 8.0,
    layout: Literal["tokenizers", "sentencepiece"] = "tokenizers",
    threads: int | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
) -> Tokenizer:
    """Train a Unigram model as sentencepiece does.

    The result depends on the corpus and the options alone, not on threads or on the order of documents. Scores are
    multiples of 1/1024, so that their sums are the same in single and in double precision.

    Args:
        source: A `str` or `PathLike` is a file or a glob of files; a list of `PathLike` is files; any other iterable of
            `str` or `bytes` is documents; so is an Arrow column; `WordCounts` is what `count_unigram_words` counted.
        vocab_size: Ids in all, exactly: `unk_token`, special tokens, user-defined symbols, bytes and pieces.
        files: Files, in place of `source`: text, JSON lines (`.jsonl`) or Parquet (`.parquet`). `.gz` and `.zst` are
            unpacked on the way, except around Parquet.
        field: The field of `.jsonl` files that holds the text.
        column: The column of `.parquet` files that holds the text (needs `tokmill[arrow]`).
        unit: What is normalised at a time: a `"line"` of a file or of a record, or the whole `"document"`, which is a
            file or a record (`"file"` is another name for it). Line feeds are never part of a piece.
        normalization: What is done to characters first: nothing (`"identity"`), `"nfc"`, `"nfkc"`, or `"nmt_nfkc"`,
            which also drops control characters and makes blanks of white space.
        add_dummy_prefix: Put a blank before every text.
        remove_extra_whitespaces: Drop blanks at the ends of a text and all but one of neighbouring ones.
        method: `"em"` removes the pieces that the likelihood of the corpus misses least; `"score_pruning"` those with
            the lowest scores, which gives fewer tokens and a lower likelihood; `"mingram"` takes what byte-pair merging
            makes and keeps what the shortest segmentations use most, for the fewest tokens.
        unk_token: The token for what cannot be encoded, with id 0.
        special_tokens: Tokens that no text yields, with the next ids, in this order.
        user_defined_symbols: Tokens that are cut out of any text as they are, with the next ids.
        template: Where special tokens go, `"<s> $A </s>"`, or two such layouts, for one text and for a pair.
        byte_fallback: Give each byte an id, so that any text can be encoded.
        character_coverage: The most frequent characters that make up this share of the text are pieces; others are in
            none.
        required_chars: Characters that are pieces in any case.
        max_piece_chars: Characters of a piece at the most, up to 32.
        split_by_unicode_script: No piece holds characters of two scripts. Kana and Han count as one.
        split_by_number: No piece holds letters and digits.
        split_by_whitespace: No piece reaches over a blank, which begins pieces.
        split_digits: Each digit is a piece of its own.
        seed_size: Pieces to begin with at the most, besides the characters.
        shrinking_factor: The share of pieces that each round of pruning leaves.
        sub_iterations: Steps of expectation maximisation in each round.
        token_cost: How many nats of likelihood pruning gives for one token less, for `"em"`; 0 is what sentencepiece
            does.
        layout: Whose stages the tokenizer is made of, and whose files it can be saved to: `"tokenizers"`
            (`tokenizer.json`), or `"sentencepiece"` (`.model`).
        threads: `None` is what `set_default_threads` says.
        memory_limit: Bytes. Counts beyond it go to temporary files; training that needs more is refused.
        progress: As for `train_bpe`; the phases are "count", "seed" (or "merge") and "prune".

    Raises:
        TokmillError: An option makes no sense, the corpus is too small for `vocab_size`, or a document cannot be read.
        OSError: A file cannot be read.
    """
    text: dict[str, object] = {
        "normalization": normalization,
        "add_dummy_prefix": add_dummy_prefix,
        "remove_extra_whitespaces": remove_extra_whitespaces,
        "split_by_whitespace": split_by_whitespace,
    }
    with showing(progress) as tell:
        options: dict[str, object] = {
            "vocab_size": vocab_size,
            "method": method,
            "unk_token": unk_token,
            "special_tokens": list(special_tokens),
            "user_defined_symbols": list(user_defined_symbols),
            "byte_fallback": byte_fallback,
            "character_coverage": character_coverage,
            "required_chars": required_chars,
            "max_piece_chars": max_piece_chars,
            "split_by_unicode_script": split_by_unicode_script,
            "split_by_number": split_by_number,
            "split_digits": split_digits,
            "seed_size": seed_size,
            "shrinking_factor": shrinking_factor,
            "sub_iterations": sub_iterations,
            "token_cost": token_cost,
            "layout": layout,
            "template": layouts(template),
            "threads": threads,
            "memory_limit": memory_limit,
            "progress": tell,
        }
        _check_unigram(text, options)
        if isinstance(source, WordCounts):
            counts = source
        else:
            counts = count_unigram_words(
                source,
                files=files,
                field=field,
                column=column,
                unit=unit,
                normalization=normalization,
                add_dummy_prefix=add_dummy_prefix,
                remove_extra_whitespaces=remove_extra_whitespaces,
                split_by_whitespace=split_by_whitespace,
                threads=threads,
                memory_limit=memory_limit,
                progress=tell,
            )
        return _train_unigram(counts, text, options)
