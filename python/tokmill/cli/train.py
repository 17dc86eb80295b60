"""`tokmill train`: a tokenizer from a corpus, a byte-level BPE or a Unigram model."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tokmill
from tokmill.cli.options import add_command, add_input_options, add_threads_option, positive
from tokmill.cli.progress import Phases

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokmill.cli.options import Subparsers


def register(subparsers: Subparsers) -> None:
    """Describes the command."""
    parser = add_command(
        subparsers,
        "train",
        run,
        summary="train a tokenizer: byte-level BPE or Unigram",
        details="The same corpus and options give the same file, whatever the number of threads.",
        example="tokmill train corpus/*.txt --vocab-size 32000 --special-token '<|endoftext|>' --out tokenizer.json",
    )
    add_input_options(parser, unit="line")
    parser.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="FILE",
        help="where the tokenizer goes: .json, .tiktoken (bpe) or .model (unigram)",
    )
    parser.add_argument(
        "--model", choices=("bpe", "unigram"), default="bpe", help="the kind of model (default: %(default)s)"
    )
    parser.add_argument(
        "--vocab-size", type=positive, default=32_000, metavar="N", help="ids in all (default: %(default)s)"
    )
    parser.add_argument(
        "--special-token",
        action="append",
        default=[],
        dest="special_tokens",
        metavar="TEXT",
        help="a special token; may be given many times, ids in this order",
    )
    parser.add_argument("--template", metavar="LAYOUT", help="where special tokens go: '<|begin|> $A <|end|>'")
    _add_bpe_options(parser.add_argument_group("options of --model bpe"))
    _add_unigram_options(parser.add_argument_group("options of --model unigram"))
    add_threads_option(parser)


def _add_bpe_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--pattern",
        default="o200k_base",
        metavar="NAME",
        help="a pattern's name or a regular expression (default: %(default)s)",
    )
    group.add_argument(
        "--min-frequency",
        type=positive,
        default=2,
        metavar="N",
        help="merge pairs seen at least so often (default: %(default)s)",
    )
    group.add_argument("--max-token-bytes", type=positive, metavar="N", help="make no token of more bytes")
    group.add_argument("--max-token-chars", type=positive, metavar="N", help="make no token of more characters")
    group.add_argument("--normalizer", choices=("nfc",), help="what is done to the text first (default: nothing)")
    group.add_argument(
        "--initial-alphabet",
        choices=("bytes", "seen"),
        default="bytes",
        help="the bytes that have an id: all, or those of the corpus (default: %(default)s)",
    )
    group.add_argument(
        "--alphabet-order",
        choices=("gpt2", "bytes"),
        default="gpt2",
        help="the order of their ids, which decides ties (default: %(default)s)",
    )
    group.add_argument("--base", type=Path, metavar="FILE", help="a tokenizer to go on from, whose ids are kept")
    group.add_argument("--pad-to", type=positive, metavar="N", help="fill up with runs of blanks to exactly N ids")
    group.add_argument("--checkpoint", metavar="FILE", help="where merges are left, and taken up again")


def _add_unigram_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--normalization",
        choices=("identity", "nfc", "nfkc", "nmt_nfkc"),
        help="what is done to characters first (default: nmt_nfkc; identity for .model)",
    )
    group.add_argument(
        "--method", choices=("em", "score_pruning"), default="em", help="how pieces are removed (default: %(default)s)"
    )
    group.add_argument(
        "--character-coverage",
        type=float,
        default=0.9995,
        metavar="SHARE",
        help="the share of the text whose characters are pieces (default: %(default)s)",
    )
    group.add_argument(
        "--no-byte-fallback",
        dest="byte_fallback",
        action="store_false",
        help="give bytes no ids; what is not covered is unknown then",
    )
    group.add_argument(
        "--user-defined-symbol",
        action="append",
        default=[],
        dest="user_defined_symbols",
        metavar="TEXT",
        help="a token that is cut out of any text; may be given many times",
    )
    group.add_argument("--required-chars", default="", metavar="TEXT", help="characters that are pieces in any case")
    group.add_argument(
        "--max-piece-chars", type=positive, default=16, metavar="N", help="the longest pieces (default: %(default)s)"
    )
    group.add_argument(
        "--no-split-by-unicode-script",
        dest="split_by_unicode_script",
        action="store_false",
        help="let pieces hold several scripts",
    )
    group.add_argument(
        "--no-split-by-number", dest="split_by_number", action="store_false", help="let pieces hold letters and digits"
    )
    group.add_argument(
        "--no-split-by-whitespace", dest="split_by_whitespace", action="store_false", help="let pieces join words"
    )
    group.add_argument("--split-digits", action="store_true", help="make each digit a piece of its own")


def _trained(options: argparse.Namespace, phases: Phases) -> tokmill.Tokenizer:
    """The tokenizer that the options ask for."""
    _refuse_options_of_the_other_model(options)
    common: dict[str, Any] = {
        name: getattr(options, name)
        for name in ("files", "field", "column", "unit", "vocab_size", "template", "threads")
    }
    if options.model == "unigram":
        common |= {name: getattr(options, name) for name in _dests(_add_unigram_options)}
        is_model = Path(options.out).suffix == ".model"
        common["normalization"] = options.normalization or ("identity" if is_model else "nmt_nfkc")
        common["layout"] = "sentencepiece" if is_model else "tokenizers"
        if options.special_tokens:
            common["special_tokens"] = options.special_tokens
        return tokmill.train_unigram(progress=phases.update, **common)
    common |= {name: getattr(options, name) for name in _dests(_add_bpe_options)}
    common["base"] = None if options.base is None else tokmill.Tokenizer.from_file(options.base)
    return tokmill.train_bpe(special_tokens=options.special_tokens, progress=phases.update, **common)


def _refuse_options_of_the_other_model(options: argparse.Namespace) -> None:
    other, add = ("bpe", _add_bpe_options) if options.model == "unigram" else ("unigram", _add_unigram_options)
    for name, default in _dests(add).items():
        if getattr(options, name) != default:
            raise tokmill.TokmillError(f"option {name}: is for --model {other}")


def _dests(add: Callable[[argparse._ArgumentGroup], None]) -> dict[str, object]:
    """The names of a group's options, with their defaults."""
    parser = argparse.ArgumentParser(add_help=False)
    add(parser.add_argument_group())
    return vars(parser.parse_args([]))


def run(options: argparse.Namespace) -> None:
    """Trains, saves, and says how it went."""
    if not Path(options.out).absolute().parent.is_dir():
        raise FileNotFoundError(f"{options.out}: its directory does not exist")
    started = time.perf_counter()
    with Phases() as phases:
        tokenizer = _trained(options, phases)
    tokenizer.save(options.out)
    seconds = time.perf_counter() - started
    print(f"{tokenizer.vocab_size} ids in {seconds:.1f} s, saved to {options.out}", file=sys.stderr)
