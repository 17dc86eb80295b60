"""Which packages make which corpus, which of their files are read, and how a file becomes text."""

from __future__ import annotations

import gzip
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.corpora import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A package and the texts in it."""

    package: str
    read: Callable[[Path], Iterator[str]]
    """From the unpacked package to its texts, in order of path."""
    script: str | None = None
    """Keep only lines of this script."""


def files(root: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Return the regular files with one of the suffixes, in order of path."""
    found = (
        path for path in root.rglob("*") if path.name.endswith(suffixes) and path.is_file() and not path.is_symlink()
    )
    return iter(sorted(found, key=lambda path: path.as_posix()))


def decode(data: bytes) -> str:
    """Return UTF-8 text, or nothing for a file that is something else."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def web_pages(root: Path) -> Iterator[str]:
    """The text of every web page."""
    for path in files(root, (".html",)):
        yield plain.from_html(decode(path.read_bytes()))


def manual_pages(root: Path) -> Iterator[str]:
    """The text of every manual page."""
    for path in files(root / "usr/share/man", (".gz",)):
        yield plain.from_manual(decode(gzip.decompress(path.read_bytes())))


def dictionary(root: Path) -> Iterator[str]:
    """The entries of a dictd dictionary."""
    for path in files(root, (".dict.dz",)):
        yield plain.tidy(gzip.decompress(path.read_bytes()).decode(errors="ignore"))


def rust_sources(root: Path) -> Iterator[str]:
    """Every Rust file."""
    for path in files(root, (".rs",)):
        yield decode(path.read_bytes())


def kernel_sources(root: Path) -> Iterator[str]:
    """Every C file of the kernel, in the order of its archive."""
    for archive in files(root / "usr/src", (".tar.xz",)):
        with tarfile.open(archive, "r|xz") as members:
            for member in members:
                if member.isfile() and member.name.endswith((".c", ".h")):
                    content = members.extractfile(member)
                    yield decode(content.read()) if content is not None else ""


ENGLISH = [
    Source("anarchism", web_pages),
    Source("dict-gcide", dictionary),
    Source("git-doc", web_pages),
    Source("linux-doc", web_pages),
    Source("manpages", manual_pages),
    Source("postgresql-doc", web_pages),
    Source("python3-doc", web_pages),
]

CODE = [Source("rust-src", rust_sources), Source("linux-source", kernel_sources)]

LANGUAGES = {
    "cyrillic": ["libreoffice-help-ru", "manpages-ru", "manpages-uk", "manpages-sr", "manpages-mk"],
    "devanagari": ["libreoffice-help-hi"],
    "greek": ["libreoffice-help-el", "manpages-el"],
    "han": ["libreoffice-help-zh-cn", "libreoffice-help-zh-tw", "manpages-zh"],
    "hangul": ["libreoffice-help-ko"],
    "japanese": ["libreoffice-help-ja", "manpages-ja"],
    "khmer": ["libreoffice-help-km"],
    "latin": ["libreoffice-help-cs", "libreoffice-help-de", "libreoffice-help-fi", "libreoffice-help-fr",
              "libreoffice-help-hu", "libreoffice-help-tr", "libreoffice-help-vi", "manpages-pl"],
    "tibetan": ["libreoffice-help-dz"],
}  # fmt: skip

OTHER_LANGUAGES = [
    Source(package, manual_pages if package.startswith("manpages") else web_pages, script)
    for script, packages in LANGUAGES.items()
    for package in packages
]
