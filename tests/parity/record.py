"""What has been compared already, and the matrix made of it."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tokmill._tokmill

from .compare import Agreement

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".cache" / "parity"
PAGE = ROOT / "docs" / "formats.md"
HEAD = [
    "| file | owner | compared | texts | MB | strings | ids | differ |",
    "|---|---|---|---:|---:|---:|---:|---:|",
]


def build() -> str:
    """What tells this build of the extension from others."""
    return hashlib.sha256(Path(tokmill._tokmill.__file__).read_bytes()).hexdigest()[:16]


@dataclass
class Record:
    """The comparisons of a vocabulary by one build with one release of its owner."""

    name: str
    file: str
    owner: str
    build: str
    decodes: bool
    texts: dict[str, dict] = field(default_factory=dict)
    """By name of the text, its length in bytes and how it agrees."""
    strings: dict | None = None

    @property
    def path(self) -> Path:
        return CACHE / f"{self.name.replace(' ', '_')}.json"

    def resumed(self) -> Record:
        """What was kept of the same comparison, or nothing yet."""
        kept = load(self.name)
        same = kept is not None and (kept.file, kept.owner, kept.build) == (self.file, self.owner, self.build)
        return kept if same and kept else self

    def keep(self) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1))
        unfinished.replace(self.path)

    def agreements(self) -> list[Agreement]:
        kept = [*self.texts.values(), *([self.strings] if self.strings else [])]
        return [Agreement(**one["agreement"]) for one in kept]

    @property
    def cell(self) -> str:
        """The name of the vocabulary in the matrix."""
        return f"`{self.file}`" + (", cased" if self.name.endswith(" cased") else "")

    def row(self) -> str:
        """The vocabulary's line of the matrix."""
        total = sum(self.agreements(), Agreement())
        differ = [f"{count} {what}" for what in ("ids", "offsets", "decoded") if (count := getattr(total, what))]
        spans = not self.owner.startswith(("tiktoken", "llama.cpp"))
        compared = "ids" + ", offsets" * spans + ", text" * self.decodes
        megabytes = sum(text["bytes"] for text in self.texts.values()) / 1e6
        strings = self.strings["agreement"]["documents"] if self.strings else 0
        cells = [
            self.cell,
            self.owner,
            compared,
            str(len(self.texts)),
            f"{megabytes:.1f}",
            f"{strings:,}",
            f"{total.tokens:,}",
            ", ".join(differ) or "0",
        ]
        return f"| {' | '.join(cells)} |"


def load(name: str) -> Record | None:
    """What was kept of a vocabulary."""
    path = CACHE / f"{name.replace(' ', '_')}.json"
    return Record(**json.loads(path.read_text())) if path.exists() else None


def matrix(records: Iterable[Record]) -> str:
    """The table of the page."""
    return "\n".join([*HEAD, *(record.row() for record in records)])


def rows(page: str) -> list[str]:
    """The rows of the matrix that stands on the page."""
    lines = page.splitlines()
    begin = lines.index(HEAD[0]) + len(HEAD)
    return list(itertools.takewhile(lambda line: line.startswith("|"), lines[begin:]))


def write(records: Iterable[Record]) -> None:
    """Puts the rows of these vocabularies on the page, in place of those before; the others stay."""
    page = PAGE.read_text()
    standing = rows(page)
    made = {record.cell: record.row() for record in records}
    kept = [made.pop(row.split(" | ")[0].removeprefix("| "), row) for row in standing]
    lines = page.splitlines()
    begin = lines.index(HEAD[0]) + len(HEAD)
    lines[begin : begin + len(standing)] = [*kept, *made.values()]
    PAGE.write_text("\n".join(lines) + "\n")
