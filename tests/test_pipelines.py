"""The pipelines of published models around a small Unigram or BPE: ids, offsets, type ids and text as in tokenizers.

The stages are those that transformers puts around a model of sentencepiece for T5, ALBERT, mBART, XLNet, DeBERTa-v2 and
NLLB; the model is trained here by sentencepiece with the rules that these were trained with.
"""

from __future__ import annotations

import base64
import functools
import io
import json
from typing import TYPE_CHECKING, Any

import model_files
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from texts import CORPUS, FRAGMENTS
from tokenizers import Tokenizer as Peer

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable

    Json = dict[str, Any]

QUOTES = [("``", '"'), ("''", '"')]
EXTRA = [f"<extra_id_{number}>" for number in reversed(range(20))]


@functools.cache
def _model(kind: str) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in CORPUS * 3 for line in text.splitlines()]),
        model_writer=model,
        model_type=kind,
        vocab_size=450,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=3,
        num_threads=1,
    )
    return model.getvalue()


def _pieces(kind: str) -> list[tuple[str, float]]:
    library = sentencepiece.SentencePieceProcessor(model_proto=_model(kind))
    return [(library.id_to_piece(id), library.get_score(id)) for id in range(3, len(library))]


def _replace(pattern: Json, content: str) -> Json:
    return {"type": "Replace", "pattern": pattern, "content": content}


def _text(pattern: str, content: str) -> Json:
    return _replace({"String": pattern}, content)


def _rules(kind: str = "unigram") -> Json:
    return {
        "type": "Precompiled",
        "precompiled_charsmap": base64.b64encode(model_files.charsmap(_model(kind))).decode(),
    }


SQUEEZE = _replace({"Regex": " {2,}"}, " ")
METASPACE: Json = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
WORDS = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE]}


def _sequence(kind: str, steps: list[Json]) -> Json:
    return {"type": "Sequence", kind: steps}


def _template(single: str, pair: str, ids: dict[str, int]) -> Json:
    """Templates written as `$A:0 </s>:0`."""

    def pieces(template: str) -> list[Json]:
        parts = [part.rsplit(":", 1) for part in template.split()]
        return [
            {"Sequence": {"id": name[1:], "type_id": int(number)}}
            if name.startswith("$")
            else {"SpecialToken": {"id": name, "type_id": int(number)}}
            for name, number in parts
        ]

    tokens = {name: {"id": name, "ids": [id], "tokens": [name]} for name, id in ids.items()}
    return {"type": "TemplateProcessing", "single": pieces(single), "pair": pieces(pair), "special_tokens": tokens}


def _file(model: Json, special: list[str], **stages: Any) -> Json:
    vocab = model["vocab"]
    ids = {piece: id for id, (piece, _) in enumerate(vocab)} if isinstance(vocab, list) else vocab
    template = stages.pop("template", None)
    added = [
        {
            "id": ids[content],
            "content": content,
            "single_word": False,
            "lstrip": content in ("<mask>", "[MASK]"),
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for content in special
    ]
    post = _template(*template, {name: ids[name] for name in special}) if template else None
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(added, key=lambda token: token["id"]),
        "post_processor": post,
        "decoder": {**METASPACE},
        **stages,
        "model": model,
    }


def _unigram(before: list[str], after: list[str], unk: str) -> Json:
    vocab = [(token, 0.0) for token in before] + _pieces("unigram") + [(token, 0.0) for token in after]
    return {"type": "Unigram", "unk_id": before.index(unk), "vocab": vocab, "byte_fallback": False}


def _t5() -> Json:
    special = ["<pad>", "</s>", "<unk>"]
    return _file(
        _unigram(special, EXTRA, "<unk>"),
        [*special, *EXTRA],
        normalizer=_sequence("normalizers", [_rules(), SQUEEZE]),
        pre_tokenizer=METASPACE,
        template=("$A:0 </s>:0", "$A:0 </s>:0 $B:0 </s>:0"),
    )


