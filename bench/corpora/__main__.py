"""Make the corpora under `.cache/corpora`: `python -m bench.corpora [NAME ...]`, all by default.

- `english.txt`: dictionaries, manuals and essays, markup stripped, about 130 MB.
- `code.txt`: the kernel in C and Rust's library.
- `languages.txt`: help and manuals in other languages, line by line in their own script.
- `mixed.txt`: the first 10^9 bytes of English and code, in blocks of 1 MB by turns while both last.

A corpus that is there is left alone. `manifest.json` lists sizes and SHA-256 digests of the corpora and of the packages
they were made from, so that two machines can tell whether they measured the same text. Without apt nothing is made,
which is said; the cases of `cases.toml` need none of these.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from typing import TYPE_CHECKING

from bench.cases import CACHE
from bench.corpora import debian, plain, recipes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

CORPORA = CACHE / "corpora"
PACKAGES = CORPORA / "packages"
MIXED_BYTES = 1_000_000_000
BLOCK_BYTES = 1_000_000


def main() -> None:
    """Make what is missing and write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=list(MAKERS))
    names = parser.parse_args().names or list(MAKERS)
    CORPORA.mkdir(parents=True, exist_ok=True)
    try:
        archive = debian.Archive(PACKAGES)
        for name in names:
            make(name, archive)
    except debian.Unavailable as reason:
        print(f"corpora: {reason}. What needs them is measured on the texts of TOKMILL_DATA.", file=sys.stderr)
    write_manifest()


def make(name: str, archive: debian.Archive) -> Path:
    """Return a corpus, made unless it is there."""
    target = CORPORA / f"{name}.txt"
    if not target.exists():
        print(f"making {target.name}", file=sys.stderr)
        partial = target.with_suffix(".partial")
        with partial.open("wb") as out:
            MAKERS[name](out, archive)
        partial.replace(target)
    return target


def write_sources(sources: list[recipes.Source], out: BinaryIO, archive: debian.Archive) -> None:
    """Write the texts of packages, one package after the other. One that this release of Debian lacks is left out."""
    written = 0
    for source in sources:
        try:
            package = archive.fetch(source.package)
        except debian.Unavailable as reason:
            print(f"  left out: {reason}", file=sys.stderr)
            continue
        root = archive.unpack(package)
        size = 0
        for text in source.read(root):
            kept = plain.in_script(text, source.script) if source.script else text
            size += out.write(kept.encode())
        shutil.rmtree(root)
        print(f"  {package.name}: {size / 1e6:.1f} MB", file=sys.stderr)
        written += size
    if written == 0:
        raise debian.Unavailable("no package could be fetched")


def write_mixed(out: BinaryIO, archive: debian.Archive) -> None:
    """Write blocks of English and code by turns, cut between lines, until one gigabyte or the end of both."""
    parts = [make(name, archive).open("rb") for name in ("english", "code")]
    left = MIXED_BYTES
    while parts and left > 0:
        for part in list(parts):
            block = (part.read(BLOCK_BYTES) + part.readline())[:left]
            left -= out.write(block)
            if not block:
                part.close()
                parts.remove(part)


MAKERS: dict[str, Callable[[BinaryIO, debian.Archive], None]] = {
    "english": lambda out, archive: write_sources(recipes.ENGLISH, out, archive),
    "code": lambda out, archive: write_sources(recipes.CODE, out, archive),
    "languages": lambda out, archive: write_sources(recipes.OTHER_LANGUAGES, out, archive),
    "mixed": write_mixed,
}


def write_manifest() -> None:
    """Describe the corpora and the packages that are there."""
    corpora = {path.name: debian.describe(path) for path in sorted(CORPORA.glob("*.txt"))}
    packages = {path.name: debian.describe(path) for path in sorted(PACKAGES.glob("*.deb"))}
    manifest = json.dumps({"corpora": corpora, "packages": packages}, indent=2)
    (CORPORA / "manifest.json").write_text(manifest + "\n", encoding="utf-8")
    for name, facts in corpora.items():
        print(f"{name:16} {facts['bytes']:>12} bytes  sha256 {facts['sha256']}")


if __name__ == "__main__":
    main()
