"""Random tokenizer.json files: every component with every option, around small models made by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from peers import spell

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Component = dict[str, Any]

flags = st.booleans()


def component(kind: str, **fields: SearchStrategy[Any]) -> SearchStrategy[Component]:
    """A component of this type with these fields."""
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


def sequence(key: str, items: SearchStrategy[Component]) -> SearchStrategy[Component]:
    """A sequence component."""
    return component("Sequence", **{key: st.lists(items, max_size=3)})


literals = st.sampled_from([" ", "a", "ab", "▁", "``", "é", "  ", "\n", "e\u0301"])
regexes = st.sampled_from(
    [r"\s+", r"[aeiou]", r" {2,}|[\n\r\t]", r"\p{N}", r"(?<=a)b", r"\p{P}", r"[^a-z]", r"(?i:AB)"]
)
patterns = st.one_of(
    st.builds(lambda literal: {"String": literal}, literals),
    st.builds(lambda regex: {"Regex": regex}, regexes),
)
contents = st.sampled_from(["", " ", "▁", "a", "ab", "é", "\\1", "$0"])
replacements = component("Replace", pattern=patterns, content=contents)

_normalizers = st.one_of(
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"]).flatmap(component),
    component(
        "BertNormalizer",
        clean_text=flags,
        handle_chinese_chars=flags,
        strip_accents=st.sampled_from([None, True, False]),
        lowercase=flags,
    ),
    component("Strip", strip_left=flags, strip_right=flags),
    component("Prepend", prepend=st.sampled_from(["▁", "ab", "é "])),
    replacements,
)
normalizers = st.one_of(st.none(), _normalizers, sequence("normalizers", _normalizers))

behaviors = st.sampled_from(["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
_pre_tokenizers = st.one_of(
    st.sampled_from(["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"]).flatmap(component),
    component("ByteLevel", add_prefix_space=flags, trim_offsets=flags, use_regex=flags),
    component("Split", pattern=patterns, behavior=behaviors, invert=flags),
    component("Punctuation", behavior=behaviors),
    component("Digits", individual_digits=flags),
    component("CharDelimiterSplit", delimiter=st.sampled_from([" ", "a", "é"])),
    component("FixedLength", length=st.integers(1, 4)),
    component(
        "Metaspace",
        replacement=st.sampled_from(["▁", "_"]),
        prepend_scheme=st.sampled_from(["always", "first", "never"]),
        split=flags,
    ),
)
pre_tokenizers = st.one_of(st.none(), _pre_tokenizers, sequence("pretokenizers", _pre_tokenizers))

_decoders = st.one_of(
    st.sampled_from(["ByteFallback", "Fuse"]).flatmap(component),
    component("ByteLevel", add_prefix_space=flags, trim_offsets=flags, use_regex=flags),
    replacements,
    component("Strip", content=st.sampled_from([" ", "a", "▁"]), start=st.integers(0, 2), stop=st.just(0)),
    component(
        "Metaspace",
        replacement=st.sampled_from(["▁", "a"]),
        prepend_scheme=st.sampled_from(["always", "first", "never"]),
        split=flags,
    ),
    component("WordPiece", prefix=st.sampled_from(["##", "a", ""]), cleanup=flags),
    component("BPEDecoder", suffix=st.sampled_from(["</w>", "b"])),
    component("CTC", pad_token=st.sampled_from(["<pad>", "a"]), word_delimiter_token=st.just("|"), cleanup=flags),
)
LLAMA = [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    {"type": "ByteFallback"},
    {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0},
]
decoders = st.one_of(
    st.none(),
    _decoders,
    sequence("decoders", _decoders),
    st.just({"type": "Sequence", "decoders": LLAMA}),
)

SPECIALS = {"[CLS]": 1, "[SEP]": 2}
_pieces = st.one_of(
    st.builds(
        lambda name, type_id: {"SpecialToken": {"id": name, "type_id": type_id}},
        st.sampled_from(list(SPECIALS)),
        st.integers(0, 2),
    ),
    st.builds(lambda name, type_id: {"Sequence": {"id": name, "type_id": type_id}}, st.just("A"), st.integers(0, 2)),
)
_ends = component(
    "BertProcessing", sep=st.just(["[SEP]", SPECIALS["[SEP]"]]), cls=st.just(["[CLS]", SPECIALS["[CLS]"]])
)
_templates = st.builds(
    lambda before, after, types: {
        "type": "TemplateProcessing",
        "single": [*before, {"Sequence": {"id": "A", "type_id": types[0]}}, *after],
        "pair": [
            *before,
            {"Sequence": {"id": "A", "type_id": types[1]}},
            *after,
            {"Sequence": {"id": "B", "type_id": types[2]}},
            *after,
        ],
        "special_tokens": {name: {"id": name, "ids": [id, 0], "tokens": [name, "x"]} for name, id in SPECIALS.items()},
    },
    st.lists(_pieces.filter(lambda piece: "SpecialToken" in piece), max_size=2),
    st.lists(_pieces.filter(lambda piece: "SpecialToken" in piece), max_size=2),
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)),
)
_trims = component("ByteLevel", add_prefix_space=flags, trim_offsets=flags, use_regex=flags)
_roberta = component(
    "RobertaProcessing",
    sep=st.just(["[SEP]", SPECIALS["[SEP]"]]),
    cls=st.just(["[CLS]", SPECIALS["[CLS]"]]),
    trim_offsets=flags,
    add_prefix_space=flags,
)
post_processors = st.one_of(
    st.none(),
    _ends,
    _templates,
    _trims,
    _roberta,
    st.builds(
        lambda trims, template: {"type": "Sequence", "processors": [*trims, template]},
        st.lists(_trims, max_size=2),
        st.one_of(_ends, _templates, _roberta),
    ),
)

_contents = st.sampled_from(
    [
        "<|x|>",
        "<|xy|>",
        "word",
        "Word",
        "[MASK]",
        "ab",
        "é",
        "e\u0301clair",
        "  ",
        " a",
        "▁",
        "AB",
        "the",
        "Ġ",
        "[CLS]",
        "b",
    ]
)
added_tokens = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(0, 400),
            "content": _contents,
            "single_word": flags,
            "lstrip": flags,
            "rstrip": flags,
            "normalized": flags,
            "special": flags,
        }
    ),
    max_size=4,
    unique_by=lambda token: token["content"],
)

_LETTERS = [*"abcdefghijklmnopqrstuvwxyzAB019.,'-▁_ é\u0301ĠĊ漢¨Ã<>"]
_WORDS = [
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "<pad>",
    "a",
    "ab",
    "the",
    "dog",
    "word",
    "is",
    "n't",
    "1234567",
    "▁the",
    "é",
    "булок",
]
_PIECES = [f"##{piece}" for piece in [*_LETTERS, "ing", "ab", "og"]]
_WORD_PIECES = [*_WORDS, *_LETTERS, *_PIECES, "</w>", "b</w>"]
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def _vocab(tokens: list[str], stride: int) -> dict[str, int]:
    return {token: index * stride for index, token in enumerate(dict.fromkeys(tokens))}


_gaps = st.sampled_from([1, 1, 1, 2])

word_pieces = st.builds(
    lambda stride, longest, dropped: {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": longest,
        "vocab": _vocab([token for token in _WORD_PIECES if token not in dropped], stride),
    },
    _gaps,
    st.sampled_from([100, 100, 4]),
    st.sets(st.sampled_from([*_LETTERS, *_PIECES])),
)
word_levels = st.builds(
    lambda stride, dropped: {
        "type": "WordLevel",
        "vocab": _vocab([token for token in [*_WORDS, *_LETTERS, *_BYTES] if token not in dropped], stride),
        "unk_token": "[UNK]",
    },
    _gaps,
    st.sets(st.sampled_from(_LETTERS)),
)


def _byte_level_bpe(merges: list[list[str]]) -> Component:
    tokens = ["[UNK]", "[CLS]", "[SEP]", *(spell(bytes([byte])) for byte in range(256)), *map("".join, merges)]
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": _vocab(tokens, 1),
        "merges": merges,
    }


MERGES = [["t", "h"], ["th", "e"], ["Ġ", "the"], ["a", "b"], ["Ã", "©"], ["Ġ", "Ġ"], ["i", "n"], ["in", "g"]]
byte_level_bpes = st.integers(0, len(MERGES)).map(lambda count: _byte_level_bpe(MERGES[:count]))


_ALPHABET = [*"abc ▁é漢<0x61>\n_Ġ.'"]
dense_texts = st.lists(st.sampled_from([*_ALPHABET, "z", "🦜", "e\u0301", " ab", "  ", "<0x61>"]), max_size=24).map(
    "".join
)
"""Texts over the alphabet of the BPE models made here, and a little besides."""


@st.composite
def character_bpes(draw: st.DrawFn) -> Component:
    """BPE over characters with any options, and merges in an order that a trainer would or would not make."""
    prefix = draw(st.sampled_from([None, None, None, "", "##", "é"]))
    suffix = draw(st.sampled_from([None, None, None, "", "</w>", "é"]))
    unknown = draw(st.sampled_from([None, "[UNK]", "a"]))
    dropped = draw(st.sets(st.sampled_from(_ALPHABET), max_size=4)) - {unknown}
    letters = [letter for letter in dict.fromkeys(_ALPHABET) if letter not in dropped]
    known = [f"{p or ''}{letter}{s or ''}" for p in {None, prefix} for s in {None, suffix} for letter in letters]
    byte_tokens = draw(st.sampled_from([[], _BYTES, [token for token in _BYTES if token not in ("<0xE6>", "<0x0A>")]]))
    if prefix or suffix:
        # Ids agree there too, but the reference gives offsets beyond the text.
        byte_tokens = []
    strange = draw(st.booleans())
    parts = [*sorted(known), *(["[UNK]", "<0xE6>", "<0xBC>"] if strange and byte_tokens == _BYTES else [])]
    merges = []
    for left, right in draw(st.lists(st.tuples(st.integers(0), st.integers(0)), max_size=16)):
        pair = (parts[left % len(parts)], parts[right % len(parts)])
        if prefix and not (pair[1].startswith(prefix) and len(pair[1]) > len(prefix)):
            continue
        if pair not in merges or strange:
            merges.append(pair)
        if (made := pair[0] + pair[1][len(prefix or "") :]) not in parts:
            parts.append(made)
    if strange:
        merges = draw(st.permutations(merges))
    tokens = dict.fromkeys(["[UNK]", "[CLS]", "[SEP]", "<pad>", *sorted(known), *byte_tokens, *sorted(parts)])
    return {
        "type": "BPE",
        "dropout": draw(st.sampled_from([None, 0.0])),
        "unk_token": unknown,
        "continuing_subword_prefix": prefix,
        "end_of_word_suffix": suffix,
        "fuse_unk": draw(flags),
        "byte_fallback": draw(flags),
        "ignore_merges": draw(flags),
        "vocab": {token: id for id, token in enumerate(tokens)},
        "merges": merges,
    }


def documents(
    models: SearchStrategy[Component], pre_tokenizers: SearchStrategy[Component | None] = pre_tokenizers
) -> SearchStrategy[str]:
    """Files with one of these models."""
    fields = st.fixed_dictionaries(
        {
            "version": st.just("1.0"),
            "truncation": st.none(),
            "padding": st.none(),
            "added_tokens": added_tokens,
            "normalizer": normalizers,
            "pre_tokenizer": pre_tokenizers,
            "post_processor": post_processors,
            "decoder": decoders,
            "model": models,
        }
    )
    return fields.map(json.dumps)


byte_level_ends = _trims.map(lambda step: {**step, "add_prefix_space": False})
