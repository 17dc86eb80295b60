"""What the ids of unfinished text may become: the completions that `Encoding.encode_with_unstable` lists.

Every token that may straddle the end of the text is tried at every place where it fits, and what comes is encoded
again: the cost is that of encoding all tokens that begin with an end of the text. Described in `src/lib.rs` of
tiktoken, whose results these are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Continuations:
    """The vocabulary of an encoding, its tokens sorted, and the encoding's ways there and back."""

    ranks: dict[bytes, int]
    tokens: list[bytes]
    encode: Callable[[str], list[int]]
    encode_piece: Callable[[bytes], list[int]]
    decode: Callable[[int], bytes]

    def of(self, unstable: bytes) -> set[tuple[int, ...]]:
        """Ids that may come where text that begins with `unstable` is encoded.

        These are the tokens that begin with it; for each place within, what comes of all tokens that begin with the
        rest; and white space at the end on its own.
        """
        found: set[tuple[int, ...]] = {(self.ranks[token],) for token in self._tokens_with_prefix(unstable)}
        for place in range(1, len(unstable)):
            head = unstable[:place]
            for token in self._tokens_with_prefix(unstable[place:]):
                found.add(self._covering(self._reencoded(head + token), len(unstable)))
        last = _last_character(unstable)
        if last.isspace() and len(last.encode()) < len(unstable):
            cut = len(unstable) - len(last.encode())
            found.add((*self._merged(unstable[:cut]), *self._merged(unstable[cut:])))
        return found

    def _tokens_with_prefix(self, prefix: bytes) -> Iterable[bytes]:
        tokens = self.tokens
        for place in range(bisect_left(tokens, prefix), len(tokens)):
            if not tokens[place].startswith(prefix):
                return
            yield tokens[place]

    def _reencoded(self, data: bytes) -> list[int]:
        try:
            return self.encode(data.decode())
        except UnicodeDecodeError:
            return self._merged(data)

    def _merged(self, piece: bytes) -> list[int]:
        """The ids of one piece by merges alone, also where the piece is a token that no merges lead to."""
        ranks = self.ranks
        if len(piece) == 1 or piece not in ranks:
            return self.encode_piece(piece)
        parts = [piece[place : place + 1] for place in range(len(piece))]
        while len(parts) > 1:
            pairs = [ranks.get(left + right) for left, right in pairwise(parts)]
            best = min((rank for rank in pairs if rank is not None), default=None)
            if best is None:
                break
            place = pairs.index(best)
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        return [ranks[part] for part in parts]

    def _covering(self, ids: list[int], length: int) -> tuple[int, ...]:
        """The first of the ids, up to the one that reaches `length` bytes."""
        covered = 0
        for count, id in enumerate(ids, 1):
            covered += len(self.decode(id))
            if covered >= length:
                return tuple(ids[:count])
        return tuple(ids)


def _last_character(data: bytes) -> str:
    """The last character of bytes that end with one in UTF-8, else an empty string."""
    for length in range(1, min(4, len(data)) + 1):
        try:
            return data[-length:].decode()
        except UnicodeDecodeError:
            continue
    return ""
