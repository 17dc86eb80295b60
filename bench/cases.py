"""The cases of `cases.toml`, and the texts that they name."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = ROOT / ".cache"
DATA = Path(os.environ.get("TOKMILL_DATA", ROOT.parent / "shared" / "data"))
"""Real vocabularies and texts, which are not part of the project."""

PREFIX_BYTES = 1_000_000
"""How much of a text `Case.tokens` counts."""


@dataclass(frozen=True)
class Case:
    """A text and a vocabulary; `cases.toml` describes the fields."""

    text: str
    vocabulary: str
    tokens: int
    tokens_whole: int
    pattern: str | None = None
    bytes: bool = False
    quick: bool = False
    kinds: tuple[str, ...] = ("document",)
    full_kinds: tuple[str, ...] = ()

    def __str__(self) -> str:
        form = "_model" if self.vocabulary.endswith(".model") else ""
        return f"{stem(self.vocabulary)}{form}-{stem(self.text)}"

    @property
    def present(self) -> bool:
        """Whether both files are in the data directory."""
        return (DATA / self.text).exists() and (DATA / self.vocabulary).exists()

    def document(self, limit: int | None = None) -> str | bytes:
        """The text, whole or its first `limit` bytes without an unfinished character; bytes where the case says so."""
        return read_text(DATA / self.text, limit, binary=self.bytes)


def read_text(path: Path, limit: int | None, *, binary: bool) -> str | bytes:
    """Return the first `limit` bytes of a file."""
    with path.open("rb") as file:
        data = file.read(limit if limit is not None else -1)
    return data if binary else data.decode(errors="ignore")


def stem(path: str) -> str:
    """Return a file's name up to the first dot; that of its directory where every such file is named alike."""
    name = Path(path).name.split(".")[0]
    return Path(path).parent.name if name == "tokenizer" else name


def load_table() -> dict[str, list[dict]]:
    """Return `cases.toml` as it stands."""
    return tomllib.loads((HERE / "cases.toml").read_text(encoding="utf-8"))


def load_cases() -> list[Case]:
    """Return all cases in the order of the file."""
    return [
        Case(**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()})
        for row in load_table()["case"]
    ]
