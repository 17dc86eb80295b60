"""Real texts, and strings made of awkward fragments."""

from __future__ import annotations

import random

from conftest import DATA
from texts import FRAGMENTS

FOLDERS = ("text", "json", "parallel")


def files() -> list[str]:
    """The names of all texts, relative to the folder of data."""
    paths = (path for folder in FOLDERS for path in (DATA / folder).rglob("*") if path.is_file())
    return sorted(path.relative_to(DATA).as_posix() for path in paths)


def text(name: str, limit: int = -1) -> str:
    """The first `limit` bytes of a text, or all of it; bytes that are not UTF-8 are left out."""
    with (DATA / name).open("rb") as file:
        return file.read(limit).decode(errors="ignore")


def lines(text: str) -> list[str]:
    """The lines of a text, with their ends."""
    return text.splitlines(keepends=True)


def nasty(seed: str, count: int, extra: list[str]) -> list[str]:
    """Strings of up to twelve fragments: `extra` ones, awkward ones, slices of real text, and any characters."""
    generator = random.Random(seed)
    fragments = [*FRAGMENTS, *extra]
    source = text("text/multilingual.txt") if (DATA / "text/multilingual.txt").exists() else "".join(FRAGMENTS)

    def fragment() -> str:
        kind = generator.random()
        if kind < 0.8:
            return generator.choice(fragments)
        if kind < 0.95:
            begin = generator.randrange(len(source))
            return source[begin : begin + generator.randint(1, 12)]
        return _character(generator)

    return ["".join(fragment() for _ in range(generator.randint(0, 12))) for _ in range(count)]


def _character(generator: random.Random) -> str:
    code = generator.choice((generator.randrange(0x3000), generator.randrange(0x10000), generator.randrange(0x110000)))
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)
