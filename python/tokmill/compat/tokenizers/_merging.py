"""The merge loop of the owner's `BpeTrainer`, over characters with or without affixes.

The most frequent pair is merged; of equal ones the one with the smaller ids. Counts are changed word by word, and pairs
wait in a heap with the count that they had when they were put there. The owner gives ids to characters with affixes in
the order of a hash table; here they come in the order of the words.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

Pair = tuple[int, int]


class _Tokens:
    """Strings and their ids."""

    def __init__(self, tokens: list[str]) -> None:
        self.strings = tokens
        self.ids = {token: id for id, token in enumerate(tokens)}

    def id(self, token: str) -> int:
        """The id of a string, which it is given if it has none."""
        if token not in self.ids:
            self.ids[token] = len(self.strings)
            self.strings.append(token)
        return self.ids[token]


def learn_merges(
    counts: Counter[str], specials: list[str], options: dict[str, Any]
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The vocabulary and the merges of words, which occur so often."""
    tokens = _Tokens(list(specials))
    for character in _alphabet(counts, options["initial_alphabet"], options["limit_alphabet"]):
        tokens.id(character)
    prefix, suffix = options["continuing_subword_prefix"] or "", options["end_of_word_suffix"] or ""
    words: list[list[int]] = []
    frequencies = []
    for word, count in sorted(counts.items()):
        last = len(word) - 1
        words.append(
            [
                tokens.id((prefix if at else "") + character + (suffix if at == last else ""))
                for at, character in enumerate(word)
                if character in tokens.ids
            ]
        )
        frequencies.append(count)
    merges = _Loop(words, frequencies, tokens, prefix, options).run()
    return dict(tokens.ids), merges


def _alphabet(counts: Counter[str], initial: list[str], limit: int | None) -> list[str]:
    seen: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            seen[character] += count
    kept = sorted(seen, key=lambda character: (-seen[character], character))
    kept = [*initial, *(character for character in kept if character not in set(initial))]
    if limit is not None:
        kept = kept[:limit]
    return sorted(kept)


class _Loop:
    def __init__(
        self, words: list[list[int]], frequencies: list[int], tokens: _Tokens, prefix: str, options: dict[str, Any]
    ) -> None:
        self._words = words
        self._frequencies = frequencies
        self._tokens = tokens
        self._prefix = prefix
        self._vocab_size = options["vocab_size"]
        self._least = max(options["min_frequency"], 1)
        self._longest: int | None = options.get("max_token_length")
        self._lengths = [[1] * len(word) for word in words] if self._longest is not None else []
        self._counts: defaultdict[Pair, int] = defaultdict(int)
        self._places: defaultdict[Pair, set[int]] = defaultdict(set)
        for number, word in enumerate(words):
            for pair in pairwise(word):
                self._counts[pair] += frequencies[number]
                self._places[pair].add(number)
        self._heap = [(-count, pair) for pair, count in self._counts.items()]
        heapq.heapify(self._heap)

    def run(self) -> list[tuple[str, str]]:
        """Merges until the vocabulary is full or no pair is frequent enough."""
        merges = []
        while len(self._tokens.ids) < self._vocab_size and self._heap:
            count, pair = heapq.heappop(self._heap)
            if -count != self._counts[pair]:
                if self._counts[pair] > 0:
                    heapq.heappush(self._heap, (-self._counts[pair], pair))
                continue
            if -count < self._least:
                break
            left, right = (self._tokens.strings[id] for id in pair)
            merges.append((left, right))
            self._merge(pair, self._tokens.id(left + right.removeprefix(self._prefix)))
        return merges

    def _merge(self, pair: Pair, made: int) -> None:
        changed: set[Pair] = set()
        for number in self._places.pop(pair, ()):
            for one, change in self._merge_word(number, pair, made):
                self._counts[one] += change * self._frequencies[number]
                if change > 0:
                    self._places[one].add(number)
                    changed.add(one)
        self._counts[pair] = 0
        for one in changed:
            if self._counts[one] > 0:
                heapq.heappush(self._heap, (-self._counts[one], one))

    def _merge_word(self, number: int, pair: Pair, made: int) -> list[tuple[Pair, int]]:
        """Merges a pair in a word, and says what pairs there are more or fewer of.

        Pairs that would become too long are not counted.
        """
        word, left, right = self._words[number], *pair
        lengths = self._lengths[number] if self._longest is not None else None
        longest = self._longest or 0
        changes: list[tuple[Pair, int]] = []
        at = 0
        while at + 1 < len(word):
            if word[at] != left or word[at + 1] != right:
                at += 1
                continue
            length = 0
            if lengths is not None:
                length = lengths[at] + lengths[at + 1]
                lengths[at : at + 2] = [length]
            if at > 0:
                changes.append(((word[at - 1], left), -1))
                if lengths is None or lengths[at - 1] + length < longest:
                    changes.append(((word[at - 1], made), 1))
            word[at : at + 2] = [made]
            if at + 1 < len(word):
                changes.append(((right, word[at + 1]), -1))
                if lengths is None or lengths[at + 1] + length < longest:
                    changes.append(((made, word[at + 1]), 1))
            at += 1
        return changes
