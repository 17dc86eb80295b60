"""Compares whole texts and many strings: `python -m parity [NAME or FILE ...]`, with `tests` on the path.

Each text is compared as one document, in which special tokens are ordinary text, and line by line, with special tokens.
What was compared is kept under `.cache/parity` and not compared again by the same build, so a run that was stopped, or
that `--seconds` ended, goes on where it was. When all is compared, `--write` puts it into docs/formats.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

# The owners' own threads gain little here, and the machine may be shared.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from dataclasses import asdict

from . import documents, record, vocabularies
from .compare import Agreement, Pair

STRINGS = 100_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m parity", description=__doc__)
    parser.add_argument("names", nargs="*", help="vocabularies, or files of .json, .model and .gguf; all known ones")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="stop after the comparison that is due then"
    )
    parser.add_argument("--strings", type=int, default=STRINGS, help="how many strings are made for each vocabulary")
    parser.add_argument("--fresh", action="store_true", help="forget what was compared before")
    parser.add_argument("--list", action="store_true", help="say what was compared, and end")
    parser.add_argument("--write", action="store_true", help="write the matrix, if all is compared")
    options = parser.parse_args()
    known = vocabularies.KNOWN
    for name in options.names:
        if name not in known and not Path(name).is_file():
            parser.error(f"{name} is neither a file nor one of {', '.join(known)}")
    chosen = {name: known.get(name) or vocabularies.of_file(Path(name)) for name in options.names or known}
    if not options.list:
        deadline = time.monotonic() + options.seconds
        for name, vocabulary in chosen.items():
            try:
                _compare(name, vocabulary, deadline, options)
            except ImportError as error:
                print(f"{name}: its owner is absent ({error})")
            except TimeoutError:
                print(f"{name}: to be continued")
                return 3
    loaded = {name: record.load(Path(name).name) for name in chosen}
    whole = set(documents.files())
    kept = {name: entry for name, entry in loaded.items() if entry and entry.strings and whole <= entry.texts.keys()}
    print(record.matrix(kept.values()))
    wrong = [agreement.example for entry in kept.values() for agreement in entry.agreements() if not agreement]
    print("\n".join(wrong))
    absent = [name for name in chosen if name not in kept]
    if absent:
        print(f"not compared: {', '.join(absent)}")
    if options.write:
        record.write(kept.values())
    return 1 if wrong or absent else 0


def _compare(name: str, vocabulary: vocabularies.Vocabulary, deadline: float, options: argparse.Namespace) -> None:
    pair = Pair(vocabulary)
    entry = record.Record(
        Path(name).name, _relative(vocabulary.path), pair.owner.name, record.build(), pair.owner.decodes
    )
    if not options.fresh:
        entry = entry.resumed()
    for text in documents.files():
        if text not in entry.texts:
            _check(deadline)
            began = time.monotonic()
            content = documents.text(text)
            agreement = pair.compare([content], specials=False)
            agreement += pair.compare(documents.lines(content), specials=True)
            entry.texts[text] = {"bytes": len(content.encode()), "agreement": asdict(agreement)}
            entry.keep()
            _tell(name, text, agreement, time.monotonic() - began)
    if entry.strings is None or entry.strings["agreement"]["documents"] < options.strings:
        _check(deadline)
        began = time.monotonic()
        strings = documents.nasty(name, options.strings, pair.fragments())
        agreement = pair.compare(strings, specials=True)
        entry.strings = {"agreement": asdict(agreement)}
        entry.keep()
        _tell(name, "strings", agreement, time.monotonic() - began)


def _relative(path: Path) -> str:
    root = vocabularies.VOCABULARIES
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError


def _tell(name: str, what: str, agreement: Agreement, seconds: float) -> None:
    state = "equal" if agreement else f"DIFFERS: {agreement.example}"
    print(f"{name}: {what}: {agreement.tokens:,} ids in {seconds:.1f} s: {state}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
