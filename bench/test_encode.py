"""Encoding through the Python face, beside the library that owns the tokenizer, on the cases of `cases.toml`.

A case is one document of real text and one thread. Every library has its tokens counted before it is timed, so a wrong
run has no speed. Texts are cut to 1 MB so that slow peers finish soon; `TOKMILL_BENCH=full` takes them whole.
"""

from __future__ import annotations

import gzip
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from pytest_benchmark.fixture import BenchmarkFixture

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("TOKMILL_DATA", HERE.parents[1] / "shared" / "data"))
WHOLE = os.environ.get("TOKMILL_BENCH") == "full"


@dataclass(frozen=True)
class Case:
    """A row of `cases.toml`, described there."""

    text: str
    vocabulary: str
    tokens: int
    tokens_whole: int
    pattern: str | None = None

    def __str__(self) -> str:
        return f"{Path(self.vocabulary).name.split('.')[0]}-{Path(self.text).name.split('.')[0]}"

    def document(self) -> str:
        """The text, whole or cut where a character begins."""
        data = (DATA / self.text).read_bytes()
        return (data if WHOLE else data[:1_000_000]).decode(errors="ignore")

    def tokmill(self) -> Callable[[str], Sized]:
        """Return tokmill's encode."""
        tokenizer = tokmill.Tokenizer.from_file(DATA / self.vocabulary, pattern=self.pattern)
        return lambda text: tokenizer.encode(text, threads=1)

    def owner(self) -> Callable[[str], Sized]:
        """Return the encode of the library that owns the format."""
        path = DATA / self.vocabulary
        if self.pattern is None:
            tokenizers = pytest.importorskip("tokenizers")
            data = path.read_bytes()
            peer = tokenizers.Tokenizer.from_buffer(gzip.decompress(data) if path.suffix == ".gz" else data)
            return lambda text: peer.encode(text, add_special_tokens=False).ids
        tiktoken = pytest.importorskip("tiktoken")
        load = pytest.importorskip("tiktoken.load")
        encoding = tiktoken.Encoding(
            str(self),
            pat_str=tokmill.patterns()[self.pattern][0],
            mergeable_ranks=load.load_tiktoken_bpe(str(path)),
            special_tokens={},
        )
        return lambda text: encoding.encode_ordinary(text)


CASES = [Case(**row) for row in tomllib.loads((HERE / "cases.toml").read_text(encoding="utf-8"))["case"]]


@pytest.mark.parametrize("engine", ["tokmill", "owner"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_encode(benchmark: BenchmarkFixture, case: Case, engine: str) -> None:
    if not (DATA / case.text).exists():
        pytest.skip(f"{case.text} is not in {DATA}")
    encode = getattr(case, engine)()
    text = case.document()
    assert len(encode(text)) == (case.tokens_whole if WHOLE else case.tokens)
    benchmark.group = str(case)
    benchmark.extra_info["bytes"] = len(text.encode())
    benchmark.pedantic(encode, args=(text,), rounds=3, warmup_rounds=0)
