"""Reading documents out of files: text, JSON lines and Parquet, compressed or not.

A document is a byte string. One is held in memory at a time (a group of rows for Parquet), so files may be larger than
memory as long as a single document is not.
"""

from __future__ import annotations

import glob
import gzip
import importlib
import io
import json
import os
import sys
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar, cast

from tokmill._tokmill import TokmillError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Documents", "batched", "expand"]

_JSON_LINES = {".jsonl", ".ndjson"}


_Document = TypeVar("_Document", bytes, str | bytes)


def batched(documents: Iterable[_Document], max_bytes: int = 8 << 20) -> Iterator[list[_Document]]:
    """The documents in lists of about `max_bytes` together, at least one document each."""
    batch: list[_Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= max_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class Documents:
    """The documents of some files, in order.

    Args:
        paths: Files, or globs of files; `-` is standard input.
        field: The field of JSON lines that holds the text. Given, input without a telling suffix is JSON lines too.
        column: The column of Parquet files that holds the text.
        unit: What a document of a text file is: a `"line"` with its ending, or the whole `"file"`.

    Iterating gives the documents as bytes, and raises `TokmillError` with file and line on what cannot be read.
    A missing file is an `OSError` at once.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        field: str | None = None,
        column: str | None = None,
        unit: Literal["line", "file"] = "line",
    ) -> None:
        self.paths = [path for name in paths for path in expand(name)]
        self._field = field
        self._column = column
        self._unit = unit
        self._finished_bytes = 0
        self._open_file: BinaryIO | None = None
        # Missing files are found before work begins, not after hours of it.
        sizes = [Path(path).stat().st_size for path in self.paths if path != "-"]
        self.total_bytes: int | None = sum(sizes) if len(sizes) == len(self.paths) else None

    @property
    def position(self) -> int:
        """Bytes of the files that have been read, before decompression."""
        if self._open_file is None or not self._open_file.seekable():
            return self._finished_bytes
        return self._finished_bytes + self._open_file.tell()

    def __iter__(self) -> Iterator[bytes]:
        self._finished_bytes = 0
        for path in self.paths:
            try:
                yield from self._documents_of(path)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise TokmillError(f"{path}: damaged gzip: {error}") from error

    def batches(self, max_bytes: int = 8 << 20) -> Iterator[list[bytes]]:
        """The documents in lists of about `max_bytes` together, at least one document each."""
        return batched(self, max_bytes)

    def _documents_of(self, path: str) -> Iterator[bytes]:
        with ExitStack() as stack:
            file = sys.stdin.buffer if path == "-" else stack.enter_context(Path(path).open("rb"))
            self._open_file = file
            try:
                name, plain = _decompressed(path, file)
                suffix = Path(name).suffix.lower()
                if suffix == ".parquet":
                    yield from self._parquet_documents(path, plain)
                elif suffix in _JSON_LINES or (self._field is not None and suffix not in {".txt", ".md"}):
                    yield from self._json_documents(path, plain)
                elif self._unit == "file":
                    yield plain.read()
                else:
                    yield from plain
                self._finished_bytes = self.position
            finally:
                self._open_file = None

    def _json_documents(self, path: str, file: Iterable[bytes]) -> Iterator[bytes]:
        if self._field is None:
            raise TokmillError(f"{path}: JSON lines need the name of the field that holds the text")
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise TokmillError(f"{path}:{number}: not JSON: {error}") from error
            if not isinstance(record, dict) or self._field not in record:
                raise TokmillError(f"{path}:{number}: no field {self._field!r}")
            yield _as_bytes(record[self._field], f"{path}:{number}: field {self._field!r}")

    def _parquet_documents(self, path: str, file: BinaryIO) -> Iterator[bytes]:
        if self._column is None:
            raise TokmillError(f"{path}: Parquet needs the name of the column that holds the text")
        try:
            parquet = importlib.import_module("pyarrow.parquet")
        except ImportError as error:
            raise TokmillError(f"{path}: Parquet needs pyarrow: pip install 'tokmill[arrow]'") from error
        try:
            table = parquet.ParquetFile(file)
        except ValueError as error:
            raise TokmillError(f"{path}: {error}") from error
        if self._column not in table.schema_arrow.names:
            raise TokmillError(f"{path}: no column {self._column!r} (there are: {', '.join(table.schema_arrow.names)})")
        row = 0
        for group in table.iter_batches(batch_size=1024, columns=[self._column]):
            for value in group.column(0).to_pylist():
                yield _as_bytes(value, f"{path}: row {row} of column {self._column!r}")
                row += 1


def expand(name: str | os.PathLike[str]) -> list[str]:
    """The file of this name, or else the files that match it as a glob, in order. No match is an `OSError`."""
    name = os.fspath(name)
    if os.path.lexists(name) or not glob.has_magic(name):
        return [name]
    paths = sorted(path for path in glob.iglob(name, recursive=True) if Path(path).is_file())  # noqa: PTH207
    if not paths:
        raise FileNotFoundError(f"no file matches {name!r}")
    return paths


def _decompressed(path: str, file: BinaryIO) -> tuple[str, BinaryIO]:
    """The name without a suffix that tells of compression, and what to read from."""
    stem, suffix = os.path.splitext(path)  # noqa: PTH122 (a path may be "-")
    match suffix.lower():
        case ".gz":
            return stem, cast("BinaryIO", gzip.GzipFile(fileobj=file))
        case ".zst":
            try:
                zstd = importlib.import_module("compression.zstd")
            except ImportError as error:
                raise TokmillError(f"{path}: reading .zst needs Python 3.14 or newer; decompress it first") from error
            return stem, cast("BinaryIO", io.BufferedReader(zstd.ZstdFile(file)))
        case _:
            return path, file


def _as_bytes(value: object, where: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TokmillError(f"{where}: {'null' if value is None else type(value).__name__}, not text")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise TokmillError(f"{where}: lone surrogate at character {error.start}") from error
