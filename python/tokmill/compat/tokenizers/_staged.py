"""The pipeline stage by stage, in Python.

It serves components that are made in Python, random segmentations, and the words that trainers count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from . import models, normalizers, pre_tokenizers
from ._added_token import AddedToken, AddedVocabulary
from ._encoding import Encoding
from ._inputs import Input
from ._strings import NormalizedString, PreTokenizedString, Token

Found = list[tuple[int | None, int, int]]
"""Stretches of a text, in characters: an added token by its id, or what stands between."""


class Stages:
    """Added tokens, normalizer and pretokenizer, as they are now."""

    def __init__(
        self,
        added: AddedVocabulary,
        normalizer: normalizers.Normalizer | None,
        pre_tokenizer: pre_tokenizers.PreTokenizer | None,
        encode_special_tokens: bool,
    ) -> None:
        self._normalizer = normalizer
        self._pre_tokenizer = pre_tokenizer
        passed_over = added.special_contents if encode_special_tokens else set()
        raw = {token.content: (id, token) for id, token in added if not token.normalized}
        normalized = {self._content(token): (id, token) for id, token in added if token.normalized}
        self._raw = _Search(raw, passed_over)
        self._normalized = _Search(normalized, passed_over)

    def _content(self, token: AddedToken) -> str:
        return token.content if self._normalizer is None else self._normalizer.normalize_str(token.content)

    def pieces(self, text: str) -> PreTokenizedString:
        """A text in pieces: added tokens have theirs, the others are for the model."""
        whole = PreTokenizedString(text)
        whole._splits = [part for string, _ in whole._splits for part in self._raw.cut(string)]
        splits = []
        for string, tokens in whole._splits:
            if tokens is None:
                if self._normalizer is not None:
                    self._normalizer.normalize(string)
                splits += self._normalized.cut(string)
            else:
                splits.append((string, tokens))
        whole._splits = splits
        if self._pre_tokenizer is not None:
            self._pre_tokenizer.pre_tokenize(whole)
        return whole

    def words(self, text: str) -> Iterator[str]:
        """What a trainer counts of a text."""
        return (string.normalized for string, _ in self.pieces(text)._splits)

    def sequences(self, inputs: Input, model: models.Model, *, with_details: bool) -> list[Encoding]:
        """The encodings of all sequences."""
        if inputs.counts is None:
            return [self._encoding(text, model, None, with_details=with_details) for text in inputs.texts]
        found = []
        texts = iter(inputs.texts)
        for count in inputs.counts:
            words = [self._encoding(next(texts), model, number, with_details=with_details) for number in range(count)]
            found.append(Encoding.merge(words, growing_offsets=False))
        return found

    def _encoding(self, text: str, model: models.Model, word: int | None, *, with_details: bool) -> Encoding:
        pieces = self.pieces(text)
        pieces._splits = [
            (string, model.tokenize(string.normalized) if tokens is None else tokens)
            for string, tokens in pieces._splits
        ]
        encoding = pieces.to_encoding(0, word)
        if not with_details:
            columns = encoding.written()
            count = len(columns.ids)
            columns.tokens, columns.words, columns.offsets = [""] * count, [None] * count, [(0, 0)] * count
        return encoding


class _Search:
    """Finds added tokens in a text: of those that begin first, the longest."""

    def __init__(self, tokens: dict[str, tuple[int, AddedToken]], passed_over: set[str]) -> None:
        contents = sorted((content for content in tokens if content), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, contents))) if contents else None
        self._tokens = tokens
        self._passed_over = passed_over

    def cut(self, string: NormalizedString) -> list[tuple[NormalizedString, list[Token] | None]]:
        """The parts of a text that are not empty, added tokens with their ids."""
        parts: list[tuple[NormalizedString, list[Token] | None]] = []
        for id, begin, end in self._find(string.normalized):
            part = string._part(begin, end)
            value = part.normalized
            if value:
                parts.append((part, None if id is None else [Token(id, value, (0, len(value.encode())))]))
        return parts

    def _find(self, text: str) -> Found:
        found: Found = []
        done = 0
        for match in self._pattern.finditer(text) if self._pattern is not None else ():
            id, token = self._tokens[match[0]]
            begin, end = match.span()
            if token.content in self._passed_over:
                continue
            if token.single_word and (_is_word(text[begin - 1 : begin]) or _is_word(text[end : end + 1])):
                continue
            if token.lstrip:
                begin = max(len(text[:begin].rstrip(SPACE)), done)
            if token.rstrip:
                end = len(text) - len(text[end:].lstrip(SPACE))
            if done < begin:
                found.append((None, done, begin))
            found.append((id, begin, end))
            done = end
        if done < len(text) or not text:
            found.append((None, done, len(text)))
        return found


SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def _is_word(character: str) -> bool:
    if not character:
        return False
    category = unicodedata.category(character)
    return category[0] in "LM" or category in ("Nd", "Nl", "Pc") or character in "\u200c\u200d"
