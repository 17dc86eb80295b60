"""Files that say less, or say it otherwise: vocab.txt, directories, missing types, layout 2.0, declared ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

import tokmill

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "dog", "Dog", "##s", "un", "##able", "e", "##t", "é"]
TEXTS = ["The dogs, unable", "dog Dog é e\u0301t", "", "[MASK] dogs [SEP] x", "\u4e00dog\u200b\tdog"]


def _bert(*, lowercase: bool) -> Tokenizer:
    """BERT's pipeline around the entries."""
    peer = Tokenizer(models.WordPiece({entry: id for id, entry in enumerate(ENTRIES)}, unk_token="[UNK]"))
    peer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    peer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    peer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    peer.decoder = decoders.WordPiece()
    peer.add_special_tokens([entry for entry in ENTRIES if entry.startswith("[")])
    return peer


def _assert_agree(peer: Tokenizer, ours: tokmill.Tokenizer) -> None:
    for text in TEXTS:
        expected = peer.encode(text, "a dog")
        ids, types = ours.encode_with_type_ids(text, "a dog", allowed_special="all", add_special_tokens=True)
        assert (ids.tolist(), types.tolist()) == (expected.ids, expected.type_ids)
        single = peer.encode(text)
        ids, spans = ours.encode_with_offsets(text, allowed_special="all", add_special_tokens=True)
        assert (ids.tolist(), list(map(tuple, spans.tolist()))) == (single.ids, single.offsets)
        assert ours.decode(ids) == peer.decode(single.ids, skip_special_tokens=False)


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_vocab_txt_is_berts(tmp_path: Path, lowercase: bool) -> None:
    file = tmp_path / "vocab.txt"
    file.write_text("".join(f"{entry}\n" for entry in ENTRIES), encoding="utf-8")
    peer = _bert(lowercase=lowercase)
    _assert_agree(peer, tokmill.Tokenizer.from_file(file, lowercase=lowercase))
    _assert_agree(peer, tokmill.Tokenizer.from_bytes(file.read_bytes(), lowercase=lowercase))
    with pytest.raises(tokmill.TokmillError, match="lowercase"):
        tokmill.Tokenizer.from_file(file)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}))
    _assert_agree(peer, tokmill.Tokenizer.from_file(file))
    _assert_agree(peer, tokmill.Tokenizer.from_file(tmp_path))


