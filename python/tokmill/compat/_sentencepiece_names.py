"""The other names that sentencepiece gives the methods of its processor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokmill.compat._sentencepiece_form import ReturnType
    from tokmill.compat.sentencepiece import SentencePieceProcessor


def _as(method: str, return_type: ReturnType) -> Callable[..., Any]:
    """A method that calls another with a return type."""

    def call(self: SentencePieceProcessor, input: Any, *args: Any, **kwargs: Any) -> Any:
        if method == "nbest_encode" and args:
            kwargs["nbest_size"], *args = args  # type: ignore[assignment]
        return getattr(self, method)(input, *args, return_type=return_type, **kwargs)

    call.__doc__ = f"`{method}` with `return_type={return_type!r}`."
    return call


def add_names(processor: type[SentencePieceProcessor]) -> None:
    """The methods that fix a return type, and all methods under their names in CamelCase too."""
    kinds: dict[str, ReturnType] = {
        "pieces": str,
        "ids": int,
        "numpy": "numpy",
        "proto": "proto",
        "serialized_proto": "serialized_proto",
    }
    for kind, return_type in kinds.items():
        for verb in ("encode", "nbest_encode", "parallel_encode"):
            setattr(processor, f"{verb}_as_{kind}", _as(verb, return_type))
    methods = {
        "encode_as_offset_mapping": _as("encode", "offset_mapping"),
        "decode_pieces": processor.decode,
        "decode_ids": processor.decode,
        "tokenize": processor.encode,
        "detokenize": processor.decode,
    }
    for kind in ("pieces", "ids"):
        for form in ("proto", "serialized_proto"):
            methods[f"decode_{kind}_as_{form}"] = _as("decode", kinds[form])
    for name, call in methods.items():
        setattr(processor, name, call)
    keep = "from_file|from_proto|piece_size|vocab_size|serialized_model_proto|(unk|bos|eos|pad)_id|_.*"
    for name, method in list(vars(processor).items()):
        if callable(method) and not re.fullmatch(keep, name):
            camel = "".join(part.capitalize() for part in name.split("_")).replace("Nbest", "NBest")
            setattr(processor, camel, method)
