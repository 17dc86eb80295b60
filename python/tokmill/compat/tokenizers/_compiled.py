"""From a specification to what encodes and decodes by it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import tokmill
from tokmill import TokmillError

from ._batch import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import decoders, models
    from ._added_token import AddedVocabulary


class Compiled(NamedTuple):
    """What the core makes of a specification."""

    core: tokmill.Tokenizer
    table: Table
    renumber: npt.NDArray[np.uint32] | None
    """The ids of the specification, where the core has given added tokens others."""
    decodes: bool
    """Whether the core has the decoder too, and ids are its own."""

    @classmethod
    def of(
        cls,
        spec: Callable[[], dict[str, Any]],
        model: models.Model,
        added: AddedVocabulary,
        decoder: decoders.Decoder | None,
        source: bytes | None,
    ) -> Compiled:
        """What the core makes of the file that a specification was read from, or else of what `spec` writes.

        That is all but the decoder and what the face does itself.
        """
        core, has_decoder = None, True
        if source is not None:
            try:
                core = tokmill.Tokenizer.from_bytes(source)
            except TokmillError:
                # The core may refuse what the face does itself.
                core = None
        if core is None:
            core, has_decoder = _core(spec(), decoder)
        renumber = _renumbering(core, added)
        tokens = {id: token for token, id in model.get_vocab().items()}
        tokens.update((id, token.content) for id, token in added.tokens.items())
        return cls(core, Table(tokens), renumber, has_decoder and renumber is None)


def _core(spec: dict[str, Any], decoder: decoders.Decoder | None) -> tuple[tokmill.Tokenizer, bool]:
    """The core, and whether it has the decoder."""
    if decoder is None:
        return _load(spec), True
    if not decoder.is_custom:
        try:
            return _load({**spec, "decoder": decoder.spec()}), True
        except TokmillError:
            pass
    return _load(spec), False


def _load(spec: dict[str, Any]) -> tokmill.Tokenizer:
    return tokmill.Tokenizer.from_bytes(json.dumps(spec, ensure_ascii=False).encode())


def _renumbering(core: tokmill.Tokenizer, added: AddedVocabulary) -> npt.NDArray[np.uint32] | None:
    """The core gives added tokens ids as a file does; here tokens may have been added before the model came."""
    differing = {}
    for content, id in added.ids.items():
        given = core.token_id(content)
        if given is not None and given != id:
            differing[given] = id
    if not differing:
        return None
    renumber = np.arange(core.vocab_size, dtype=np.uint32)
    for given, id in differing.items():
        renumber[given] = id
    return renumber
