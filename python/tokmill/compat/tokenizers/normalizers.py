"""Normalizers: what is done to a text before it is cut into pieces."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, final

from tokmill._tokmill import _Normalizer

from ._component import Component, Field, Steps, boolean, instance, optional_boolean, string
from ._component import dumps as _dumps
from ._regex import Regex, pattern_spec, read_pattern
from ._strings import NormalizedString, NormalizedStringRefMut, called

__all__ = [
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "NORMALIZERS",
    "BertNormalizer",
    "ByteLevel",
    "Lowercase",
    "Nmt",
    "Normalizer",
    "Precompiled",
    "Prepend",
    "Replace",
    "Sequence",
    "Strip",
    "StripAccents",
    "unicode_normalizer_from_str",
]


class Normalizer(Component):
    """Base class of all normalizers; `Normalizer.custom` makes one of a Python object."""

    kind = "Normalizer"

    _compiled: tuple[int, _Normalizer] | None = None
    _object: Any = None

    @staticmethod
    def custom(obj: Any) -> Normalizer:
        """A normalizer that calls `obj.normalize(normalized)`, which changes a `NormalizedString` in place.

        It is run in Python, text by text, and cannot be saved.
        """
        normalizer = object.__new__(Normalizer)
        normalizer._object = obj
        normalizer._begin()
        return normalizer

    @property
    def is_custom(self) -> bool:
        """Whether it is made in Python."""
        return type(self) is Normalizer

    def spec(self) -> dict[str, Any]:
        """The JSON object of tokenizer.json."""
        if type(self) is Normalizer:
            raise Exception("Custom Normalizer cannot be serialized")
        return super().spec()

    @classmethod
    def _told_by(cls, spec: Mapping[str, Any]) -> str:
        signs = {
            "clean_text": "BertNormalizer",
            "strip_left": "Strip",
            "precompiled_charsmap": "Precompiled",
            "pattern": "Replace",
            "prepend": "Prepend",
        }
        return next((name for field, name in signs.items() if field in spec), "")

    def _core(self) -> _Normalizer:
        """The core's normalizer."""
        revision = self.revision
        if self._compiled is None or self._compiled[0] != revision:
            self._compiled = revision, _Normalizer(_dumps(self.spec()))
        return self._compiled[1]

    def normalize(self, normalized: NormalizedString | NormalizedStringRefMut) -> None:
        """Normalises a string in place, keeping track of what came from where."""
        if isinstance(normalized, NormalizedStringRefMut):
            target = normalized._target()
        else:
            target = instance(normalized, NormalizedString)
        self._run(target)

    def _run(self, target: NormalizedString) -> None:
        if type(self) is Normalizer:
            with NormalizedStringRefMut._lent(target) as reference:
                called(self._object, "normalize", reference)
        else:
            target._rewrite(*self._core().normalize_aligned(target.normalized))

    def normalize_str(self, sequence: str) -> str:
        """The normalised text."""
        string(sequence)
        if not self.is_custom:
            return self._core().normalize(sequence)
        target = NormalizedString(sequence)
        self._run(target)
        return target.normalized

    def __getstate__(self) -> bytes:
        return super().__getstate__()


@final
class BertNormalizer(Normalizer):
    """BERT's clean-up: control characters, blanks around ideographs, accents, case.

    Accents are stripped where `strip_accents` says so; where it is None, if `lowercase`.
    """

    type_name = "BertNormalizer"
    clean_text = Field("clean_text", boolean)
    handle_chinese_chars = Field("handle_chinese_chars", boolean)
    strip_accents = Field("strip_accents", optional_boolean, None)
    lowercase = Field("lowercase", boolean)

    def __init__(
        self,
        clean_text: bool = True,
        handle_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        lowercase: bool = True,
    ) -> None:
        self._begin(
            clean_text=boolean(clean_text),
            handle_chinese_chars=boolean(handle_chinese_chars),
            strip_accents=optional_boolean(strip_accents),
            lowercase=boolean(lowercase),
        )


@final
class ByteLevel(Normalizer):
    """Each byte as its printable character of GPT-2's alphabet."""

    type_name = "ByteLevel"

    def __init__(self) -> None:
        self._begin()