def test_settings_of_other_tokenizers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(ENTRIES), encoding="utf-8")
    settings: dict[str, Any] = {"do_lower_case": True, "tokenizer_class": "BertJapaneseTokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(tokmill.TokmillError, match="BertJapaneseTokenizer"):
        tokmill.Tokenizer.from_file(tmp_path)


def test_lowercase_is_for_a_vocab_txt_alone() -> None:
    with pytest.raises(tokmill.TokmillError, match="lowercase"):
        tokmill.Tokenizer.from_bytes(_bert(lowercase=True).to_str(), lowercase=True)


@pytest.mark.parametrize("slot", ["model", "normalizer", "post_processor", "decoder"])
def test_components_are_told_by_their_fields(slot: str) -> None:
    document = json.loads(_bert(lowercase=True).to_str())
    del document[slot]["type"]
    text = json.dumps(document)
    _assert_agree(Tokenizer.from_str(text), tokmill.Tokenizer.from_bytes(text))


def test_ids_of_added_tokens_are_not_honoured() -> None:
    """They are given anew in the order of the file, from the number of entries on, whoever has that id."""
    document = json.loads(_bert(lowercase=False).to_str())
    document["model"]["vocab"] = {entry: 2 * id for entry, id in document["model"]["vocab"].items()}
    document["post_processor"] = None
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    contents = ["<new>", "dog", "<other>", "un", "<new>"]
    document["added_tokens"] = [{"id": 99 - index, "content": text, **plain} for index, text in enumerate(contents)]
    text = json.dumps(document)
    peer, ours = Tokenizer.from_str(text), tokmill.Tokenizer.from_bytes(text)
    assert peer.token_to_id("<new>") == ours.token_id("<new>") == len(ENTRIES)
    for sample in ["<new>dog<other>", "un able", "the dogs"]:
        assert ours.encode(sample).tolist() == peer.encode(sample).ids
    for id in peer.get_vocab().values():
        assert ours.decode([id]) == peer.decode([id], skip_special_tokens=False)
    again = Tokenizer.from_str(ours.to_bytes().decode())
    assert again.encode("<new>dog<other>").ids == peer.encode("<new>dog<other>").ids


def test_normalized_tokens_are_matched_in_normalized_text() -> None:
    peer = _bert(lowercase=True)
    peer.add_tokens(
        [AddedToken("Straße", single_word=True), AddedToken("DOG ", rstrip=True), AddedToken("É", lstrip=True)]
    )
    ours = tokmill.Tokenizer.from_bytes(peer.to_str())
    for text in ["straße STRASSE Straßen", "a dog  dog", "x  é É e\u0301", "DOG\t dog"]:
        expected = peer.encode(text, add_special_tokens=False)
        ids, spans = ours.encode_with_offsets(text)
        assert (ids.tolist(), list(map(tuple, spans.tolist()))) == (expected.ids, expected.offsets)


def test_layout_2_is_read() -> None:
    """What tokenizers 1.0 (release candidate 3) makes of BERT's pipeline and of SentencePiece's."""
    document = json.loads(_bert(lowercase=True).to_str())
    ids = {"[CLS]": 2, "[SEP]": 3}
    document["version"] = "2.0"
    document["role_to_token"] = None
    document["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"ids": [ids["[CLS]"]]}, {"seq": "A"}, {"ids": [ids["[SEP]"]]}],
        "pair": [
            {"ids": [ids["[CLS]"]]},
            {"seq": "A"},
            {"ids": [ids["[SEP]"]]},
            {"seq": "B", "type_id": 1},
            {"ids": [ids["[SEP]"]], "type_id": 1},
        ],
    }
    ours = tokmill.Tokenizer.from_bytes(json.dumps(document))
    _assert_agree(_bert(lowercase=True), ours)
    assert json.loads(ours.to_bytes())["version"] == "1.0"


def test_layout_2_spells_metaspace_otherwise() -> None:
    entries = ["<unk>", "▁", "▁the", "▁dog", "s", "a", "dog", "▁▁"]
    peer = Tokenizer(models.WordLevel({entry: id for id, entry in enumerate(entries)}, unk_token="<unk>"))
    peer.pre_tokenizer = pre_tokenizers.Metaspace()
    peer.decoder = decoders.Metaspace()
    document = json.loads(peer.to_str())
    document["version"] = "2.0"
    document["normalizer"] = {
        "type": "MetaspaceNormalizer",
        "replacement": "▁",
        "prepend": "always",
        "drop_whitespace": False,
    }
    document["pre_tokenizer"] = {
        "type": "Split",
        "pattern": {"String": "▁"},
        "behavior": "MergedWithNext",
        "invert": False,
    }
    ours = tokmill.Tokenizer.from_bytes(json.dumps(document))
    for text in ["the dog", "a  dogs", " the"]:
        expected = peer.encode(text)
        assert ours.encode(text).tolist() == expected.ids
        assert ours.decode(expected.ids) == peer.decode(expected.ids)


def test_layout_2_has_the_alphabet_of_bytes_in_the_model() -> None:
    import peers

    peer = peers.train("gpt2")
    document = json.loads(peer.to_str())
    document["version"] = "2.0"
    document["pre_tokenizer"] = {"type": "Split", "pattern": {"Regex": peers.GPT2}}
    document["decoder"] = {"type": "ByteLevel"}
    document["model"]["byte_level"] = True
    ours = tokmill.Tokenizer.from_bytes(json.dumps(document))
    for text in ["the quick  brown dog's", "naïve 漢字\n\n"]:
        expected = peer.encode(text)
        assert ours.encode(text).tolist() == expected.ids
        assert ours.decode(expected.ids) == peer.decode(expected.ids, skip_special_tokens=False)
