"""The trainers: what makes models of texts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from . import models
from ._added_token import FLAGS, AddedToken
from ._component import dumps, string, unsigned
from ._merging import learn_merges
from ._render import REPR, STR, call

if TYPE_CHECKING:
    from ._staged import Stages

__all__ = ["BpeTrainer", "Trainer", "UnigramTrainer", "WordLevelTrainer", "WordPieceTrainer"]


def lines_of(files: Iterable[str]) -> Iterator[str]:
    """The lines of files, with their ends."""
    for name in files:
        with Path(name).open(encoding="utf-8", newline="\n") as file:
            yield from file


def texts_of(iterator: Iterable[Any]) -> Iterator[str]:
    """Texts that come one by one, or in lists."""
    for item in iterator:
        if isinstance(item, str):
            yield item
        else:
            for text in item:
                yield string(text)


class Trainer:
    """Base of the trainers."""

    _defaults: ClassVar[dict[str, Any]] = {}
    _trains: ClassVar[type[models.Model]] = models.Model

    def __init__(self, **options: Any) -> None:
        self._options = dict(self._defaults)
        for name, value in options.items():
            if name not in self._options:
                print(f"Ignored unknown kwargs option {name}")
            else:
                setattr(self, name, value)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in cls._defaults:
            setattr(cls, name, _Option(name))

    def train(self, model: models.Model, texts: Iterable[str], stages: Stages) -> list[AddedToken]:
        """Makes the model anew from texts, and returns the special tokens to be added."""
        if not isinstance(model, self._trains):
            raise Exception(f"{type(self).__name__} can only train a {self._trains.__name__}")
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(stages.words(text))
        model.trained(self._trained(model, counts))
        tokens: list[AddedToken] = self._options["special_tokens"]
        return tokens

    def _trained(self, model: models.Model, counts: Counter[str]) -> models.Model:
        raise NotImplementedError

    def _specials(self) -> list[str]:
        return list(dict.fromkeys(token.content for token in self._options["special_tokens"]))

    def _state(self) -> dict[str, Any]:
        state = dict(self._options)
        state["special_tokens"] = [_token_json(token) for token in state["special_tokens"]]
        if "progress_format" in state:
            state["progress_format"] = {"json": "JsonLines", "silent": "Silent"}.get(
                state["progress_format"], "Indicatif"
            )
        return state

    def __getstate__(self) -> bytes:
        return dumps({type(self).__name__: {**self._state(), "words": {}}}).encode()

    def __setstate__(self, state: bytes) -> None:
        ((_, options),) = json.loads(state).items()
        options = {name: value for name, value in options.items() if name in self._defaults}
        options["special_tokens"] = [
            AddedToken(token["content"], **{flag: token[flag] for flag in FLAGS}) for token in options["special_tokens"]
        ]
        if "progress_format" in options:
            options["progress_format"] = {"JsonLines": "json", "Silent": "silent"}.get(
                options["progress_format"], "indicatif"
            )
        self._options = {**self._defaults, **options}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (), self.__getstate__()

    def __repr__(self) -> str:
        return call(type(self).__name__, {**self._state(), "words": {}}, REPR)

    def __str__(self) -> str:
        return call(type(self).__name__, {**self._state(), "words": {}}, STR)


def _token_json(token: AddedToken) -> dict[str, Any]:
    return token.settled().__getstate__()


class _Option:
    """An option of a trainer."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, trainer: Trainer | None, owner: type) -> Any:
        if trainer is None:
            return self
        value = trainer._options[self._name]
        return list(value) if isinstance(value, list) else value

    def __set__(self, trainer: Trainer, value: Any) -> None:
        trainer._options[self._name] = _CHECKS.get(self._name, lambda given: given)(value)


def _special_tokens(value: Any) -> list[AddedToken]:
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__!r} object is not an instance of 'list'")
    tokens = []
    for given in value:
        if isinstance(given, AddedToken):
            given.special = True
            tokens.append(given.settled())
        elif isinstance(given, str):
            tokens.append(AddedToken(given, special=True).settled())
        else:
            raise TypeError("special_tokens must be a List[Union[str, AddedToken]]")
    return tokens


def _alphabet(value: Any) -> list[str]:
    return sorted({string(text)[0] for text in value if text})


def _optional_size(value: Any) -> int | None:
    return None if value is None else unsigned(value)


