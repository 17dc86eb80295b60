"""What `encode` and `encode_batch` are given: texts, lists of words, and pairs of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

TEXTS = "TextEncodeInput must be Union[TextInputSequence, Tuple[InputSequence, InputSequence]]"
WORDS = (
    "PreTokenizedEncodeInput must be Union[PreTokenizedInputSequence, "
    "Tuple[PreTokenizedInputSequence, PreTokenizedInputSequence]]"
)


class Input(NamedTuple):
    """Sequences, and which of them make a row."""

    texts: list[str]
    """All sequences, or the words of all."""
    counts: list[int] | None = None
    """How many words each sequence has, where they come in words."""
    pairs: list[tuple[int, ...]] | None = None
    """The numbers of each row's sequences; nothing where each sequence is a row."""

    @property
    def expected(self) -> str:
        """What the owner says to inputs of other kinds."""
        return TEXTS if self.counts is None else WORDS

    def rows(self, sequences: int) -> list[tuple[int, ...]]:
        """The numbers of each row's sequences."""
        return [(number,) for number in range(sequences)] if self.pairs is None else self.pairs


def batch_inputs(input: Any, is_pretokenized: bool) -> Input:
    """What `encode_batch` is given."""
    if isinstance(input, str):
        raise TypeError("argument 'input': Can't extract `str` to `Vec`")
    if type(input) is not list:
        try:
            input = list(input)
        except TypeError:
            kind = type(input).__name__
            raise TypeError(f"argument 'input': {kind!r} object is not an instance of 'Sequence'") from None
    return word_inputs(input) if is_pretokenized else text_inputs(input)


def text_inputs(items: Sequence[Any]) -> Input:
    """Inputs that are texts or pairs of texts. A tuple of one is what `encode` gives for a text."""
    if type(items) is list and set(map(type, items)) <= {str}:
        return Input(items)
    texts: list[str] = []
    rows = []
    for item in items:
        if isinstance(item, str):
            parts = [item]
        elif isinstance(item, tuple) and len(item) == 1:
            parts = [_text(item[0])]
        elif isinstance(item, list | tuple | np.ndarray) and len(item) == 2:
            parts = [_text(part) for part in item]
        else:
            raise TypeError(TEXTS)
        rows.append(tuple(range(len(texts), len(texts) + len(parts))))
        texts += parts
    return Input(texts, None, rows)


def word_inputs(items: Sequence[Any]) -> Input:
    """Inputs that are lists of words or pairs of these."""
    texts: list[str] = []
    counts: list[int] = []
    rows = []
    for item in items:
        if isinstance(item, tuple) and len(item) == 1 and not isinstance(item[0], str):
            sequences = [item[0]]
        elif _is_words(item):
            sequences = [item]
        elif isinstance(item, list | tuple | np.ndarray) and len(item) == 2 and all(map(_is_words, item)):
            sequences = list(item)
        else:
            raise TypeError(WORDS)
        rows.append(tuple(range(len(counts), len(counts) + len(sequences))))
        for words in sequences:
            if not _is_words(words):
                raise TypeError("PreTokenizedInputSequence must be Union[List[str], Tuple[str]]")
            texts += [str(word) for word in words]
            counts.append(len(words))
    return Input(texts, counts, rows)


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError("TextInputSequence must be str")
    return text


def _is_words(words: Any) -> bool:
    return isinstance(words, list | tuple | np.ndarray) and all(isinstance(word, str) for word in words)
