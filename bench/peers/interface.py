"""What every peer is reduced to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Refused(Exception):
    """A peer has no way to take this vocabulary or input; the message says why."""


def to_array(result: Any) -> np.ndarray:
    """The ids of one document, from an array, a list, or an object with `ids`."""
    return np.asarray(getattr(result, "ids", result), dtype=np.uint32)


def rows_to_array(results: Sequence[Any]) -> np.ndarray:
    """The ids of a batch, one document after the other."""
    rows = [to_array(result) for result in results]
    return np.concatenate(rows) if rows else np.zeros(0, dtype=np.uint32)


@dataclass(frozen=True)
class Encoder:
    """Calls of a loaded peer, each on one thread and without special tokens.

    `encode` and `encode_batch` are timed and return whatever the library returns. `ids` and `batch_ids` turn that into
    uint32, outside the clock: an object that holds its ids is not charged for handing them over as a list.
    """

    encode: Callable[[Any], Any]
    encode_batch: Callable[[list[str]], Any] | None = None
    encode_short: Callable[[str], Any] | None = None
    """The faster call for a text of a few words, where it is another one."""
    ids: Callable[[Any], np.ndarray] = to_array
    batch_ids: Callable[[Any], np.ndarray] = rows_to_array
    takes_bytes: bool = False
    """Whether `encode` takes arbitrary bytes; the others get them as latin-1 text."""
