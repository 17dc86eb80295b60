"""Truncation and padding: their settings as the owner's dicts and JSON have them, and what they do to lengths."""

from __future__ import annotations

from typing import Any

from ._encoding import Encoding, truncation_windows

Settings = dict[str, Any]

STRATEGIES = {"longest_first": "LongestFirst", "only_first": "OnlyFirst", "only_second": "OnlySecond"}
DIRECTIONS = {"left": "Left", "right": "Right"}


def truncation_settings(max_length: int, options: Settings) -> Settings:
    """The settings of truncation, checked."""
    settings: Settings = {
        "max_length": _size(max_length),
        "stride": 0,
        "strategy": "longest_first",
        "direction": "right",
    }
    for name, value in options.items():
        if name not in settings:
            print(f"Ignored unknown kwarg option {name}")
            continue
        settings[name] = value
    _size(settings["stride"])
    if settings["strategy"] not in STRATEGIES:
        raise ValueError(
            f"Unknown `strategy`: `{settings['strategy']}`. Use one of `longest_first`, `only_first`, or `only_second`"
        )
    if settings["direction"] not in DIRECTIONS:
        raise ValueError(f"Unknown `direction`: `{settings['direction']}`. Use one of `left` or `right`.")
    return settings


def padding_settings(options: Settings) -> Settings:
    """The settings of padding, checked."""
    settings: Settings = {
        "length": None,
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_token": "[PAD]",
        "pad_type_id": 0,
        "direction": "right",
    }
    for name, value in options.items():
        if name == "max_length":
            print("enable_padding(max_length=X) is deprecated, use enable_padding(length=X) instead")
            settings["length"] = value
        elif name in settings:
            settings[name] = value
        else:
            print(f"Ignored unknown kwarg option {name}")
    if settings["direction"] not in DIRECTIONS:
        raise ValueError(f"Unknown `direction`: `{settings['direction']}`. Use one of `left` or `right`")
    for name in ("length", "pad_to_multiple_of", "pad_id", "pad_type_id"):
        if settings[name] is not None:
            _size(settings[name])
    if not isinstance(settings["pad_token"], str):
        raise TypeError(f"argument 'pad_token': {type(settings['pad_token']).__name__!r} object is not a str")
    return settings


def truncation_to_json(settings: Settings | None) -> Settings | None:
    """What tokenizer.json holds for truncation."""
    if settings is None:
        return None
    return {
        "direction": DIRECTIONS[settings["direction"]],
        "max_length": settings["max_length"],
        "strategy": STRATEGIES[settings["strategy"]],
        "stride": settings["stride"],
    }


def truncation_from_json(spec: Settings | None) -> Settings | None:
    """The settings that tokenizer.json holds for truncation."""
    if spec is None:
        return None
    return {
        "max_length": spec["max_length"],
        "stride": spec["stride"],
        "strategy": _named(STRATEGIES, spec["strategy"]),
        "direction": _named(DIRECTIONS, spec.get("direction", "Right")),
    }


def padding_to_json(settings: Settings | None) -> Settings | None:
    """What tokenizer.json holds for padding."""
    if settings is None:
        return None
    length = settings["length"]
    return {
        "strategy": "BatchLongest" if length is None else {"Fixed": length},
        "direction": DIRECTIONS[settings["direction"]],
        "pad_to_multiple_of": settings["pad_to_multiple_of"],
        "pad_id": settings["pad_id"],
        "pad_type_id": settings["pad_type_id"],
        "pad_token": settings["pad_token"],
    }


def padding_from_json(spec: Settings | None) -> Settings | None:
    """The settings that tokenizer.json holds for padding."""
    if spec is None:
        return None
    strategy = spec["strategy"]
    return {
        "length": None if strategy == "BatchLongest" else strategy["Fixed"],
        "pad_to_multiple_of": spec.get("pad_to_multiple_of"),
        "pad_id": spec["pad_id"],
        "pad_token": spec["pad_token"],
        "pad_type_id": spec["pad_type_id"],
        "direction": _named(DIRECTIONS, spec["direction"]),
    }


def room(settings: Settings, added: int) -> int:
    """How many tokens of the sequences a row may have, beside so many special ones.

    As with the owner, a row that cannot even hold these is not cut at all.
    """
    left: int = settings["max_length"] - added
    return left if left >= 0 else left + (1 << 64)


def kept_lengths(first: int, second: int | None, limit: int, strategy: str) -> tuple[int, int]:
    """How many tokens of each sequence are kept, so that there are at most `limit`."""
    if limit == 0:
        return 0, 0
    total = first + (second or 0)
    if total <= limit:
        return first, second or 0
    excess = total - limit
    if strategy == "longest_first":
        if second is None:
            return limit, 0
        shorter, longer = sorted((first, second))
        longer = shorter if shorter > limit else max(shorter, limit - shorter)
        if shorter + longer > limit:
            shorter, longer = limit // 2, limit // 2 + limit % 2
        return (longer, shorter) if first > second else (shorter, longer)
    if strategy == "only_second" and second is None:
        raise TruncationError("Truncation error: Second sequence not provided")
    length = first if strategy == "only_first" else second
    assert length is not None
    if length <= excess:
        raise TruncationError("Truncation error: Sequence to truncate too short to respect the provided max_length")
    return (first - excess, second or 0) if strategy == "only_first" else (first, length - excess)


class TruncationError(Exception):
    """A row cannot be cut to its length in the way that was asked for."""


def truncate(encodings: list[Encoding], limit: int, settings: Settings) -> None:
    """Cuts the encodings of one or two sequences in place."""
    lengths = [len(encoding) for encoding in encodings]
    kept = kept_lengths(lengths[0], lengths[1] if len(lengths) > 1 else None, limit, settings["strategy"])
    for encoding, length, keep in zip(encodings, lengths, kept, strict=False):
        if keep < length:
            encoding.cut(keep, settings["stride"], settings["direction"])


def kept_window(begin: int, end: int, keep: int, settings: Settings) -> tuple[int, int]:
    """The part of a sequence that truncation keeps."""
    windows = truncation_windows(end - begin, keep, settings["stride"], settings["direction"])
    if windows is None:
        return begin, end
    first, last = windows[0]
    return begin + first, begin + last


def padded_length(longest: int, settings: Settings) -> int:
    """The length that the rows of a batch are padded to, of which the longest has so many tokens."""
    length: int = longest if settings["length"] is None else settings["length"]
    multiple = settings["pad_to_multiple_of"]
    return length + -length % multiple if multiple else length


def _named(names: dict[str, str], value: str) -> str:
    for name, spelled in names.items():
        if spelled == value:
            return name
    raise ValueError(f"unknown variant `{value}`, expected one of {', '.join(names.values())}")


def _size(value: int) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{type(value).__name__!r} object cannot be interpreted as an integer")
    if value < 0:
        raise OverflowError("can't convert negative int to unsigned")
    return value
