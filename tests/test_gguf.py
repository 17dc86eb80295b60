"""GGUF vocabularies: what llama.cpp makes of tokens by their names, and its own ids where it is installed."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import gguf_files
import pytest
from gguf_files import CONTROL, NORMAL, USER_DEFINED
from hypothesis import given
from hypothesis import strategies as st
from parity.owners import LlamaCpp
from texts import texts

import tokmill

if TYPE_CHECKING:
    from pathlib import Path

SYMBOLS = {">>A<<": CONTROL, "<|end|>": CONTROL, "<e>": USER_DEFINED, "<<e>>": CONTROL, "  ": USER_DEFINED}
PARTS = [*SYMBOLS, "[MASK]", "<", ">", "e", " ", "\t", "\u00a0", "한", "É", "—", "the", "▁"]
FILES = {
    "gpt2": gguf_files.gpt2(SYMBOLS),
    "llama": gguf_files.llama(SYMBOLS),
    "t5": gguf_files.t5(SYMBOLS),
    "bert": gguf_files.bert(SYMBOLS),
    "bert with case and accents": gguf_files.bert(SYMBOLS, **{"normalizer.lowercase": False}),
    "phi-3": gguf_files.llama({**SYMBOLS, "<|endoftext|>": CONTROL}, **{"general.name": "Phi-3 mini"}),
    "modern-bert": gguf_files.gpt2({"[MASK]": CONTROL, **SYMBOLS}, **{"general.name": "modern-bert"}),
}
TOKENIZERS = {name: tokmill.Tokenizer.from_bytes(file) for name, file in FILES.items()}
_TEXTS = st.one_of(texts, st.lists(st.sampled_from(PARTS)).map("".join))


def _tokens(name: str, text: str) -> list[str]:
    tokenizer = TOKENIZERS[name]
    return tokenizer.tokens(text, allowed_special="all")


@pytest.fixture(scope="module", params=FILES)
def owners(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LlamaCpp, tokmill.Tokenizer]:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    path: Path = tmp_path_factory.mktemp("gguf") / "vocabulary.gguf"
    path.write_bytes(FILES[request.param])
    return LlamaCpp(path), TOKENIZERS[request.param]


@given(text=_TEXTS, specials=st.booleans())
def test_ids_are_those_of_llama_cpp(owners: tuple[LlamaCpp, tokmill.Tokenizer], text: str, specials: bool) -> None:
    library, ours = owners
    expected = library.encode([text], specials=specials).values.tolist()
    assert ours.encode(text, allowed_special="all" if specials else "none").tolist() == expected


def test_the_longest_token_is_found_first() -> None:
    assert _tokens("gpt2", ">>A<<|end|>") == [">", ">", "A", "<", "<|end|>"]
    assert _tokens("gpt2", ">>A<<") == [">>A<<"]
    # A special token that is not allowed hides none.
    assert TOKENIZERS["gpt2"].tokens("<<e>>") == ["<", "<e>", ">"]


def test_white_space_is_taken_along_by_the_names_of_models() -> None:
    assert _tokens("phi-3", ">>A<<\t\u00a0a")[0] == ">>A<<"
    assert TOKENIZERS["phi-3"].decode(TOKENIZERS["phi-3"].encode(">>A<<\t a", allowed_special="all")[1:]) == "a"
    assert _tokens("modern-bert", "a \t[MASK]") == ["a", "[MASK]"]


def test_words_of_bert_are_cut_as_there() -> None:
    assert _tokens("bert", "Thé\u0301 한—a$ the") == ["▁the", "▁ᄒ", "▁—", "▁a", "[UNK]", "▁the"]
    assert _tokens("bert", "a▁the ▁a") == ["▁a", "▁the", "▁▁", "a"]


def test_types_are_mended_by_spelling() -> None:
    names = {"</s>": NORMAL, "<|im_end|>": USER_DEFINED, "<|message|>": CONTROL, "<fim_prefix>": USER_DEFINED}
    tokenizer = tokmill.Tokenizer.from_bytes(gguf_files.gpt2(names))
    assert sorted(tokenizer.special_tokens) == ["</s>", "<fim_prefix>", "<|im_end|>"]
    assert tokenizer.tokens("<|message|>") == ["<|message|>"]
    both = {"<fim_prefix>": USER_DEFINED, "<|fim_prefix|>": USER_DEFINED}
    with pytest.raises(tokmill.TokmillError, match="any one"):
        tokmill.Tokenizer.from_bytes(gguf_files.gpt2(both))
    named = tokmill.Tokenizer.from_bytes(gguf_files.gpt2(both, fim_pre_token_id=263))
    assert not named.special_tokens


@pytest.mark.parametrize("name", FILES)
def test_pickles_keep_everything(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again == tokenizer
    for text in ("Hello the  world", ">>A<<|end|> \t<e>a<<e>>", "Thé 한—a"):
        for specials in ("none", "all"):
            options = {"allowed_special": specials, "add_special_tokens": True}
            assert again.encode(text, **options).tolist() == tokenizer.encode(text, **options).tolist()


def test_blanks_that_only_llama_cpp_would_treat_so_are_refused() -> None:
    for fields, reason in (
        ({"add_space_prefix": True}, "without the other"),
        ({"remove_extra_whitespaces": True}, "other"),
    ):
        with pytest.raises(tokmill.TokmillError, match=reason):
            tokmill.Tokenizer.from_bytes(gguf_files.t5(**fields))
    with pytest.raises(tokmill.TokmillError, match="without a map"):
        tokmill.Tokenizer.from_bytes(gguf_files.t5(add_space_prefix=True, remove_extra_whitespaces=True))


def test_what_others_would_read_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(tokmill.TokmillError, match=r"llama\.cpp"):
        TOKENIZERS["bert"].save(tmp_path / "tokenizer.json")
    with pytest.raises(tokmill.TokmillError, match="not special or has flags"):
        TOKENIZERS["llama"].save(tmp_path / "a.model")
    plain = tokmill.Tokenizer.from_bytes(gguf_files.llama())
    with pytest.warns(UserWarning, match="template"):
        plain.save(tmp_path / "a.model")
    assert tokmill.Tokenizer.from_file(tmp_path / "a.model") == plain
    with pytest.warns(UserWarning, match="another order"):
        TOKENIZERS["gpt2"].save(tmp_path / "tokenizer.json")
