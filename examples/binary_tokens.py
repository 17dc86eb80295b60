"""Train on programs of this machine and show tokens as hex and text: `binary_tokens.py [FOLDER] [BYTES] [IDS]`.

Without arguments a few of Python's own extension modules serve.
"""

import sys
import sysconfig
from pathlib import Path

import numpy as np

import tokmill

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(sysconfig.get_path("platstdlib"), "lib-dynload")
most_bytes = int(sys.argv[2]) if len(sys.argv) > 2 else 4_000_000
ids = int(sys.argv[3]) if len(sys.argv) > 3 else 4096

programs, size = [], 0
for path in [*sorted(folder.rglob("*")), Path(sys.executable).resolve()]:
    if path.is_file() and not path.is_symlink() and size < most_bytes:
        programs.append(path)
        size += path.stat().st_size
tokenizer = tokmill.train_binary_bpe(programs, ids)
print(f"trained on {len(programs)} files, {size / 1e6:.1f} MB: {len(tokenizer)} ids")


def show(id: int, note: str) -> None:
    """Print an entry as hex and, where it has any, as text."""
    entry = tokenizer.token_bytes(id)
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in entry)
    print(f"  {id:6}  {entry.hex(' '):47}  {text:16}  {note}")


uses = np.zeros(len(tokenizer), np.int64)
for path in programs:
    uses += np.bincount(tokenizer.encode(path.read_bytes()), minlength=len(tokenizer))

print("the most used entries of four bytes or more")
lengths = np.array([len(tokenizer.token_bytes(id)) for id in range(len(tokenizer))])
lengths[list(tokenizer.special_tokens.values())] = 0
for id in sorted(np.flatnonzero(lengths >= 4), key=lambda id: -uses[id])[:10]:
    show(int(id), f"{uses[id]} times")

print("the longest entries")
for id in sorted(np.flatnonzero(uses), key=lambda id: (-lengths[id], -uses[id]))[:10]:
    show(int(id), f"{lengths[id]} bytes, {uses[id]} times")

print(f"bytes per token {size / uses.sum():.2f}; entries used {np.count_nonzero(uses)} of {len(tokenizer)}")
