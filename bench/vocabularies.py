"""A vocabulary in every form that some peer reads, kept under `.cache/vocabularies`.

The owner's file is unpacked. Where the owner has no tokenizer.json, tokmill writes one, with the regular expression in
the spelling that the Hub's files use: several peers know that spelling and no other. Ids are compared afterwards, so a
form that is not true to the owner's shows as wrong ids.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.cases import CACHE, DATA, load_table, stem
from bench.peers.interface import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from bench.cases import Case


@dataclass(frozen=True)
class Vocabulary:
    """Where the forms of one vocabulary are; None where it has no such form."""

    name: str
    source: str
    """The owner's file, unpacked."""
    owner: str
    """The peer whose ids are the reference."""
    pattern: str | None = None
    """The pattern's name, for a source that does not hold it."""
    scheme: str | None = None
    """The family that peers with bundled vocabularies know it by."""
    json: str | None = None
    tiktoken: str | None = None
    tekken: str | None = None
    sentencepiece: str | None = None
    regex: str | None = None
    """The pattern as one regular expression, for readers of `tiktoken`."""

    def require_json(self) -> str:
        """Return the path of the tokenizer.json, or refuse."""
        if self.json is None:
            raise Refused("it reads tokenizer.json only")
        return self.json

    def only_json(self) -> Vocabulary:
        """Return the vocabulary as if the owner had published a tokenizer.json alone."""
        source = self.require_json()
        return replace(self, source=source, owner="tokenizers", pattern=None, tiktoken=None, scheme=None)

    def only_tiktoken(self) -> Vocabulary:
        """Return the vocabulary as a rank file alone, the pattern known by name."""
        return replace(self, json=None)


def prepare(case: Case) -> Vocabulary:
    """Make the forms of a case's vocabulary that are not there yet."""
    import tokmill

    rows = {row["file"]: row for row in load_table()["vocabulary"]}
    row = rows.get(case.vocabulary, {})
    name = stem(case.vocabulary)
    source = unpack(DATA / case.vocabulary)
    scheme = row.get("scheme")
    patterns = tokmill.patterns()
    regexes = patterns.get(scheme, [])
    ranks = row.get("tiktoken", case.vocabulary if case.vocabulary.endswith(".tiktoken") else None)
    is_tekken = row.get("tekken", False)
    is_json = ".json" in case.vocabulary and not is_tekken
    is_model = case.vocabulary.endswith(".model") and ranks is None
    published = patterns[row["published_pattern"]][0] if "published_pattern" in row else None
    model = case.vocabulary if is_model else row.get("sentencepiece")
    return Vocabulary(
        name=name,
        source=str(source),
        owner="tokenizers" if is_json else "sentencepiece" if is_model else "tiktoken",
        pattern=case.pattern,
        scheme=scheme,
        json=None if is_model else str(source if is_json else write_json(name, source, case.pattern, published)),
        tiktoken=str(DATA / ranks) if ranks else None,
        tekken=str(source) if is_tekken else None,
        sentencepiece=str(DATA / model) if model else None,
        regex=regexes[0] if len(regexes) == 1 else None,
    )


def unpack(path: Path) -> Path:
    """Return the file itself, or an unpacked copy of a .gz."""
    if path.suffix != ".gz":
        return path
    target = directory() / f"{path.parent.name}_{path.stem}"
    if not target.exists() or target.stat().st_mtime < path.stat().st_mtime:
        target.write_bytes(gzip.decompress(path.read_bytes()))
    return target


def write_json(name: str, source: Path, pattern: str | None, published: str | None) -> Path:
    """Return the vocabulary as tokenizer.json, its regular expression replaced by the `published` spelling."""
    import tokmill

    target = directory() / f"{name}.made.json"
    tokmill.Tokenizer.from_file(source, pattern=pattern).save(target)
    if published is not None:
        file = json.loads(target.read_text(encoding="utf-8"))
        file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = published
        target.write_text(json.dumps(file, ensure_ascii=False), encoding="utf-8")
    return target


def directory() -> Path:
    """Return where the forms are kept."""
    path = CACHE / "vocabularies"
    path.mkdir(parents=True, exist_ok=True)
    return path