_CHECKS: dict[str, Any] = {
    "vocab_size": unsigned,
    "min_frequency": unsigned,
    "special_tokens": _special_tokens,
    "initial_alphabet": _alphabet,
    "limit_alphabet": _optional_size,
    "max_token_length": _optional_size,
    "progress_format": lambda value: value if value in ("json", "silent") else "indicatif",
}


class BpeTrainer(Trainer):
    """Trains a BPE: the most frequent pair of neighbours becomes a token, again and again."""

    _trains: ClassVar[type[models.Model]] = models.BPE
    _defaults: ClassVar[dict[str, Any]] = {
        "min_frequency": 0,
        "vocab_size": 30000,
        "show_progress": True,
        "progress_format": "indicatif",
        "special_tokens": [],
        "limit_alphabet": None,
        "initial_alphabet": [],
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "max_token_length": None,
    }

    def get_word_count(self) -> int:
        """How many words are kept for training: none, once it is done."""
        return 0

    def _trained(self, model: models.Model, counts: Counter[str]) -> models.Model:
        assert isinstance(model, models.BPE)
        vocab, merges = learn_merges(counts, self._specials(), self._options)
        trained = models.BPE()
        affixes = {name: self._options[name] for name in ("continuing_subword_prefix", "end_of_word_suffix")}
        trained._begin(**{**model._fields, **affixes, "vocab": vocab, "merges": merges})
        return trained


class WordPieceTrainer(BpeTrainer):
    """Trains a WordPiece: the tokens that a `BpeTrainer` makes."""

    _trains: ClassVar[type[models.Model]] = models.WordPiece
    _defaults: ClassVar[dict[str, Any]] = {
        **{name: value for name, value in BpeTrainer._defaults.items() if name != "max_token_length"},
        "continuing_subword_prefix": "##",
    }

    def _trained(self, model: models.Model, counts: Counter[str]) -> models.Model:
        assert isinstance(model, models.WordPiece)
        vocab, _ = learn_merges(counts, self._specials(), self._options)
        trained = models.WordPiece()
        prefix = self._options["continuing_subword_prefix"]
        prefix = "##" if prefix is None else prefix
        trained._begin(**{**model._fields, "vocab": vocab, "continuing_subword_prefix": prefix})
        return trained

    def __getstate__(self) -> bytes:
        return dumps({"WordPieceTrainer": {"bpe_trainer": {**self._state(), "words": {}}}}).encode()

    def __setstate__(self, state: bytes) -> None:
        options = json.loads(state)["WordPieceTrainer"]["bpe_trainer"]
        super().__setstate__(dumps({"WordPieceTrainer": options}).encode())


class WordLevelTrainer(Trainer):
    """Trains a WordLevel: the most frequent words."""

    _trains: ClassVar[type[models.Model]] = models.WordLevel
    _defaults: ClassVar[dict[str, Any]] = {
        "min_frequency": 0,
        "vocab_size": 30000,
        "show_progress": True,
        "special_tokens": [],
    }

    def _trained(self, model: models.Model, counts: Counter[str]) -> models.Model:
        assert isinstance(model, models.WordLevel)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0].encode()))
        frequent = [word for word, count in ordered if count >= self._options["min_frequency"]]
        tokens = [token.content for token in self._options["special_tokens"]]
        kept = [*tokens, *frequent][: self._options["vocab_size"]]
        trained = models.WordLevel()
        trained._begin(**{**model._fields, "vocab": {word: id for id, word in enumerate(kept)}})
        return trained


class UnigramTrainer(Trainer):
    """Trains a Unigram: from many seeds down to the pieces that the texts are most likely to be made of."""

    _trains: ClassVar[type[models.Model]] = models.Unigram
    _defaults: ClassVar[dict[str, Any]] = {
        "show_progress": True,
        "vocab_size": 8000,
        "n_sub_iterations": 2,
        "shrinking_factor": 0.75,
        "special_tokens": [],
        "initial_alphabet": [],
        "unk_token": None,
        "max_piece_length": 16,
        "seed_size": 1000000,
    }

    def _trained(self, model: models.Model, counts: Counter[str]) -> models.Model:
        from ._unigram_training import learn_pieces

        pieces, unk_id = learn_pieces(counts, self._options)
        trained = models.Unigram()
        trained._begin(unk_id=unk_id, vocab=pieces, byte_fallback=False)
        return trained