@final
class Lowercase(Normalizer):
    """Lower case, character by character."""

    type_name = "Lowercase"

    def __init__(self) -> None:
        self._begin()


@final
class NFC(Normalizer):
    """Unicode normalisation form C."""

    type_name = "NFC"

    def __init__(self) -> None:
        self._begin()


@final
class NFD(Normalizer):
    """Unicode normalisation form D."""

    type_name = "NFD"

    def __init__(self) -> None:
        self._begin()


@final
class NFKC(Normalizer):
    """Unicode normalisation form KC."""

    type_name = "NFKC"

    def __init__(self) -> None:
        self._begin()


@final
class NFKD(Normalizer):
    """Unicode normalisation form KD."""

    type_name = "NFKD"

    def __init__(self) -> None:
        self._begin()


@final
class Nmt(Normalizer):
    """The clean-up of Google's NMT: drops control characters and writes some others as blanks."""

    type_name = "Nmt"

    def __init__(self) -> None:
        self._begin()


@final
class Precompiled(Normalizer):
    """A map of sentencepiece's, from the bytes that its models hold, read as tokenizers reads it."""

    type_name = "Precompiled"
    _charsmap = Field("precompiled_charsmap", string)

    def __init__(self, precompiled_charsmap: Any) -> None:
        if isinstance(precompiled_charsmap, str):
            raise TypeError("Can't extract `str` to `Vec`")
        self._begin(precompiled_charsmap=base64.b64encode(bytes(precompiled_charsmap)).decode())
        try:
            self._core()
        except Exception as error:
            raise Exception(f"Error while attempting to build Precompiled normalizer: {error}") from None


@final
class Prepend(Normalizer):
    """Puts a string before a text that is not empty."""

    type_name = "Prepend"
    prepend = Field("prepend", string)

    def __init__(self, prepend: str = "▁") -> None:
        self._begin(prepend=string(prepend))


@final
class Replace(Normalizer):
    """Writes `content` for each match of a pattern: a string as it stands, or a `Regex`."""

    type_name = "Replace"
    _pattern = Field("pattern", read_pattern)
    content = Field("content", string)

    def __init__(self, pattern: str | Regex, content: str) -> None:
        self._begin(pattern=pattern_spec(pattern), content=string(content))

    @property
    def pattern(self) -> None:
        """Cannot be read, as in tokenizers."""
        raise Exception("Cannot get pattern")

    @pattern.setter
    def pattern(self, _pattern: str | Regex) -> None:
        raise Exception("Cannot set pattern, please instantiate a new replace pattern instead")


@final
class Sequence(Steps, Normalizer):
    """One normalizer after the other."""

    type_name = "Sequence"
    steps_key = "normalizers"
    _nested_message = "normalizer should not be a sequence"

    def __init__(self, normalizers: list[Normalizer]) -> None:
        self._begin_steps(normalizers)

    def __len__(self) -> int:
        return len(self._slots)

    def _run(self, target: NormalizedString) -> None:
        if not self.is_custom:
            super()._run(target)
            return
        for step in self.steps:
            instance(step, Normalizer)._run(target)


@final
class Strip(Normalizer):
    """Drops white space at the ends."""

    type_name = "Strip"
    left = Field("strip_left", boolean)
    right = Field("strip_right", boolean)

    def __init__(self, left: bool = True, right: bool = True) -> None:
        self._begin(strip_left=boolean(left), strip_right=boolean(right))


@final
class StripAccents(Normalizer):
    """Drops combining marks: of text that is decomposed, its accents."""

    type_name = "StripAccents"

    def __init__(self) -> None:
        self._begin()


Normalizer.registry["Bert"] = BertNormalizer

NORMALIZERS: dict[str, type[Normalizer]] = {"nfc": NFC, "nfd": NFD, "nfkc": NFKC, "nfkd": NFKD}
"""The normalisation forms by name."""


def unicode_normalizer_from_str(normalizer: str) -> Normalizer:
    """The normalizer of a normalisation form: nfc, nfd, nfkc or nfkd."""
    if normalizer not in NORMALIZERS:
        raise ValueError(f"{normalizer} is not a known unicode normalizer. Available are {NORMALIZERS.keys()}")
    return NORMALIZERS[normalizer]()
