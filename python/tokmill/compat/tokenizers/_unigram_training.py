"""The owner's way to a Unigram: from the repeated substrings of words down, by expectation and maximisation.

All pieces keep the number that they have among the seeds; what is dropped has no score any more. The arcs of a word,
all pieces that begin and end in it, are listed once. Where the owner goes through a hash table, single characters come
in order here, so that the same texts give the same model each time. Reference: T. Kudo, "Subword Regularization"
(2018).
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

Arc = tuple[int, int]
"""Where a piece begins, and its number."""

UNKNOWN = -1
"""The number of a character that is no piece."""

UNKNOWN_PENALTY = 10.0
LEAST_EXPECTED = 0.5
NOTHING = float("-inf")


def learn_pieces(counts: Counter[str], options: dict[str, Any]) -> tuple[list[tuple[str, float]], int | None]:
    """The pieces of a model with their scores, and the number of the unknown one."""
    words = [(word, count) for word, count in sorted(counts.items()) if word]
    required = sorted({character for word, _ in words for character in word} | set(options["initial_alphabet"]))
    if len(required) > options["vocab_size"]:
        raise Exception("The vocabulary is not large enough to contain all chars")
    training = _Training(words, _seeds(words, options), options)
    training.run()
    return _finished(training.pieces(), required, options)


def _seeds(words: list[tuple[str, int]], options: dict[str, Any]) -> list[tuple[str, float]]:
    """All characters, and the repeated substrings that gain most, with their scores."""
    characters: Counter[str] = Counter()
    for word, count in words:
        for character in word:
            characters[character] += count
    seeds = [(character, float(count)) for character, count in characters.items() if character != "\0"]
    seeds.sort(key=lambda seed: (seed[1], seed[0]), reverse=True)
    longest = options["max_piece_length"]
    found = _repeated("\0".join(word for word, _ in words) + "\0", longest)
    gains = sorted(((count * len(text), text) for text, count in found), reverse=True)
    seeds += [(text, float(gain)) for gain, text in gains[: max(options["seed_size"] - len(seeds), 0)]]
    total = math.log(sum(score for _, score in seeds)) if seeds else 0.0
    return [(text, math.log(score) - total) for text, score in seeds]


def _repeated(text: str, longest: int) -> list[tuple[str, int]]:
    """The substrings of two to `longest` characters that different ones follow, and how often they occur.

    They are the inner nodes of the suffix tree.
    """
    suffixes = sorted(text[at : at + longest + 1] for at in range(len(text)))
    found = []
    open_nodes: list[tuple[int, int]] = []  # depth, and the number of the first suffix below
    for number in range(1, len(suffixes) + 1):
        common = _common(suffixes[number - 1], suffixes[number]) if number < len(suffixes) else 0
        first = number - 1
        while open_nodes and open_nodes[-1][0] > common:
            depth, first = open_nodes.pop()
            node = suffixes[first][:depth]
            if 2 <= depth <= longest and "\0" not in node:
                found.append((node, number - first))
        if common and (not open_nodes or open_nodes[-1][0] < common):
            open_nodes.append((common, first))
    return found


def _common(left: str, right: str) -> int:
    length = min(len(left), len(right))
    return next((at for at in range(length) if left[at] != right[at]), length)


class _Training:
    def __init__(self, words: list[tuple[str, int]], seeds: list[tuple[str, float]], options: dict[str, Any]) -> None:
        self._options = options
        self._texts = [text for text, _ in seeds]
        self._numbers = {text: number for number, (text, _) in enumerate(seeds)}
        self._scores = [score for _, score in seeds]
        self._alive = list(range(len(seeds)))
        self._longest = max(map(len, self._texts), default=1)
        self._words = [(self._arcs(word), count) for word, count in words]

    def _arcs(self, word: str) -> list[list[Arc]]:
        """For each place, the pieces that end there."""
        arcs: list[list[Arc]] = [[] for _ in range(len(word) + 1)]
        for begin in range(len(word)):
            for end in range(begin + 1, min(begin + self._longest, len(word)) + 1):
                number = self._numbers.get(word[begin:end])
                if number is not None:
                    arcs[end].append((begin, number))
        return arcs

    def pieces(self) -> list[tuple[str, float]]:
        """The pieces that are left: those without an alternative first, then those that are missed most."""
        return [(self._texts[number], self._scores[number]) for number in self._alive]

    def run(self) -> None:
        """Maximises and drops by turns until there are few enough pieces."""
        wanted = self._options["vocab_size"] * 11 // 10
        while True:
            for _ in range(self._options["n_sub_iterations"]):
                self._maximise(self._expected())
            # The owner counts an unknown piece too.
            if len(self._alive) + 1 <= wanted:
                return
            before = len(self._alive)
            self._prune(wanted)
            if len(self._alive) == before:
                return

    def _unknown_score(self) -> float:
        return min((self._scores[number] for number in self._alive), default=0.0) - UNKNOWN_PENALTY

    def _live(self, arcs: list[list[Arc]], unknown: float) -> list[list[tuple[int, int, float]]]:
        """The arcs of pieces that are left, with their scores; characters that are no piece are unknown."""
        scores = self._scores
        found = []
        for end, ending in enumerate(arcs):
            live = [(begin, number, scores[number]) for begin, number in ending if scores[number] != NOTHING]
            if end and not any(begin == end - 1 for begin, _, _ in live):
                live.append((end - 1, UNKNOWN, unknown))
            found.append(live)
        return found

    def _expected(self) -> list[float]:
        """How often each piece is expected in the words."""
        expected = [0.0] * len(self._texts)
        unknown = self._unknown_score()
        for arcs, count in self._words:
            live = self._live(arcs, unknown)
            size = len(live)
            forward = [NOTHING] * size
            forward[0] = 0.0
            for end in range(1, size):
                forward[end] = _log_sum([forward[begin] + score for begin, _, score in live[end]])
            backward = [NOTHING] * size
            backward[-1] = 0.0
            for end in range(size - 1, 0, -1):
                for begin, _, score in live[end]:
                    backward[begin] = _log_add(backward[begin], score + backward[end])
            for end in range(1, size):
                for begin, number, score in live[end]:
                    if number != UNKNOWN:
                        share = math.exp(forward[begin] + score + backward[end] - forward[-1])
                        expected[number] += count * share
        return expected

    def _maximise(self, expected: list[float]) -> None:
        kept = [number for number in self._alive if expected[number] >= LEAST_EXPECTED]
        total = _digamma(sum(expected[number] for number in kept)) if kept else 0.0
        self._scores = [NOTHING] * len(self._scores)
        for number in kept:
            self._scores[number] = _digamma(expected[number]) - total
        self._alive = kept

    def _best(self, live: list[list[tuple[int, int, float]]], *, whole: bool = True) -> tuple[float, list[int]]:
        """The best way through a word, as the numbers of its pieces; without the word itself where not `whole`."""
        size = len(live)
        best: list[tuple[float, int, int]] = [(0.0, 0, UNKNOWN)]
        for end in range(1, size):
            chosen = (NOTHING, 0, UNKNOWN)
            for begin, number, score in live[end]:
                if not whole and begin == 0 and end == size - 1:
                    continue
                if best[begin][0] + score > chosen[0]:
                    chosen = (best[begin][0] + score, begin, number)
            best.append(chosen)
        if best[-1][0] == NOTHING:
            return NOTHING, []
        path = []
        at = size - 1
        while at:
            _, begin, number = best[at]
            path.append(number)
            at = begin
        return best[-1][0], path[::-1]

    def _prune(self, wanted: int) -> None:
        """Drops the pieces that the words can do without most easily."""
        unknown = self._unknown_score()
        alternatives: dict[int, list[int]] = {}
        replaceable = set()
        for number in self._alive:
            text = self._texts[number]
            score, path = self._best(self._live(self._arcs(text), unknown), whole=False)
            if score == NOTHING:
                continue
            if score > self._scores[number]:
                replaceable.add(number)
            else:
                alternatives[number] = path
        frequencies = [0.0] * len(self._texts)
        appearances = [0.0] * len(self._texts)
        unknowns = 0.0
        total = 0.0
        for arcs, count in self._words:
            total += count
            for number in self._best(self._live(arcs, unknown))[1]:
                if number == UNKNOWN:
                    unknowns += count
                else:
                    frequencies[number] += count
                    appearances[number] += count
        kept, losses = self._losses(alternatives, replaceable, frequencies, unknowns, total)
        # The owner's list begins with an unknown piece.
        size = max(wanted, int((len(self._alive) + 1) * self._options["shrinking_factor"])) - 1
        losses.sort(key=lambda loss: -loss[0])
        kept += [number for _, number in losses[: max(size - len(kept), 0)]]
        dropped = set(self._alive) - set(kept)
        self._alive = kept
        for number in dropped:
            self._scores[number] = NOTHING

    def _losses(
        self,
        alternatives: dict[int, list[int]],
        replaceable: set[int],
        frequencies: list[float],
        unknowns: float,
        total: float,
    ) -> tuple[list[int], list[tuple[float, int]]]:
        """The pieces without an alternative, and how much the others are missed."""
        kept, losses = [], []
        used = sum(frequencies) + unknowns
        for number in self._alive:
            frequency = frequencies[number]
            if number in replaceable and frequency == 0.0:
                continue
            path = alternatives.get(number)
            if not path:
                kept.append(number)
            elif frequency > 0.0:
                after = math.log(used + frequency * (len(path) - 1))
                instead = sum(
                    math.log((unknowns if other == UNKNOWN else frequencies[other]) + frequency) - after
                    for other in path
                )
                losses.append((frequency / total * (math.log(frequency) - math.log(used) - instead), number))
        return kept, losses


def _finished(
    pieces: list[tuple[str, float]], required: list[str], options: dict[str, Any]
) -> tuple[list[tuple[str, float]], int | None]:
    """The vocabulary: special tokens, then the characters that must be there and the best pieces."""
    specials = [token.content for token in options["special_tokens"]]
    unknown = options["unk_token"]
    unk_id = None
    if unknown is not None:
        if unknown not in specials:
            specials.insert(0, unknown)
        unk_id = specials.index(unknown)
    known = dict(pieces)
    lowest = min(known.values(), default=0.0)
    chosen = {}
    missing = 0
    for character in required:
        if character in known:
            chosen[character] = known[character]
        else:
            chosen[character] = lowest + 0.0001 * missing
            missing += 1
    room = options["vocab_size"] - len(specials)
    for text, score in pieces:
        if len(chosen) >= room and text not in chosen:
            break
        chosen.setdefault(text, score)
    ordered = sorted(chosen.items(), key=lambda piece: -piece[1])
    return [*((token, 0.0) for token in specials), *ordered], unk_id


def _log_add(left: float, right: float) -> float:
    if left == NOTHING:
        return right
    larger, smaller = max(left, right), min(left, right)
    return larger + math.log1p(math.exp(smaller - larger)) if smaller != NOTHING else larger


def _log_sum(values: list[float]) -> float:
    larger = max(values, default=NOTHING)
    if larger == NOTHING:
        return NOTHING
    return larger + math.log(sum(math.exp(value - larger) for value in values))


def _digamma(x: float) -> float:
    """The logarithmic derivative of the gamma function."""
    result = 0.0
    while x < 7.0:
        result -= 1.0 / x
        x += 1.0
    x -= 0.5
    square = 1.0 / x / x
    series = square / 24.0 - 7.0 * square**2 / 960.0 + 31.0 * square**3 / 8064.0 - 127.0 * square**4 / 30720.0
    return result + math.log(x) + series
