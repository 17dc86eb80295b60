"""Make the corpora that benchmarks read, under `.cache/corpora`, from what the machine has.

- `python_stdlib.txt`: the sources of Python's standard library.
- The texts of the data directory (`TOKMILL_DATA`, else `shared/data` beside the checkout), linked.

A corpus that is there is left alone. `manifest.json` lists sizes and SHA-256 digests, so that two machines can tell
whether they measured the same text.
"""

from __future__ import annotations

import hashlib
import json
import os
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPORA = ROOT / ".cache" / "corpora"


def main() -> None:
    """Make what is missing and write the manifest."""
    CORPORA.mkdir(parents=True, exist_ok=True)
    if not (CORPORA / "python_stdlib.txt").exists():
        write_standard_library(CORPORA / "python_stdlib.txt")
    for source in sorted((data_directory() / "text").glob("*.txt")):
        link = CORPORA / source.name
        if not link.exists():
            link.symlink_to(source.resolve())
    files = {path.name: describe(path) for path in sorted(CORPORA.glob("*.txt"))}
    (CORPORA / "manifest.json").write_text(json.dumps(files, indent=2) + "\n", encoding="utf-8")
    for name, facts in files.items():
        print(f"{name:32} {facts['bytes']:>12} bytes  sha256 {facts['sha256']}")


def data_directory() -> Path:
    """Where real vocabularies and texts may be."""
    return Path(os.environ.get("TOKMILL_DATA", ROOT.parent / "shared" / "data"))


def write_standard_library(target: Path) -> None:
    """Concatenate the source files that are UTF-8, in order of path."""
    partial = target.with_suffix(".partial")
    with partial.open("wb") as out:
        for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
            if {"site-packages", "dist-packages"}.isdisjoint(path.parts):
                content = path.read_bytes()
                try:
                    content.decode()
                except UnicodeDecodeError:
                    continue
                out.write(content)
    partial.replace(target)


def describe(path: Path) -> dict[str, int | str]:
    """Size and digest of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


if __name__ == "__main__":
    main()
