"""Accelerated tokenizers in the processes of data loaders and of `datasets.map`, and under the hash of datasets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from accelerated import accelerated, original
from texts import CORPUS

torch = pytest.importorskip("torch")
datasets = pytest.importorskip("datasets")

TEXTS = [f"{text} {number}" for number in range(30) for text in CORPUS]


class Collate:
    """Makes a batch of texts a tensor of ids."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def __call__(self, texts: list[str]) -> Any:
        return self.tokenizer(texts, padding=True, return_tensors="pt")["input_ids"]


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.parametrize("used", [False, True])
def test_workers_of_a_data_loader(start: str, used: bool) -> None:
    tokenizer = accelerated("byte-level")
    if used:
        tokenizer(TEXTS * 20)  # Enough text for threads.
    loader = torch.utils.data.DataLoader(
        TEXTS, batch_size=64, num_workers=2, collate_fn=Collate(tokenizer), multiprocessing_context=start
    )
    found = list(loader)
    expected = [Collate(original("byte-level"))(TEXTS[at : at + 64]) for at in range(0, len(TEXTS), 64)]
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def encode(batch: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    return {"input_ids": tokenizer(batch["text"], truncation=True, max_length=50)["input_ids"]}


@pytest.mark.parametrize("processes", [None, 2])
def test_map_of_datasets(processes: int | None, tmp_path: Path) -> None:
    dataset = datasets.Dataset.from_dict({"text": TEXTS})
    options: dict[str, Any] = {"batched": True, "num_proc": processes}
    theirs = dataset.map(encode, fn_kwargs={"tokenizer": original("byte-level")}, **options)
    ours = dataset.map(encode, fn_kwargs={"tokenizer": accelerated("byte-level")}, **options)
    assert ours["input_ids"][:] == theirs["input_ids"][:]


HASH = """
from accelerated import accelerated
from datasets.fingerprint import Hasher
print(Hasher.hash(accelerated("bert")))
"""


def test_the_hash_is_that_of_another_process_and_stays() -> None:
    tokenizer = accelerated("bert")
    hashes = [datasets.fingerprint.Hasher.hash(tokenizer)]
    tokenizer(TEXTS, padding=True, truncation=True, max_length=20, return_tensors="pt")
    tokenizer.decode(tokenizer(TEXTS[0])["input_ids"])
    hashes.append(datasets.fingerprint.Hasher.hash(tokenizer))
    folders = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "tests")]
    code = f"import sys; sys.path[:0] = {folders!r}\n{HASH}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    hashes.append(done.stdout.split()[-1])
    assert len(set(hashes)) == 1
    tokenizer.add_tokens(["another"])
    assert datasets.fingerprint.Hasher.hash(tokenizer) != hashes[0]
