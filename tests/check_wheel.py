"""Checks an installed wheel from outside the checkout; `make wheel` runs it in a clean environment.

Standard library, numpy and the wheel are all that may be used here.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

import tokmill

CHECKOUT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Use the package and its command line."""
    package = Path(tokmill.__file__).resolve().parent
    assert CHECKOUT / "python" not in package.parents, f"the checkout was imported, not the wheel: {package}"
    assert (package / "py.typed").exists()
    assert list(package.glob("*.pyi"))

    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        corpus, tokenizer, shard = directory / "corpus.txt", directory / "tokenizer.json", directory / "shard.bin"
        corpus.write_bytes(text.encode())
        command("train", corpus, "--vocab-size", "400", "--out", tokenizer)
        command("encode", corpus, "--tokenizer", tokenizer, "--out", shard)
        assert command("decode", shard, "--tokenizer", tokenizer) == text.encode()
        loaded = tokmill.Tokenizer.from_file(tokenizer)
        assert np.array_equal(np.fromfile(shard, "<u2"), loaded.encode(text))
        for line in command("doctor", "--tokenizer", tokenizer).decode().splitlines():
            print(line)


def command(*arguments: object) -> bytes:
    """Run the installed `tokmill` and return what it prints."""
    program = Path(sysconfig.get_path("scripts"), "tokmill")
    done = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f"tokmill {arguments[0]} failed with status {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
