"""Every public name has a docstring and a type, and the types are those of the extension."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import tokmill

if TYPE_CHECKING:
    from pathlib import Path

SNIPPET = """
import numpy as np
import numpy.typing as npt
import tokmill

tokenizer = tokmill.Tokenizer.from_file("tokenizer.json", pattern="gpt2", special_tokens={"<|x|>": 7})
ids: npt.NDArray[np.uint32] = tokenizer.encode("text", allowed_special={"<|x|>"}, add_special_tokens=True)
batch: tokmill.Ragged = tokenizer.encode_batch([b"text", "text", memoryview(b"text")], max_length=5, pairs=iter("abc"))
row: npt.NDArray[np.uint32] = batch[0]
some: tokmill.Ragged = batch[1:]
padded, mask = batch.to_padded(pad_id=0, length=5, side="left")
both: tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]] = tokenizer.encode_with_offsets("text", unit="byte")
text: str = tokenizer.decode(ids) + tokenizer.decode([1, 2]) + tokenizer.decode_batch(batch)[0]
stream: tokmill.DecodeStream = tokenizer.stream()
parts: list[str] = [stream.push(id) for id in ids]
same: tokmill.Tokenizer = tokenizer.truncated(400).with_special_tokens({"<|x|>": 7})
engine = tokmill.ByteEngine(tokenizer, semantics="all", beam=5)
lm = tokmill.ByteLM(engine, tokmill.NgramModel(tokenizer.vocab_size, order=2).fit([ids]), prefix_ids=[7])
log_probs: npt.NDArray[np.float64] = lm.next("text") + lm.next_batch([b"text", lm.start(b"te")])[0]
joined = tokmill.Ensemble([lm, tokmill.Ensemble([lm])], mode="product", weights=[1, 2])
bits: float = joined.score("text", prompt=joined.start(b"te"), end=True).bits_per_byte
drawn: bytes = joined.sample(5, prompt="text", stop=["x", b"y"], utf8=True, mask=lambda output: [True] * 256)
cover: npt.NDArray[np.uint32] = lm.sample_cover(b"te", seed=1)
try:
    tokenizer.token_bytes(5)
except tokmill.UnknownId as error:
    problem: tokmill.TokmillError = error
"""

MISUSE = """
import tokmill

tokenizer = tokmill.Tokenizer()
tokenizer.encode(5)
tokenizer.encode("text", allowed_special=5)
tokenizer.encode("text", "all")
tokenizer.decode("text")
tokenizer.encode_with_offsets("text", unit="line")
tokenizer.encode_batch(["text"]).to_padded(side="up")
tokenizer.vocab_size = 5
tokmill.Ensemble([], mode="median")
tokmill.ByteEngine(tokenizer, semantics="some")
tokenizer.nothing
"""


def public_names() -> list[tuple[str, object]]:
    names = [(name, getattr(tokmill, name)) for name in tokmill.__all__ if name != "__version__"]
    members = [
        (f"{name}.{member}", getattr(value, member))
        for name, value in names
        if inspect.isclass(value) and not issubclass(value, Exception)
        for member in vars(value)
        if not member.startswith("_")
    ]
    return names + members


@pytest.mark.parametrize(("name", "value"), public_names(), ids=lambda value: value if isinstance(value, str) else "")
def test_docstrings(name: str, value: object) -> None:
    documentation = inspect.getdoc(value)
    assert documentation, f"{name} has no docstring"
    assert documentation[0].isupper() or documentation[0] == "`"
    assert re.search(r"\.(\n|$)|:\s", documentation), f"{name}: the docstring is no sentence"


def test_all_is_complete() -> None:
    assert sorted(tokmill.__all__) == tokmill.__all__ or sorted(tokmill.__all__, key=str.casefold) == tokmill.__all__
    exported = {
        name for name, value in vars(tokmill).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert exported | {"__version__"} == set(tokmill.__all__)


def mypy(*arguments: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("mypy", reason="mypy is not installed: types are checked by `make lint`")
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_the_stub_says_what_the_extension_has() -> None:
    done = mypy("mypy.stubtest", "tokmill._tokmill", "--ignore-missing-stub", "--concise")
    assert done.returncode == 0, done.stdout + done.stderr


def test_use_type_checks(tmp_path: Path) -> None:
    path = tmp_path / "snippet.py"
    path.write_text(SNIPPET, encoding="utf-8")
    done = mypy("mypy", "--strict", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_misuse_does_not(tmp_path: Path) -> None:
    path = tmp_path / "misuse.py"
    path.write_text(MISUSE, encoding="utf-8")
    done = mypy("mypy", "--strict", str(path))
    wrong_lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert wrong_lines == {number for number, line in enumerate(MISUSE.splitlines(), start=1) if number >= 5 and line}
