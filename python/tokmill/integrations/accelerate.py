"""`tokmill.accelerate`: a fast tokenizer of transformers, with tokmill's core in the place of its own.

The tokenizer stays the object it is. What it calls its backend, a `tokenizers.Tokenizer`, is read as JSON, and replaced
by a `tokmill.compat.tokenizers.Tokenizer` once both have given the same for a sample of texts.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from tokmill.integrations._sample import TEXTS

T = TypeVar("T")

_MOST_ADDED_TOKENS = 64
"""So many of the added tokens are part of the sample."""


class AccelerationWarning(UserWarning):
    """A tokenizer was left as it is; the message says why."""


def accelerate(
    tokenizer: T, *, sample: Iterable[str] = (), check_offsets: bool = True, patch_decode_stream: bool = True
) -> T:
    """Lets a fast tokenizer of transformers run on tokmill, and returns it.

    Its backend is swapped in place. Before that, both backends encode a sample: texts that tokenizers differ on, texts
    with the tokenizer's own added tokens, and those of `sample`; alone, in pairs, as words, with and without special
    tokens. Where anything differs, or the tokenizer does something that tokmill does not support, it is left as it is,
    with an `AccelerationWarning` that says why.

    Padding and truncation, chat templates, offsets, words, overflow, saving, adding tokens and training work as before.
    What `from_pretrained` loads later is another tokenizer, to be accelerated by another call.

    Args:
        tokenizer: A `PreTrainedTokenizerFast` of transformers 4.57 or `TokenizersBackend` of 5.x.
        sample: More texts to compare, such as some of those to come.
        check_offsets: Compare offsets, tokens, words and sequences too, and not only ids, types and masks.
        patch_decode_stream: Let `tokenizers.decoders.DecodeStream` take tokenizers of tokmill too, as by
            `decode_stream_patch`. Servers look it up there.

    Returns:
        The same object.
    """
    reason = _swap(tokenizer, tuple(sample), check_offsets)
    if reason is not None:
        message = f"{type(tokenizer).__name__} runs on as it is, tokmill does not replace its backend: {reason}"
        warnings.warn(message, AccelerationWarning, stacklevel=2)
    elif patch_decode_stream:
        _patch_decode_stream()
    return tokenizer


def _swap(tokenizer: Any, sample: Sequence[str], check_offsets: bool) -> str | None:
    """Swaps the backend of a tokenizer, or says why not."""
    backend = getattr(tokenizer, "_tokenizer", None)
    owner = sys.modules.get("tokenizers")
    if backend is None or owner is None:
        return "it is not a fast tokenizer, one with a `tokenizers.Tokenizer` inside"

    from tokmill.integrations._backend import Backend, TensorMethod

    if isinstance(backend, Backend):
        return None
    if not isinstance(backend, owner.Tokenizer):
        return "it is not a fast tokenizer, one with a `tokenizers.Tokenizer` inside"
    try:
        text = backend.to_str()
    except Exception as error:
        return f"its backend cannot be written as JSON ({error})"
    reason = _unsteady(backend.model)
    if reason is not None:
        return reason
    try:
        accelerated = Backend.of(text)
        accelerated.encode_special_tokens = backend.encode_special_tokens
        reason = _difference(backend, accelerated, _texts(backend, sample), check_offsets)
    except Exception as error:
        return str(error) or type(error).__name__
    if reason is not None:
        return reason
    vars(accelerated).update(vars(backend))
    tokenizer._tokenizer = accelerated
    TensorMethod.install(tokenizer)
    return None


def _unsteady(model: Any) -> str | None:
    """What keeps two encodings of a text from being the same, if anything does."""
    if getattr(model, "dropout", None):
        return "its model has dropout, so that its ids are random"
    if getattr(model, "alpha", None) is not None or getattr(model, "nbest_size", None) is not None:
        return "its model draws samples, so that its ids are random"
    return None


# -- the sample -------------------------------------------------------------------------------------------------------


def _texts(backend: Any, sample: Sequence[str]) -> list[str]:
    added = [token.content for token in islice(backend.get_added_tokens_decoder().values(), _MOST_ADDED_TOKENS)]
    around = [text for token in added for text in (token, f"a {token} b", f"a{token}{token}b")]
    return [*TEXTS, *around, "".join(added), *sample]


def _difference(backend: Any, accelerated: Any, texts: list[str], check_offsets: bool) -> str | None:
    """How what the two backends give for texts differs, if it does. Truncation and padding are off meanwhile."""
    attributes = ["ids", "type_ids", "special_tokens_mask", "attention_mask"]
    if check_offsets:
        attributes += ["tokens", "offsets", "word_ids", "sequence_ids"]
    inputs: dict[str, list[Any]] = {
        "": texts,
        " in a pair": list(zip(texts, reversed(texts), strict=True)),
        " as words": [text.split() for text in texts],
    }
    with _bare(backend), _bare(accelerated):
        for literal in (False, True):
            backend.encode_special_tokens = accelerated.encode_special_tokens = literal
            for kind, batch in inputs.items():
                for add in (True, False):
                    options = {"is_pretokenized": kind == " as words", "add_special_tokens": add}
                    expected = backend.encode_batch(batch, **options)
                    found = accelerated.encode_batch(batch, **options)
                    for text, one, other in zip(batch, expected, found, strict=True):
                        for name in attributes:
                            is_now, would_be = getattr(one, name), getattr(other, name)
                            if is_now != would_be:
                                return f"{name} of {text!r}{kind} would be {would_be!r}, are {is_now!r}"
        rows = [encoding.ids for encoding in backend.encode_batch(texts)]
        for skip in (True, False):
            decoded = zip(rows, backend.decode_batch(rows, skip), accelerated.decode_batch(rows, skip), strict=True)
            for ids, one, other in decoded:
                if one != other:
                    return f"{ids!r} would be decoded to {other!r}, is {one!r}"
    return None


@contextmanager
def _bare(backend: Any) -> Iterator[None]:
    """A backend without truncation and padding, which it gets back."""
    truncation, padding = backend.truncation, backend.padding
    literal = backend.encode_special_tokens
    backend.no_truncation()
    backend.no_padding()
    try:
        yield
    finally:
        backend.encode_special_tokens = literal
        if truncation is not None:
            backend.enable_truncation(**truncation)
        if padding is not None:
            backend.enable_padding(**padding)


@contextmanager
def decode_stream_patch() -> Iterator[None]:
    """Lets `tokenizers.decoders.DecodeStream` take tokenizers of tokmill too, for as long as the context lasts.

    For others it does what it did. `accelerate` does the same for good.
    """
    undo = _patch_decode_stream()
    try:
        yield
    finally:
        undo()


def _patch_decode_stream() -> Callable[[], None]:
    """Puts our class wherever a module has the owner's, and returns what puts the owner's back."""
    import tokenizers

    from tokmill.integrations._backend import DecodeStream, OwnersDecodeStream

    patched: object = tokenizers.decoders.DecodeStream
    if patched is DecodeStream:
        return lambda: None
    # Modules that imported the class hold it under its name.
    holders = [module for module in list(sys.modules.values()) if _holds(module, OwnersDecodeStream)]
    for module in holders:
        module.DecodeStream = DecodeStream  # type: ignore[attr-defined]

    def undo() -> None:
        for module in holders:
            module.DecodeStream = OwnersDecodeStream  # type: ignore[attr-defined]

    return undo


def _holds(module: Any, kind: type) -> bool:
    # Some modules import others when they are asked for an attribute.
    return getattr(module, "__dict__", {}).get("DecodeStream") is kind