def _albert() -> Json:
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    folds: list[Json] = [{"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]
    return _file(
        _unigram(special, [], "<unk>"),
        special,
        normalizer=_sequence("normalizers", [*(_text(*quote) for quote in QUOTES), *folds, _rules(), SQUEEZE]),
        pre_tokenizer=WORDS,
        template=("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"),
    )


def _mbart() -> Json:
    special, after = ["<s>", "<pad>", "</s>", "<unk>"], ["ar_AR", "en_XX", "<mask>"]
    return _file(
        _unigram(special, after, "<unk>"),
        [*special, *after],
        normalizer=_sequence("normalizers", [_rules(), SQUEEZE]),
        pre_tokenizer=WORDS,
        template=("$A:0 </s>:0 en_XX:0", "$A:0 $B:0 </s>:0 en_XX:0"),
    )


def _xlnet() -> Json:
    special = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>"]
    return _file(
        _unigram(special, [], "<unk>"),
        special,
        normalizer=_sequence("normalizers", [*(_text(*quote) for quote in QUOTES), _rules(), SQUEEZE]),
        pre_tokenizer=WORDS,
        template=("$A:0 <sep>:0 <cls>:2", "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2"),
    )


def _deberta() -> Json:
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    strip = {"type": "Strip", "strip_left": True, "strip_right": True}
    squeeze = _replace({"Regex": r"\s{2,}|[\n\r\t]"}, " ")
    return _file(
        _unigram(special, ["[MASK]"], "[UNK]"),
        [*special, "[MASK]"],
        normalizer=_sequence("normalizers", [squeeze, {"type": "NFC"}, strip]),
        pre_tokenizer=_sequence("pretokenizers", [{"type": "Punctuation", "behavior": "Isolated"}, METASPACE]),
        template=("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"),
    )


def _nllb() -> Json:
    special, after = ["<s>", "<pad>", "</s>", "<unk>"], ["ace_Arab", "eng_Latn", "<mask>"]
    pieces = _pieces("bpe")
    ids = {token: id for id, token in enumerate([*special, *(piece for piece, _ in pieces), *after])}
    score = dict(pieces)
    merges = [
        (-score[piece], at, piece[:at], piece[at:])
        for piece in score
        for at in range(1, len(piece))
        if piece[:at] in score and piece[at:] in score
    ]
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": "<unk>",
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": ids,
        "merges": [[left, right] for _, _, left, right in sorted(merges)],
    }
    return _file(
        model,
        [*special, *after],
        normalizer=_sequence("normalizers", [_rules("bpe"), SQUEEZE]),
        pre_tokenizer=METASPACE,
        template=("eng_Latn:0 $A:0 </s>:0", "eng_Latn:0 $A:0 $B:0 </s>:0"),
    )


PIPELINES: dict[str, Callable[[], Json]] = {
    "T5": _t5,
    "ALBERT": _albert,
    "mBART": _mbart,
    "XLNet": _xlnet,
    "DeBERTa-v2": _deberta,
    "NLLB": _nllb,
}

_TEXTS = st.lists(
    st.sampled_from(
        [*FRAGMENTS, *CORPUS, "``", "''", "<extra_id_3>", "<mask>", "[MASK]", " <mask>", "</s>", "en_XX", "  "]
    ),
    max_size=10,
).map("".join)


@pytest.fixture(scope="module", params=PIPELINES)
def owners(request: pytest.FixtureRequest) -> tuple[Peer, tokmill.Tokenizer]:
    file = json.dumps(PIPELINES[request.param]())
    return Peer.from_str(file), tokmill.Tokenizer.from_bytes(file.encode())


@given(_TEXTS)
def test_a_text(owners: Any, text: str) -> None:
    peer, ours = owners
    expected = peer.encode(text)
    ids, spans = ours.encode_with_offsets(text, allowed_special="all", add_special_tokens=True)
    assert ids.tolist() == expected.ids
    assert spans.tolist() == [list(span) for span in expected.offsets]
    for skip in (False, True):
        assert ours.decode(ids, skip_special_tokens=skip) == peer.decode(expected.ids, skip_special_tokens=skip)


@given(st.lists(_TEXTS, max_size=6))
def test_words_that_come_again(owners: Any, texts: list[str]) -> None:
    peer, ours = owners
    texts = [*texts, "\n".join(texts)]
    expected = [peer.encode(text, add_special_tokens=False).ids for text in texts]
    for _ in range(2):
        assert [row.tolist() for row in ours.encode_batch(texts, allowed_special="all")] == expected
        assert [ours.encode(text, allowed_special="all").tolist() for text in texts] == expected
        assert [ours.count(text, allowed_special="all") for text in texts] == [len(ids) for ids in expected]


@given(_TEXTS, _TEXTS)
def test_a_pair(owners: Any, first: str, second: str) -> None:
    peer, ours = owners
    expected = peer.encode(first, second)
    rows, types = ours.encode_batch_with_type_ids(
        [first], pairs=[second], allowed_special="all", add_special_tokens=True
    )
    assert rows[0].tolist() == expected.ids
    assert types[0].tolist() == expected.type_ids


@pytest.mark.parametrize("pre_tokenizer", [None, "Whitespace", "WhitespaceSplit"])
def test_a_character_without_a_token_is_an_error_each_time(pre_tokenizer: str | None) -> None:
    model = {
        "type": "Unigram",
        "unk_id": None,
        "vocab": [["a", -1.0], ["b", -2.0], [" ", -3.0]],
        "byte_fallback": False,
    }
    pre = pre_tokenizer and {"type": pre_tokenizer}
    tokenizer = tokmill.Tokenizer.from_bytes(json.dumps({"pre_tokenizer": pre, "model": model}))
    for _ in range(2):
        assert tokenizer.encode("a ab").tolist() == ([0, 2, 0, 1] if pre is None else [0, 0, 1])
        for text in ("ax b", "axaxaxaxaxaxaxaxaxaxaxaxax"):
            for encode in (
                tokenizer.encode,
                tokenizer.count,
                tokenizer.encode_with_offsets,
                lambda text: tokenizer.encode_batch(["a", text]),
                lambda text: tokenizer.count_batch([text, "b"]),
                lambda text: tokenizer.encode_batch_with_offsets([text]),
            ):
                with pytest.raises(tokmill.TokmillError, match="unknown"):
                    encode(text)
