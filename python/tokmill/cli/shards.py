"""Files of token ids: raw little-endian integers (`.bin`) and numpy arrays (`.npy`), written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

import tokmill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["ShardWriter", "dtype_for", "is_shard", "read_shard", "replacing"]

_NPY_HEADER_BYTES = 128


def is_shard(path: str) -> bool:
    """Whether the name says that the file holds ids."""
    return path.endswith((".bin", ".npy"))


def dtype_for(vocab_size: int, requested: str | None) -> np.dtype[Any]:
    """The requested width of ids, or the narrower one of uint16 and uint32 that holds the vocabulary."""
    narrow = vocab_size <= 1 << 16
    if requested == "uint16" and not narrow:
        raise tokmill.TokmillError(f"ids of a vocabulary of {vocab_size} do not fit into uint16; use uint32")
    return np.dtype(requested or ("uint16" if narrow else "uint32")).newbyteorder("<")


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends well, and leaves nothing when it does not.

    `-` is standard output; a device or pipe is written directly, since it cannot be replaced.
    """
    if path == "-":
        yield sys.stdout.buffer
        return
    target = Path(path).resolve()
    if target.is_dir():
        raise IsADirectoryError(f"{path}: is a directory")
    if target.exists() and not target.is_file():
        with target.open("wb") as device:
            yield device
        return
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


class ShardWriter:
    """Appends ids to an open file, as `.bin` or `.npy` by the suffix of `path`."""

    def __init__(self, file: BinaryIO, path: str, dtype: np.dtype[Any]) -> None:
        self.ids_written = 0
        self._file = file
        self._dtype = dtype
        self._npy = path.endswith(".npy")
        if self._npy:
            file.write(self._header())

    def write(self, ids: NDArray[np.uint32]) -> None:
        """Appends ids."""
        self._file.write(ids.astype(self._dtype, copy=False).data)
        self.ids_written += len(ids)

    def finish(self) -> None:
        """Puts the number of ids into the header of an `.npy` file."""
        if self._npy:
            self._file.seek(0)
            self._file.write(self._header())

    def _header(self) -> bytes:
        # Version 1.0 of numpy's format, padded to a fixed size: it is written again once the length is known.
        fields = f"{{'descr': '{self._dtype.str}', 'fortran_order': False, 'shape': ({self.ids_written},), }}"
        magic = b"\x93NUMPY\x01\x00"
        room = _NPY_HEADER_BYTES - len(magic) - 2
        return magic + room.to_bytes(2, "little") + fields.ljust(room - 1).encode("ascii") + b"\n"


def read_shard(path: str, vocab_size: int, requested: str | None) -> NDArray[np.unsignedinteger[Any]]:
    """The ids of a file that `tokmill encode --out` has written, as a view of the file."""
    if path.endswith(".npy"):
        try:
            ids = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise tokmill.TokmillError(f"{path}: {error}") from error
        if ids.ndim != 1 or ids.dtype.kind not in "ui":
            raise tokmill.TokmillError(f"{path}: holds {ids.dtype} of shape {ids.shape}, not a line of ids")
        return ids  # type: ignore[no-any-return]
    dtype = dtype_for(vocab_size, requested)
    size = Path(path).stat().st_size
    if size % dtype.itemsize:
        raise tokmill.TokmillError(f"{path}: {size} bytes are not a whole number of {dtype.name} ids")
    return np.memmap(path, dtype=dtype, mode="r") if size else np.empty(0, dtype)
