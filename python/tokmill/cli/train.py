"""`tokmill train`: a tokenizer from a corpus: words, superwords, raw bytes, a Unigram or a WordPiece model."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tokmill
from tokmill.cli.options import add_command, add_input_options, add_threads_option, positive

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokmill.cli.options import Subparsers

_TRAINERS: dict[str, Callable[..., tokmill.Tokenizer]] = {
    "bpe": tokmill.train_bpe,
    "superbpe": tokmill.train_superbpe,
    "binary": tokmill.train_binary_bpe,
    "unigram": tokmill.train_unigram,
    "wordpiece": tokmill.train_wordpiece,
}

_BPE = ("min_frequency", "max_token_bytes", "pad_to")
_TEXT = (*_BPE, "field", "column", "normalizer", "max_token_chars", "initial_alphabet", "alphabet_order", "base")
_TAKES = {
    "bpe": (*_TEXT, "pattern", "checkpoint"),
    "superbpe": (*_TEXT, "pattern", "second_pattern", "transition", "max_words", "checkpoint"),
    "binary": (*_BPE, "chunk_bytes", "entropy", "split", "split_probability", "seed", "token_lengths", "checkpoint"),
    "unigram": (
        *("field", "column", "normalization", "method", "character_coverage", "byte_fallback", "user_defined_symbols"),
        *("required_chars", "max_piece_chars", "split_by_unicode_script", "split_by_number", "split_by_whitespace"),
        *("split_digits", "token_cost"),
    ),
    "wordpiece": (
        *("field", "column", "min_frequency", "max_token_chars", "lowercase", "strip_accents", "limit_alphabet"),
        "unk_token",
    ),
}
"""The options that not every model takes."""


def register(subparsers: Subparsers) -> None:
    """Describes the command."""
    parser = add_command(
        subparsers,
        "train",
        run,
        summary="train a tokenizer",
        details="The same corpus and options give the same file, whatever the number of threads.",
        example="tokmill train corpus/*.txt --vocab-size 32000 --special-token '<|endoftext|>' --out tokenizer.json\n"
        "  tokmill train corpus/*.txt --model superbpe --vocab-size 64000 --transition 50000 --out tokenizer.json\n"
        "  tokmill train /usr/bin /usr/lib --model binary --out tokenizer.json\n"
        "  tokmill train corpus/*.txt --model unigram --vocab-size 32000 --out unigram.model",
    )
    add_input_options(parser, unit="line")
    parser.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="FILE",
        help="where the tokenizer goes: .json, .tiktoken or (unigram) .model",
    )
    parser.add_argument(
        "--model",
        choices=tuple(_TRAINERS),
        default="bpe",
        help="tokens inside words, across words too, of raw bytes, or a Unigram or WordPiece model "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--vocab-size",
        type=positive,
        metavar="N",
        help="ids in all (default: 32000; superbpe 200000; binary 65536; wordpiece 30000)",
    )
    parser.add_argument(
        "--special-token",
        action="append",
        dest="special_tokens",
        metavar="TEXT",
        help="a special token; may be given many times, ids in this order",
    )
    parser.add_argument(
        "--min-frequency", type=positive, metavar="N", help="merge pairs seen at least so often (default: 2; binary 4)"
    )
    parser.add_argument(
        "--max-token-bytes", type=positive, metavar="N", help="make no token of more bytes (default: none; binary 16)"
    )
    parser.add_argument("--template", metavar="LAYOUT", help="where special tokens go: '<|begin|> $A <|end|>'")
    parser.add_argument("--pad-to", type=positive, metavar="N", help="fill up with runs of blanks to exactly N ids")
    parser.add_argument(
        "--memory-limit", type=positive, metavar="BYTES", help="put what does not fit into temporary files"
    )
    parser.add_argument(
        "--progress",
        choices=("bar", "json", "none"),
        default="bar",
        help="a bar on a terminal, lines of JSON on standard error, or nothing (default: %(default)s)",
    )
    _add_text_options(parser.add_argument_group("bpe and superbpe"))
    _add_superword_options(parser.add_argument_group("superbpe"))
    _add_binary_options(parser.add_argument_group("binary"))
    _add_unigram_options(parser.add_argument_group("unigram"))
    _add_wordpiece_options(parser.add_argument_group("wordpiece"))
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="where merges are left, and taken up again (bpe, superbpe, binary)"
    )
    add_threads_option(parser)


def _add_text_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--pattern",
        metavar="NAME",
        help="a pattern's name or a regular expression (default: o200k_base; superbpe superbpe)",
    )
    group.add_argument(
        "--max-token-chars", type=positive, metavar="N", help="make no token of more characters (wordpiece too)"
    )
    group.add_argument(
        "--normalizer", choices=("nfc", "nfd", "nfkc", "nfkd"), help="what is done to the text first (default: nothing)"
    )
    group.add_argument(
        "--initial-alphabet",
        choices=("bytes", "seen"),
        help="the bytes that have an id: all, or those of the corpus (default: bytes)",
    )
    group.add_argument(
        "--alphabet-order",
        choices=("gpt2", "bytes"),
        help="the order of their ids, which decides ties (default: gpt2)",
    )
    group.add_argument("--base", type=Path, metavar="FILE", help="a tokenizer to go on from, whose ids are kept")


def _add_superword_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--transition", type=positive, metavar="N", help="ids of the first stage (default: 180000)")
    group.add_argument("--second-pattern", metavar="NAME", help="the pattern of the second stage (default: superbpe_2)")
    group.add_argument("--max-words", type=positive, metavar="N", help="words of a superword at the most (default: 4)")


def _add_binary_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--chunk-bytes", type=int, metavar="N", help="bytes of a chunk, 0 for whole files (default: 8192)"
    )
    group.add_argument(
        "--entropy",
        type=float,
        nargs=2,
        metavar=("LEAST", "MOST"),
        help="leave out chunks of other entropies, in bits per byte",
    )
    group.add_argument("--split", choices=("nul", "whitespace"), help="cut chunks further (default: no)")
    group.add_argument(
        "--split-probability", type=float, metavar="P", help="with which each of these cuts is made (default: 1)"
    )
    group.add_argument("--seed", type=int, metavar="N", help="another seed draws other cuts (default: 0)")
    group.add_argument(
        "--token-lengths", type=positive, nargs="+", metavar="N", help="the lengths in bytes that a merge may make"
    )


def _add_unigram_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--normalization",
        choices=("identity", "nfc", "nfkc", "nmt_nfkc"),
        help="what is done to characters first (default: nmt_nfkc)",
    )
    group.add_argument(
        "--method", choices=("em", "score_pruning", "mingram"), help="how pieces are chosen (default: em)"
    )
    group.add_argument(
        "--character-coverage",
        type=float,
        metavar="SHARE",
        help="the share of the text whose characters are pieces (default: 0.9995)",
    )
    group.add_argument(
        "--user-defined-symbol",
        action="append",
        dest="user_defined_symbols",
        metavar="TEXT",
        help="a token that is cut out of any text; may be given many times",
    )
    group.add_argument("--required-chars", metavar="TEXT", help="characters that are pieces in any case")
    group.add_argument("--max-piece-chars", type=positive, metavar="N", help="the longest pieces (default: 16)")
    group.add_argument(
        "--token-cost", type=float, metavar="NATS", help="what pruning gives for a token less (default: 8)"
    )
    for name, effect in (
        ("byte-fallback", "give bytes no ids; what is not covered is unknown then"),
        ("split-by-unicode-script", "let pieces hold several scripts"),
        ("split-by-number", "let pieces hold letters and digits"),
        ("split-by-whitespace", "let pieces join words"),
    ):
        flag = f"--no-{name}"
        group.add_argument(flag, dest=name.replace("-", "_"), action="store_const", const=False, help=effect)
    group.add_argument("--split-digits", action="store_const", const=True, help="make each digit a piece of its own")


def _add_wordpiece_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--cased",
        dest="lowercase",
        action="store_const",
        const=False,
        help="keep capitals and accents, which are put into lower case and dropped else",
    )
    group.add_argument(
        "--strip-accents", action=argparse.BooleanOptionalAction, help="drop accents (default: unless --cased)"
    )
    group.add_argument(
        "--limit-alphabet", type=positive, metavar="N", help="keep the N most frequent characters (default: all)"
    )
    group.add_argument("--unk-token", metavar="TEXT", help="one of the special tokens (default: [UNK])")


def run(options: argparse.Namespace) -> None:
    """Trains, saves, and says how it went."""
    if not Path(options.out).absolute().parent.is_dir():
        raise FileNotFoundError(f"{options.out}: its directory does not exist")
    arguments = _arguments(options)
    started = time.perf_counter()
    progress = None if options.progress == "none" else options.progress
    tokenizer = _TRAINERS[options.model](**arguments, progress=progress)
    tokenizer.save(options.out)
    seconds = time.perf_counter() - started
    print(f"{tokenizer.vocab_size} ids in {seconds:.1f} s, saved to {options.out}", file=sys.stderr)


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    """What the trainer is called with. Options that are not given are left to it."""
    model = options.model
    common = ("vocab_size", "special_tokens", "template", "memory_limit")
    names = (*common, "threads", *dict.fromkeys(name for names in _TAKES.values() for name in names))
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    for name in given:
        if name not in _TAKES[model] and any(name in others for others in _TAKES.values()):
            raise tokmill.TokmillError(f"--{name.replace('_', '-')} is no option of --model {model}")
    if "base" in given:
        given["base"] = tokmill.Tokenizer.from_file(given["base"])
    if model == "binary":
        return given | {"paths": options.files}
    if model == "unigram" and Path(options.out).suffix == ".model":
        given = {"layout": "sentencepiece"} | given
    if model == "superbpe" and not given.keys().isdisjoint({"pattern", "second_pattern"}):
        given["patterns"] = (given.pop("pattern", "superbpe"), given.pop("second_pattern", "superbpe_2"))
    return given | {"files": options.files, "unit": options.unit}
