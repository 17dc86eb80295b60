"""From the sequences of a call to its encodings: truncation, post-processor and padding, for each row or for all."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from . import _lengths, processors
from ._batch import Plan, Row, Source
from ._encoding import Encoding


class Finishing(NamedTuple):
    """What becomes of encoded sequences."""

    processor: processors.PostProcessor | None
    truncation: dict[str, Any] | None
    padding: dict[str, Any] | None
    add_special_tokens: bool

    def limit(self, pair: bool) -> int:
        """How many tokens of its sequences a row may have."""
        assert self.truncation is not None
        added = 0
        if self.processor is not None and self.add_special_tokens:
            added = self.processor.num_special_tokens_to_add(pair)
        return _lengths.room(self.truncation, added)

    def process(self, parts: list[Encoding]) -> Encoding:
        """Truncation and post-processor, for encodings that may be changed."""
        if self.truncation is not None:
            _lengths.truncate(parts, self.limit(len(parts) == 2), self.truncation)
        return processors.process(self.processor, parts, self.add_special_tokens)

    def filled(self, encodings: list[Encoding]) -> list[Encoding]:
        """Encodings that are padded to a common length."""
        if self.padding is not None and encodings:
            for encoding in encodings:
                encoding.fill(_lengths.padded_length(len(encoding), self.padding), self.padding)
            target = _lengths.padded_length(max(map(len, encodings)), self.padding)
            for encoding in encodings:
                encoding.fill(target, self.padding)
        return encodings


class Rows:
    """The sequences of a call, and what becomes of them."""

    def __init__(self, source: Source, ends: list[int], finishing: Finishing, *, with_details: bool) -> None:
        self._source = source
        self._ends = ends
        self._finishing = finishing
        self._with_details = with_details

    def single(self) -> list[Encoding]:
        """One encoding a sequence."""
        plan = self._plan(False)
        if plan is None:
            return self._processed([(number,) for number in range(len(self._ends) - 1)])
        if self._finishing.truncation is None and self._finishing.padding is None:
            make = plan.encoding
            return [make((begin, end, 0, 0, 0, 0)) for begin, end in pairwise(self._ends)]
        return self._rows([plan], [(number,) for number in range(len(self._ends) - 1)])

    def mixed(self, rows: list[tuple[int, ...]]) -> list[Encoding]:
        """Encodings of the sequences with these numbers, one or two for each."""
        plans = [self._plan(False), self._plan(True)]
        if plans[0] is None or plans[1] is None:
            return self._processed(rows)
        return self._rows([plan for plan in plans if plan is not None], rows)

    def _plan(self, pair: bool) -> Plan | None:
        layout = processors.layout(
            self._finishing.processor, pair, self._finishing.add_special_tokens, typed=self._with_details
        )
        return None if layout is None else Plan(self._source, layout, self._finishing.process, self._finishing.padding)

    def _processed(self, rows: list[tuple[int, ...]]) -> list[Encoding]:
        """The encodings where the post-processor has to be run on each."""
        encodings = []
        for numbers in rows:
            spans = [(self._ends[number], self._ends[number + 1]) for number in numbers]
            columns = [self._source.columns(begin, end, n) for n, (begin, end) in enumerate(spans)]
            encodings.append(self._finishing.process([Encoding.of(one) for one in columns]))
        return self._finishing.filled(encodings)

    def _rows(self, plans: list[Plan], rows: list[tuple[int, ...]]) -> list[Encoding]:
        """The encodings where plans say what becomes of a single sequence and of a pair."""
        spans: list[tuple[int, int, int, int]] = []
        for numbers in rows:
            first = numbers[0]
            second = (self._ends[numbers[1]], self._ends[numbers[1] + 1]) if len(numbers) == 2 else (0, 0)
            spans.append((self._ends[first], self._ends[first + 1], *second))
        kept = spans
        if self._finishing.truncation is not None:
            kept = self._cut(plans, rows, spans)
        lengths = [0] * len(rows)
        if self._finishing.padding is not None:
            found = [plans[len(numbers) - 1].length((*span, 0, 0)) for numbers, span in zip(rows, kept, strict=True)]
            target = _lengths.padded_length(max(found, default=0), self._finishing.padding)
            lengths = [max(target - length, 0) for length in found]
            for plan in plans:
                plan.target = target
        rows_of: list[tuple[Plan, Row]] = [
            (plans[len(numbers) - 1], (*span, length, index))
            for index, (numbers, span, length) in enumerate(zip(rows, kept, lengths, strict=True))
        ]
        return [plan.encoding(row) for plan, row in rows_of]

    def _cut(
        self, plans: list[Plan], rows: list[tuple[int, ...]], spans: list[tuple[int, int, int, int]]
    ) -> list[tuple[int, int, int, int]]:
        settings = self._finishing.truncation
        assert settings is not None
        limits = [self._finishing.limit(pair) for pair in (False, True)]
        kept = []
        for numbers, span in zip(rows, spans, strict=True):
            begin, end, second_begin, second_end = span
            second = second_end - second_begin if len(numbers) == 2 else None
            keep = _lengths.kept_lengths(end - begin, second, limits[len(numbers) - 1], settings["strategy"])
            if keep == (end - begin, second or 0):
                kept.append(span)
                continue
            first_window = _lengths.kept_window(begin, end, keep[0], settings)
            second_window = _lengths.kept_window(second_begin, second_end, keep[1], settings)
            kept.append((*first_window, *second_window))
        for plan in plans:
            plan.whole = spans
        return kept
