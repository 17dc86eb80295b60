"""The models: what turns a piece of text into tokens."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import tokmill

from ._component import Component, Field, boolean, dumps, string, unsigned
from ._strings import Token

if TYPE_CHECKING:
    from .trainers import Trainer

__all__ = ["BPE", "Model", "Unigram", "WordLevel", "WordPiece"]

Vocab = dict[str, int]
Merges = list[tuple[str, str]]


class Model(Component):
    """Base of the models."""

    kind: ClassVar[str] = "Model"

    _compiled: tuple[int, tokmill.Tokenizer] | None = None

    @property
    def is_random(self) -> bool:
        """Whether texts are segmented in another way each time."""
        return False

    # -- the vocabulary -------------------------------------------------------------------------------------------

    def get_vocab(self) -> Vocab:
        """Tokens to ids; not to be changed."""
        raise NotImplementedError

    def get_vocab_size(self) -> int:
        """How many tokens there are."""
        return len(self.get_vocab())

    def token_to_id(self, token: str) -> int | None:
        """The id of a token."""
        return self.get_vocab().get(token)

    def id_to_token(self, id: int) -> str | None:
        """The token with an id."""
        stamp, tokens = self.__dict__.get("_by_id", (None, {}))
        vocab = self.get_vocab()
        if stamp is not vocab:
            tokens = {id: token for token, id in vocab.items()}
            self.__dict__["_by_id"] = (vocab, tokens)
        found: str | None = tokens.get(unsigned(id))
        return found

    # -- alone ----------------------------------------------------------------------------------------------------

    def tokenize(self, sequence: str) -> list[Token]:
        """The tokens of a piece of text, with offsets in bytes."""
        sequence = string(sequence)
        core = self._core()
        if self.is_random:
            return self._tokens_of(sequence, core.sample(sequence).tolist())
        ids, offsets, _, surfaces = core._encode_batch_details([sequence], unit="byte")
        found = []
        for index, (id, (begin, end)) in enumerate(zip(ids.values.tolist(), offsets.tolist(), strict=True)):
            value = surfaces.get(index)
            found.append(Token(id, (self.id_to_token(id) or "") if value is None else value, (begin, end)))
        return found

    def _tokens_of(self, sequence: str, ids: Sequence[int]) -> list[Token]:
        """Tokens that stand one behind the other, with these ids."""
        tokens = []
        at = 0
        for id in ids:
            value = self.id_to_token(id) or ""
            length = self._length(value)
            tokens.append(Token(id, value, (at, min(at + length, len(sequence.encode())))))
            at += length
        return tokens

    def _length(self, token: str) -> int:
        """How many bytes of text a token stands for."""
        return len(token.encode())

    def _core(self) -> tokmill.Tokenizer:
        if self._compiled is None or self._compiled[0] != self.revision:
            core = tokmill.Tokenizer.from_bytes(dumps({"version": "1.0", "model": self.spec()}).encode())
            self._compiled = (self.revision, core)
        return self._compiled[1]

    def get_trainer(self) -> Trainer:
        """A trainer for models of this kind."""
        raise NotImplementedError

    def save(self, folder: str, prefix: str | None = None, name: str | None = None) -> list[str]:
        """Writes the vocabulary to files in a directory, and returns their paths."""
        if name is not None:
            warnings.warn(
                "Deprecated in 0.10.0: Parameter `name` of Model.save has been renamed `prefix`",
                DeprecationWarning,
                stacklevel=2,
            )
            prefix = name if prefix is None else prefix
        return [self._write(Path(folder), file, prefix, text) for file, text in self._files().items()]

    def _write(self, folder: Path, file: str, prefix: str | None, text: str) -> str:
        path = folder / (file if prefix is None else f"{prefix}-{file}")
        path.write_text(text, encoding="utf-8", newline="")
        return str(path)

    def _files(self) -> dict[str, str]:
        """Names and contents of the files that `save` writes."""
        raise NotImplementedError

    def trained(self, model: Model) -> None:
        """Becomes what a trainer has made."""
        self.__dict__.pop("_by_id", None)
        self._begin(**model._fields)

    @classmethod
    def _told_by(cls, spec: Mapping[str, Any]) -> str:
        if isinstance(spec.get("vocab"), list):
            return "Unigram"
        if "merges" in spec:
            return "BPE"
        return "WordPiece" if "max_input_chars_per_word" in spec else "WordLevel"

    def __getstate__(self) -> bytes:
        return super().__getstate__()


def _vocabulary(value: Any) -> Vocab:
    if not isinstance(value, dict):
        raise TypeError(f"'{type(value).__name__}' object is not an instance of 'dict'")
    return value


def _optional_string(value: Any) -> str | None:
    return None if value is None else string(value)


def _dropout(value: Any) -> float | None:
    """A probability in single precision, as the owner keeps it."""
    if value is None:
        return None
    (single,) = struct.unpack("f", struct.pack("f", value))
    # The shortest decimal that is this number in single precision.
    return next(short for digits in range(1, 10) if _single(short := float(f"{single:.{digits}g}")) == single)


def _single(value: float) -> float:
    (single,) = struct.unpack("f", struct.pack("f", value))
    return float(single)


def _merges(value: Any) -> Merges:
    merges: Merges = []
    for merge in value:
        if isinstance(merge, str):
            if merge.startswith("#version"):
                continue
            parts = merge.split(" ")
        else:
            parts = list(merge)
        if len(parts) != 2:
            raise ValueError(f"Merges text file invalid at line {len(merges) + 1}")
        merges.append((parts[0], parts[1]))
    # Of a pair that is listed twice, the later place counts.
    return list(dict.fromkeys(reversed(merges)))[::-1] if len(set(merges)) < len(merges) else merges


class BPE(Model):
    """Byte-pair encoding: `vocab` and `merges` from memory or, as two file names, from files.

    `dropout` is how often a merge is passed over; `unk_token` stands for unknown characters, which are joined where
    `fuse_unk`, and left out where there is none; `continuing_subword_prefix` and `end_of_word_suffix` mark where in a
    word a token stands; with `byte_fallback` unknown characters become their bytes; with `ignore_merges` a piece that
    is a token needs no merges.
    """

    type_name: ClassVar[str] = "BPE"

    dropout = Field("dropout", _dropout, None)
    unk_token = Field("unk_token", _optional_string, None)
    continuing_subword_prefix = Field("continuing_subword_prefix", _optional_string, None)
    end_of_word_suffix = Field("end_of_word_suffix", _optional_string, None)
    fuse_unk = Field("fuse_unk", boolean, False)
    byte_fallback = Field("byte_fallback", boolean, False)
    ignore_merges = Field("ignore_merges", boolean, False)
    _vocab = Field("vocab", _vocabulary)
    _merges = Field("merges", _merges)

    def __init__(self, vocab: Vocab | str | None = None, merges: Merges | str | None = None, **options: Any) -> None:
        if (vocab is None) != (merges is None):
            raise ValueError("`vocab` and `merges` must be both specified")
        if isinstance(vocab, str) != isinstance(merges, str):
            raise ValueError("`vocab` and `merges` must be both be from memory or both filenames")
        if isinstance(vocab, str) and isinstance(merges, str):
            vocab, merges = BPE.read_file(vocab, merges)
        fields: dict[str, Any] = {
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
        }
        for name, value in options.items():
            if name == "cache_capacity":
                continue
            if name not in fields:
                print(f"Ignored unknown kwarg option {name}")
            elif value is not None:
                fields[name] = vars(BPE)[name].check(value)
        if fields["dropout"] is not None and not 0.0 <= fields["dropout"] <= 1.0:
            raise Exception("Error while initializing BPE: The dropout must be between 0 and 1")
        merges = _merges(merges or [])
        vocab = dict(_vocabulary(vocab or {}))
        prefix = len(fields["continuing_subword_prefix"] or "")
        for left, right in merges:
            for token in (left, right, left + right[prefix:]):
                if token not in vocab:
                    raise Exception(f"Error while initializing BPE: Token `{token}` out of vocabulary")
        self._begin(**fields, vocab=vocab, merges=merges)

    @staticmethod
    def read_file(vocab: str, merges: str) -> tuple[Vocab, Merges]:
        """The vocabulary and the merges of a vocab.json and a merges.txt."""
        try:
            lines = Path(merges).read_text(encoding="utf-8").splitlines()
            return _read_vocab(vocab), _merges(line for line in lines if not line.startswith("#version"))
        except Exception as error:
            raise Exception(f"Error while reading vocab & merges files: {error}") from None

    @classmethod
    def from_file(cls, vocab: str, merges: str, **options: Any) -> BPE:
        """The model of a vocab.json and a merges.txt."""
        return cls(*BPE.read_file(vocab, merges), **options)

    @property
    def is_random(self) -> bool:
        """Whether texts are segmented in another way each time."""
        return bool(self.dropout)

    def get_vocab(self) -> Vocab:
        """Tokens to ids; not to be changed."""
        vocab: Vocab = self._fields["vocab"]
        return vocab

    def spec(self) -> dict[str, Any]:
        """The JSON object of tokenizer.json."""
        return {**super().spec(), "vocab": _by_id(self.get_vocab())}

    def _length(self, token: str) -> int:
        if self.byte_fallback and len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            return 1
        for affix in (self.continuing_subword_prefix, self.end_of_word_suffix):
            if affix:
                token = (
                    token.removeprefix(affix) if affix == self.continuing_subword_prefix else token.removesuffix(affix)
                )
        return len(token.encode())

    def get_trainer(self) -> Trainer:
        """A trainer for models of this kind."""
        from .trainers import BpeTrainer

        return BpeTrainer()

    def _files(self) -> dict[str, str]:
        merges = "".join(f"{left} {right}\n" for left, right in self._fields["merges"])
        return {"vocab.json": dumps(_by_id(self.get_vocab())), "merges.txt": f"#version: 0.2\n{merges}"}

    def _clear_cache(self) -> None:
        """There is nothing to clear: caches do not grow."""

    def _resize_cache(self, capacity: int) -> None:
        """The core sets the size of its caches."""


class WordPiece(Model):
    """The longest tokens of a word from its left, those behind the first with `continuing_subword_prefix`.

    Words that cannot be covered, or have more than `max_input_chars_per_word` characters, are `unk_token`.
    """

    type_name: ClassVar[str] = "WordPiece"

    unk_token = Field("unk_token", string)
    continuing_subword_prefix = Field("continuing_subword_prefix", string)
    max_input_chars_per_word = Field("max_input_chars_per_word", unsigned)
    _vocab = Field("vocab", _vocabulary)

    def __init__(self, vocab: Vocab | str | None = None, **options: Any) -> None:
        if isinstance(vocab, str):
            vocab = WordPiece.read_file(vocab)
        fields: dict[str, Any] = {
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        }
        for name, value in options.items():
            if name in fields:
                fields[name] = vars(WordPiece)[name].check(value)
            else:
                print(f"Ignored unknown kwargs option {name}")
        self._begin(**fields, vocab=dict(_vocabulary(vocab or {})))

    @staticmethod
    def read_file(vocab: str) -> Vocab:
        """The vocabulary of a vocab.txt."""
        try:
            text = Path(vocab).read_text(encoding="utf-8")
        except Exception as error:
            raise Exception(f"Error while reading WordPiece file: {error}") from None
        return {line.rstrip(): id for id, line in enumerate(text.removesuffix("\n").split("\n"))} if text else {}

    @classmethod
    def from_file(cls, vocab: str, **options: Any) -> WordPiece:
        """The model of a vocab.txt."""
        return cls(WordPiece.read_file(vocab), **options)

    def get_vocab(self) -> Vocab:
        """Tokens to ids; not to be changed."""
        vocab: Vocab = self._fields["vocab"]
        return vocab

    def spec(self) -> dict[str, Any]:
        """The JSON object of tokenizer.json."""
        return {**super().spec(), "vocab": _by_id(self.get_vocab())}

    def get_trainer(self) -> Trainer:
        """A trainer for models of this kind."""
        from .trainers import WordPieceTrainer

        return WordPieceTrainer()

    def _files(self) -> dict[str, str]:
        return {"vocab.txt": "".join(f"{token}\n" for token in _by_id(self.get_vocab()))}


class WordLevel(Model):
    """Each word is a token or `unk_token`."""

    type_name: ClassVar[str] = "WordLevel"

    _vocab = Field("vocab", _vocabulary)
    unk_token = Field("unk_token", string)

    def __init__(self, vocab: Vocab | str | None = None, unk_token: str | None = None) -> None:
        if isinstance(vocab, str):
            vocab = WordLevel.read_file(vocab)
        unk_token = "<unk>" if unk_token is None else string(unk_token)
        self._begin(vocab=dict(_vocabulary(vocab or {})), unk_token=unk_token)

    @staticmethod
    def read_file(vocab: str) -> Vocab:
        """The vocabulary of a vocab.json."""
        try:
            return _read_vocab(vocab)
        except Exception as error:
            raise Exception(f"Error while reading WordLevel file: {error}") from None

    @classmethod
    def from_file(cls, vocab: str, unk_token: str | None = None) -> WordLevel:
        """The model of a vocab.json."""
        return cls(WordLevel.read_file(vocab), unk_token)

    def get_vocab(self) -> Vocab:
        """Tokens to ids; not to be changed."""
        vocab: Vocab = self._fields["vocab"]
        return vocab

    def spec(self) -> dict[str, Any]:
        """The JSON object of tokenizer.json."""
        return {"type": self.type_name, "vocab": _by_id(self.get_vocab()), "unk_token": self.unk_token}

    def get_trainer(self) -> Trainer:
        """A trainer for models of this kind."""
        from .trainers import WordLevelTrainer

        return WordLevelTrainer()

    def _files(self) -> dict[str, str]:
        return {"vocab.json": dumps(_by_id(self.get_vocab()))}


def _scored(value: Any) -> list[tuple[str, float]]:
    return [(string(piece), float(score)) for piece, score in value]


def _optional_index(value: Any) -> int | None:
    return None if value is None else unsigned(value)


class Unigram(Model):
    """The segmentation whose pieces have the largest sum of scores.

    `vocab` is a list of pieces and their scores; their ids are their places.

    `alpha` and `nbest_size`, where they are given, ask for random segmentations.
    """

    type_name: ClassVar[str] = "Unigram"

    _unk_id = Field("unk_id", _optional_index, None)
    _vocab = Field("vocab", _scored)
    _byte_fallback = Field("byte_fallback", boolean, False)

    alpha: float | None = None
    nbest_size: int | None = None

    def __init__(
        self,
        vocab: list[tuple[str, float]] | None = None,
        unk_id: int | None = None,
        byte_fallback: bool | None = None,
        alpha: float | None = None,
        nbest_size: int | None = None,
    ) -> None:
        if vocab is None and unk_id is not None:
            raise ValueError("`vocab` and `unk_id` must be both specified")
        # What the owner has without a vocabulary.
        pieces = [("<unk>", 0.0)] if vocab is None else _scored(vocab)
        if vocab is None:
            unk_id = 0
        if unk_id is not None and not pieces:
            raise Exception("Error while loading Unigram: The vocabulary is empty but at least <unk> is needed")
        if unk_id is not None and unk_id >= len(pieces):
            raise Exception("Error while loading Unigram: The `unk_id` is larger than vocabulary size")
        self._begin(unk_id=_optional_index(unk_id), vocab=pieces, byte_fallback=bool(byte_fallback))
        self.alpha, self.nbest_size = alpha, nbest_size

    @property
    def is_random(self) -> bool:
        """Whether texts are segmented in another way each time."""
        return self.alpha is not None or self.nbest_size is not None

    def get_vocab(self) -> Vocab:
        """Tokens to ids; not to be changed."""
        pieces = self._fields["vocab"]
        known, vocab = self.__dict__.get("_ids", (None, {}))
        if known is not pieces:
            vocab = {piece: id for id, (piece, _) in enumerate(pieces)}
            self.__dict__["_ids"] = (pieces, vocab)
        ids: Vocab = vocab
        return ids

    def get_vocab_size(self) -> int:
        """How many tokens there are."""
        return len(self._fields["vocab"])

    def id_to_token(self, id: int) -> str | None:
        """The token with an id."""
        pieces = self._fields["vocab"]
        return pieces[id][0] if unsigned(id) < len(pieces) else None

    def tokenize(self, sequence: str) -> list[Token]:
        """The tokens of a piece of text, with offsets in bytes."""
        if self.is_random:
            raise NotImplementedError("random segmentations of a Unigram model: use tokmill.Tokenizer.sample")
        return super().tokenize(sequence)

    def get_trainer(self) -> Trainer:
        """A trainer for models of this kind."""
        from .trainers import UnigramTrainer

        return UnigramTrainer()

    def _files(self) -> dict[str, str]:
        return {"unigram.json": json.dumps(self.spec(), ensure_ascii=False, indent=2)}

    def _clear_cache(self) -> None:
        """There is nothing to clear: caches do not grow."""

    def _resize_cache(self, capacity: int) -> None:
        """The core sets the size of its caches."""


def _by_id(vocab: Vocab) -> Vocab:
    """The vocabulary in order of id."""
    ids = list(vocab.values())
    if all(before < behind for before, behind in pairwise(ids)):
        return vocab
    return dict(sorted(vocab.items(), key=lambda item: item[1]))


def _read_vocab(path: str) -> Vocab:
    vocab = json.loads(Path(path).read_text(encoding="utf-8"))
    return {token: id for token, id in _vocabulary(vocab).items() if isinstance(id, int)}
