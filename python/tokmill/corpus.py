"""A corpus for training, wherever it lies, and how it is fed to a counter."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tokmill._tokmill import WordCounts
from tokmill.documents import Documents, batched, expand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokmill._tokmill import WordCounter
    from tokmill.progress import Tell

__all__ = ["Corpus", "Files", "Source", "Unit", "warn_of_long_pieces"]

Source: TypeAlias = Any
"""A corpus; see `train_bpe`."""

Files: TypeAlias = "Iterable[str | os.PathLike[str]]"

Unit: TypeAlias = Literal["line", "file", "document"]

_LONG_PIECE = 1 << 20


@dataclass(frozen=True)
class Corpus:
    """The documents of a source or of files; the fields are the options of `train_bpe`."""

    source: Source
    files: Files | None = None
    field: str | None = None
    column: str | None = None
    unit: Unit = "line"

    def feed(self, counter: WordCounter, tell: Tell | None) -> None:
        """Counts all documents."""
        if isinstance(self.source, WordCounts):
            raise TypeError("the source is counts already")
        paths = self._paths()
        if paths is not None:
            self._feed_files(paths, counter, tell)
        elif hasattr(self.source, "__arrow_c_array__") or hasattr(self.source, "__arrow_c_stream__"):
            counter.push(self.source)
        else:
            done = 0
            for part in _batches(self.source):
                counter.push(part)
                done += sum(map(len, part))
                _tell(tell, done, None)

    def _feed_files(self, paths: list[str], counter: WordCounter, tell: Tell | None) -> None:
        parquet = [path for path in paths if _is_parquet(path)]
        others = [path for path in paths if not _is_parquet(path)]
        if others:
            counter.push_files(others, unit=self.unit, field=self.field, progress=tell)
        if parquet:
            documents = Documents(parquet, column=self.column)
            for batch in documents.batches():
                lines = (line for document in batch for line in io.BytesIO(document))
                counter.push(lines if self.unit == "line" else batch)
                _tell(tell, documents.position, documents.total_bytes)

    def _paths(self) -> list[str] | None:
        """The files of a corpus; `None` if it does not lie in files."""
        if (self.source is None) == (self.files is None):
            raise TypeError("a corpus is either a source or files=[...]")
        files = self.files
        if files is None:
            if isinstance(self.source, str | os.PathLike):
                files = [self.source]
            elif isinstance(self.source, list | tuple) and self.source and isinstance(self.source[0], os.PathLike):
                files = self.source
            else:
                return None
        return [path for name in files for path in expand(name)]


def warn_of_long_pieces(counts: WordCounts) -> None:
    """Says what is coming where nothing cuts the text into pieces of ordinary length."""
    if (longest := counts.longest) >= _LONG_PIECE:
        warnings.warn(
            f"pieces of up to {longest} bytes are trained on, which takes time and memory for all of the text and not "
            "for its distinct words; a pattern= that cuts text, or shorter documents, make it faster",
            UserWarning,
            stacklevel=3,
        )


def _is_parquet(path: str) -> bool:
    return Path(path).suffix.lower() == ".parquet"


def _tell(tell: Tell | None, done: int, total: int | None) -> None:
    if tell is not None:
        tell("count", done, total)


def _batches(documents: Iterable[str | bytes]) -> Iterator[list[str | bytes]]:
    """The documents in lists of a few megabytes."""
    if isinstance(documents, bytes | bytearray | memoryview):
        raise TypeError("expected an iterable of documents, not one document")
    return batched(documents)
