"""The BPE trainer as a textbook has it: count every pair afresh for every merge."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Model: TypeAlias = "tuple[list[bytes], list[tuple[int, int]]]"
"""Entries by id, and merges."""


def train(
    pieces: Iterable[bytes],
    start: Model,
    vocab_size: int,
    min_frequency: int = 2,
    allowed: Callable[[bytes], bool] = lambda entry: True,
) -> Model:
    """Goes on from `start`, whose merges are applied in order, until the vocabulary is full or no pair is left."""
    entries, merges = [*start[0]], [*start[1]]
    rows = [([entries.index(bytes([byte])) for byte in piece], count) for piece, count in Counter(pieces).items()]
    for left, right in merges:
        _apply(rows, left, right, entries.index(entries[left] + entries[right]))
    while len(entries) < vocab_size:
        counts: Counter[tuple[int, int]] = Counter()
        for row, count in rows:
            for at in range(len(row) - 1):
                counts[row[at], row[at + 1]] += count
        candidates = [(-count, pair) for pair, count in counts.items() if allowed(entries[pair[0]] + entries[pair[1]])]
        negative, (left, right) = min(candidates, default=(0, (0, 0)))
        if -negative < max(min_frequency, 1):
            break
        entries.append(entries[left] + entries[right])
        merges.append((left, right))
        _apply(rows, left, right, len(entries) - 1)
    return entries, merges


def _apply(rows: list[tuple[list[int], int]], left: int, right: int, result: int) -> None:
    for row, _ in rows:
        at = 0
        while at + 1 < len(row):
            if row[at : at + 2] == [left, right]:
                row[at : at + 2] = [result]
            at += 1


def train_characters(
    words: dict[str, int],
    specials: list[str],
    more: int,
    *,
    min_frequency: int,
    prefix: str,
    suffix: str,
    limit_alphabet: int | None,
    max_token_chars: int | None,
) -> tuple[list[str], list[tuple[int, int]], int]:
    """Entries and merges over characters, `more` merged entries at the most, and the entries that makes at the most.

    "z" is in the initial alphabet.
    """
    seen: Counter[str] = Counter()
    for word, count in words.items():
        for letter in word:
            seen[letter] += count
    seen["z"] = 1 << 60
    alphabet = sorted(sorted(seen, key=lambda letter: (-seen[letter], letter))[:limit_alphabet])
    entries = [*dict.fromkeys([*specials, *alphabet])]
    rows: list[tuple[list[int], int]] = []
    for word in sorted(words, key=str.encode):
        row = []
        for at, letter in enumerate(word):
            if letter in entries:
                spelled = (prefix if at else "") + letter + (suffix if at == len(word) - 1 else "")
                if spelled not in entries:
                    entries.append(spelled)
                row.append(entries.index(spelled))
        rows.append((row, words[word]))
    lengths = {id: 1 for row, _ in rows for id in row}
    merges: list[tuple[int, int]] = []
    end = len(entries) + more
    while len(entries) < end:
        counts: Counter[tuple[int, int]] = Counter()
        for row, count in rows:
            for pair in pairwise(row):
                if lengths[pair[0]] + lengths[pair[1]] <= (max_token_chars or 99):
                    counts[pair] += count
        negative, (left, right) = min(((-count, pair) for pair, count in counts.items()), default=(0, (0, 0)))
        if -negative < min_frequency:
            break
        spelled = entries[left] + entries[right].removeprefix(prefix)
        if spelled not in entries:
            entries.append(spelled)
        result = entries.index(spelled)
        lengths.setdefault(result, lengths[left] + lengths[right])
        merges = [merge for merge in merges if merge != (left, right)] + [(left, right)]
        for row, _ in rows:
            at = 0
            while at + 1 < len(row):
                if row[at : at + 2] == [left, right]:
                    row[at : at + 2] = [result]
                at += 1
    return entries, merges, end
