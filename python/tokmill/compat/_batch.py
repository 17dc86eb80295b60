"""What the batch methods of the faces share: rows as lists, and the number of threads."""

from __future__ import annotations

import os
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tokmill import Ragged


def rows(batch: Ragged) -> list[list[int]]:
    """The rows of a batch as lists of Python integers."""
    values = batch.values.tolist()
    return [values[begin:end] for begin, end in pairwise(batch.offsets.tolist())]


def as_list(ids: npt.NDArray[np.uint32]) -> list[int]:
    """Ids as a list of Python integers."""
    found: list[int] = ids.tolist()
    return found


def threads(wanted: int) -> int | None:
    """How many threads the core should use: as many as suit the input, where `wanted` does not say fewer."""
    return None if wanted >= (os.cpu_count() or 1) else wanted
