"""Drawing the next byte from its distribution, and the masks that rule bytes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tokmill._tokmill import TokmillError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    BoolArray: TypeAlias = npt.NDArray[np.bool_]

Mask: TypeAlias = "Callable[[bytes], npt.ArrayLike]"
"""Called with the bytes drawn so far; returns bool[256] or bool[257] of what may come next, the end as the last."""


@dataclass(frozen=True)
class Sampler:
    """A draw from log-probabilities, over bytes or tokens alike."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < np.inf:
            raise TokmillError(f"temperature is {self.temperature}, not a number of at least 0")
        if self.top_k is not None and self.top_k < 1:
            raise TokmillError(f"top_k is {self.top_k}, not at least 1")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise TokmillError(f"top_p is {self.top_p}, not above 0 and at most 1")

    def probabilities(self, log_probs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what is drawn from; the input need not be normalised, but must not be minus infinity throughout."""
        if self.temperature == 0:
            result = np.zeros(len(log_probs))
            result[np.argmax(log_probs)] = 1
            return result
        weights: npt.NDArray[np.float64] = np.exp((log_probs - log_probs.max()) / self.temperature)
        if self.top_k is not None or self.top_p is not None:
            order = np.argsort(-weights, kind="stable")
            keep = len(order) if self.top_k is None else min(self.top_k, len(order))
            if self.top_p is not None:
                total = np.cumsum(weights[order[:keep]])
                keep = int(np.searchsorted(total, self.top_p * total[-1])) + 1
            weights[order[keep:]] = 0
        weights /= weights.sum()
        return weights

    def draw(self, log_probs: npt.NDArray[np.float64], generator: np.random.Generator) -> int:
        """Return an index."""
        # The inverse of the cumulative sum, and not `choice`, whose stream numpy may change.
        total = np.cumsum(self.probabilities(log_probs))
        return int(np.searchsorted(total, generator.random() * total[-1], side="right"))


class Drawing:
    """The bytes drawn after one prompt, and what may follow them."""

    def __init__(
        self,
        prompt: bytes,
        n_bytes: int,
        generator: np.random.Generator,
        sampler: Sampler,
        stops: Sequence[bytes],
        *,
        utf8: bool,
        mask: Mask | None,
    ) -> None:
        if not all(stops):
            raise TokmillError("a stop is empty")
        self.output = bytearray()
        self.finished = n_bytes <= 0
        self._prompt = prompt
        self._n_bytes = n_bytes
        self._generator = generator
        self._sampler = sampler
        self._stops = stops
        self._utf8 = utf8
        self._mask = mask

    def draw(self, log_probs: npt.NDArray[np.float64]) -> int | None:
        """Draw the next byte, or None for the end of the text."""
        allowed = self._allowed()
        masked = np.where(allowed, log_probs, -np.inf)
        if masked.max() == -np.inf:
            raise TokmillError(f"nothing that is allowed can follow {bytes(self._prompt[-20:] + self.output)[-20:]!r}")
        symbol = self._sampler.draw(masked, self._generator)
        if symbol == len(log_probs) - 1:
            self.finished = True
            return None
        self.output.append(symbol)
        stop = max((stop for stop in self._stops if self.output.endswith(stop)), key=len, default=b"")
        self.finished = bool(stop) or len(self.output) >= self._n_bytes
        del self.output[len(self.output) - len(stop) :]
        return symbol

    def _allowed(self) -> BoolArray:
        allowed = np.ones(257, dtype=bool)
        if self._utf8:
            tail = (self._prompt[-3:] + self.output)[-3:]
            allowed &= utf8_mask(tail, self._n_bytes - len(self.output))
        if self._mask is not None:
            given = np.asarray(self._mask(bytes(self.output)), dtype=bool)
            if given.shape not in {(256,), (257,)}:
                raise TokmillError(f"the mask returned an array of shape {given.shape}, not [256] or [257]")
            allowed[: len(given)] &= given
        return allowed


def utf8_mask(tail: bytes, room: int) -> BoolArray:
    """Return bool[257] of the bytes that keep a text valid UTF-8 and let its last character be finished.

    Bytes follow RFC 3629, section 4: no overlong forms, no surrogates, nothing above U+10FFFF. The end of the text is
    possible between characters.

    Args:
        tail: The last three bytes of the text, or all if it has fewer. Invalid bytes among them are over and done with.
        room: How many bytes may still come.
    """
    mask = np.zeros(257, dtype=bool)
    for length in range(1, min(3, len(tail)) + 1):
        begun = tail[-length:]
        for lead, seconds, size in _UTF8_FORMS:
            if begun[0] in lead and length < size:
                ranges = [seconds, *[_CONTINUATION] * (size - 2)]
                if all(byte in expected for byte, expected in zip(begun[1:], ranges, strict=False)):
                    expected = ranges[length - 1]
                    mask[expected.start : expected.stop] = size - length <= room
                    return mask
    mask[:0x80] = room >= 1
    for lead, _, size in _UTF8_FORMS:
        mask[lead.start : lead.stop] = size <= room
    mask[256] = True
    return mask


_CONTINUATION = range(0x80, 0xC0)
_UTF8_FORMS = [
    (range(0xC2, 0xE0), _CONTINUATION, 2),
    (range(0xE0, 0xE1), range(0xA0, 0xC0), 3),
    (range(0xE1, 0xED), _CONTINUATION, 3),
    (range(0xED, 0xEE), range(0x80, 0xA0), 3),
    (range(0xEE, 0xF0), _CONTINUATION, 3),
    (range(0xF0, 0xF1), range(0x90, 0xC0), 4),
    (range(0xF1, 0xF4), _CONTINUATION, 4),
    (range(0xF4, 0xF5), range(0x80, 0x90), 4),
]
"""Characters of several bytes: first bytes, second bytes, length."""
