"""Ready-made tokenizers: a model and the components that go with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import decoders, normalizers, pre_tokenizers, processors, trainers
from ._regex import Regex
from ._tokenizer import Tokenizer
from .models import BPE, Unigram, WordPiece

__all__ = [
    "BaseTokenizer",
    "BertWordPieceTokenizer",
    "ByteLevelBPETokenizer",
    "CharBPETokenizer",
    "SentencePieceBPETokenizer",
    "SentencePieceUnigramTokenizer",
]

FORWARDED = (
    "num_special_tokens_to_add",
    "get_vocab",
    "get_added_tokens_decoder",
    "get_vocab_size",
    "enable_padding",
    "no_padding",
    "no_truncation",
    "add_tokens",
    "encode",
    "encode_batch",
    "async_encode_batch",
    "async_encode_batch_fast",
    "decode",
    "decode_batch",
    "async_decode_batch",
    "token_to_id",
    "id_to_token",
    "save",
    "to_str",
    "post_process",
    "padding",
    "truncation",
)
"""What these tokenizers leave to the `Tokenizer` that they are made of."""

COMPONENTS = ("model", "normalizer", "pre_tokenizer", "post_processor", "decoder")


class BaseTokenizer:
    """A `Tokenizer` and the parameters that it was made with."""

    def __init__(self, tokenizer: Tokenizer, parameters: dict[str, Any] | None = None) -> None:
        self._tokenizer = tokenizer
        self._parameters = {} if parameters is None else parameters

    def __getattr__(self, name: str) -> Any:
        if name in FORWARDED or name in COMPONENTS:
            return getattr(self._tokenizer, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in COMPONENTS:
            setattr(self._tokenizer, name, value)
        else:
            super().__setattr__(name, value)

    def __repr__(self) -> str:
        parameters = ", ".join(f"{name}={value}" for name, value in self._parameters.items())
        return f"Tokenizer(vocabulary_size={self._tokenizer.get_vocab_size()}, {parameters})"

    def enable_truncation(self, max_length: int, stride: int = 0, strategy: str = "longest_first") -> None:
        """`Tokenizer.enable_truncation`."""
        self._tokenizer.enable_truncation(max_length, stride=stride, strategy=strategy)

    def add_special_tokens(self, special_tokens: list[Any]) -> int:
        """`Tokenizer.add_special_tokens`."""
        return self._tokenizer.add_special_tokens(special_tokens)

    def normalize(self, sequence: str) -> str:
        """The normalised text."""
        normalizer = self._tokenizer.normalizer
        return sequence if normalizer is None else normalizer.normalize_str(sequence)

    def save_model(self, directory: str, prefix: str | None = None) -> list[str]:
        """Writes the files of the model, and returns their paths."""
        return self._tokenizer.model.save(directory, prefix=prefix)

    def _train(self, files: str | list[str], trainer: trainers.Trainer) -> None:
        self._tokenizer.train([files] if isinstance(files, str) else files, trainer)


def _in_turn(steps: list[normalizers.Normalizer]) -> normalizers.Normalizer | None:
    """One normalizer for several."""
    if len(steps) > 1:
        return normalizers.Sequence(steps)
    return steps[0] if steps else None


def _bpe(vocab: Any, merges: Any, **options: Any) -> Tokenizer:
    if vocab is None or merges is None:
        return Tokenizer(BPE(**options))
    return Tokenizer(BPE(vocab, merges, **options))


def _make_special(tokenizer: Tokenizer, *tokens: Any) -> None:
    """Makes special those of these tokens that the vocabulary has."""
    for token in map(str, tokens):
        if tokenizer.token_to_id(token) is not None:
            tokenizer.add_special_tokens([token])


BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class BertWordPieceTokenizer(BaseTokenizer):
    """BERT's: WordPiece with BERT's normalizer, pretokenizer and special tokens."""

    def __init__(
        self,
        vocab: str | dict[str, int] | None = None,
        unk_token: Any = "[UNK]",
        sep_token: Any = "[SEP]",
        cls_token: Any = "[CLS]",
        pad_token: Any = "[PAD]",
        mask_token: Any = "[MASK]",
        clean_text: bool = True,
        handle_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        lowercase: bool = True,
        wordpieces_prefix: str = "##",
    ) -> None:
        parameters = {name: value for name, value in locals().items() if name not in ("self", "vocab", "__class__")}
        tokenizer = Tokenizer(WordPiece(vocab, unk_token=str(unk_token)))
        _make_special(tokenizer, unk_token, sep_token, cls_token, pad_token, mask_token)
        tokenizer.normalizer = normalizers.BertNormalizer(
            clean_text=clean_text,
            handle_chinese_chars=handle_chinese_chars,
            strip_accents=strip_accents,
            lowercase=lowercase,
        )
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        if vocab is not None:
            ends = []
            for name, token in (("sep_token", str(sep_token)), ("cls_token", str(cls_token))):
                id = tokenizer.token_to_id(token)
                if id is None:
                    raise TypeError(f"{name} not found in the vocabulary")
                ends.append((token, id))
            tokenizer.post_processor = processors.BertProcessing(*ends)
        tokenizer.decoder = decoders.WordPiece(prefix=wordpieces_prefix)
        super().__init__(tokenizer, {"model": "BertWordPiece", **parameters})

    @staticmethod
    def from_file(vocab: str, **options: Any) -> BertWordPieceTokenizer:
        """The tokenizer of a vocab.txt."""
        return BertWordPieceTokenizer(WordPiece.read_file(vocab), **options)

    def train(self, files: str | list[str], **options: Any) -> None:
        """Trains the model on files; options as for `train_from_iterator`."""
        self._train(files, self._trainer(**options))

    def train_from_iterator(self, iterator: Iterable[Any], *, length: int | None = None, **options: Any) -> None:
        """Trains the model on texts.

        Options are `vocab_size` (30000), `min_frequency` (2), `limit_alphabet` (1000), `initial_alphabet`,
        `special_tokens` (BERT's), `show_progress` and `wordpieces_prefix` ("##").
        """
        self._tokenizer.train_from_iterator(iterator, self._trainer(**options), length)

    @staticmethod
    def _trainer(
        vocab_size: int = 30000,
        min_frequency: int = 2,
        limit_alphabet: int = 1000,
        initial_alphabet: Iterable[str] = (),
        special_tokens: Iterable[Any] = BERT_SPECIALS,
        show_progress: bool = True,
        wordpieces_prefix: str = "##",
    ) -> trainers.Trainer:
        return trainers.WordPieceTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            limit_alphabet=limit_alphabet,
            initial_alphabet=list(initial_alphabet),
            special_tokens=list(special_tokens),
            show_progress=show_progress,
            continuing_subword_prefix=wordpieces_prefix,
        )


class ByteLevelBPETokenizer(BaseTokenizer):
    """GPT-2's: BPE over bytes."""

    def __init__(
        self,
        vocab: str | dict[str, int] | None = None,
        merges: Any = None,
        add_prefix_space: bool = False,
        lowercase: bool = False,
        dropout: float | None = None,
        unicode_normalizer: str | None = None,
        continuing_subword_prefix: str | None = None,
        end_of_word_suffix: str | None = None,
        trim_offsets: bool = False,
    ) -> None:
        parameters = {
            name: value for name, value in locals().items() if name not in ("self", "vocab", "merges", "__class__")
        }
        if vocab is None or merges is None:
            tokenizer = Tokenizer(BPE())
        else:
            tokenizer = _bpe(
                vocab,
                merges,
                dropout=dropout,
                continuing_subword_prefix=continuing_subword_prefix or "",
                end_of_word_suffix=end_of_word_suffix or "",
            )
        steps = [normalizers.unicode_normalizer_from_str(unicode_normalizer)] if unicode_normalizer else []
        if lowercase:
            steps.append(normalizers.Lowercase())
        tokenizer.normalizer = _in_turn(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
        super().__init__(tokenizer, {"model": "ByteLevelBPE", **parameters})

    @staticmethod
    def from_file(vocab_filename: str, merges_filename: str, **options: Any) -> ByteLevelBPETokenizer:
        """The tokenizer of a vocab.json and a merges.txt."""
        return ByteLevelBPETokenizer(*BPE.read_file(vocab_filename, merges_filename), **options)

    def train(self, files: str | list[str], **options: Any) -> None:
        """Trains the model on files; options as for `train_from_iterator`."""
        self._train(files, self._trainer(**options))

    def train_from_iterator(self, iterator: Iterable[Any], *, length: int | None = None, **options: Any) -> None:
        """Trains the model on texts.

        Options are `vocab_size` (30000), `min_frequency` (2), `show_progress` and `special_tokens`.
        """
        self._tokenizer.train_from_iterator(iterator, self._trainer(**options), length)

    @staticmethod
    def _trainer(
        vocab_size: int = 30000,
        min_frequency: int = 2,
        show_progress: bool = True,
        special_tokens: Iterable[Any] = (),
    ) -> trainers.Trainer:
        return trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            show_progress=show_progress,
            special_tokens=list(special_tokens),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )


class CharBPETokenizer(BaseTokenizer):
    """BPE over characters, with a suffix for the end of a word; the defaults are those of OpenAI's first GPT."""

    def __init__(
        self,
        vocab: str | dict[str, int] | None = None,
        merges: Any = None,
        unk_token: Any = "<unk>",
        suffix: str = "</w>",
        dropout: float | None = None,
        lowercase: bool = False,
        unicode_normalizer: str | None = None,
        bert_normalizer: bool = True,
        split_on_whitespace_only: bool = False,
    ) -> None:
        parameters = {
            name: value for name, value in locals().items() if name not in ("self", "vocab", "merges", "__class__")
        }
        tokenizer = _bpe(vocab, merges, dropout=dropout, unk_token=str(unk_token), end_of_word_suffix=suffix)
        _make_special(tokenizer, unk_token)
        steps = [normalizers.unicode_normalizer_from_str(unicode_normalizer)] if unicode_normalizer else []
        if bert_normalizer:
            steps.append(normalizers.BertNormalizer(lowercase=False))
        if lowercase:
            steps.append(normalizers.Lowercase())
        tokenizer.normalizer = _in_turn(steps)
        if split_on_whitespace_only:
            tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        else:
            tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.BPEDecoder(suffix=suffix)
        super().__init__(tokenizer, {"model": "BPE", **parameters})

    @staticmethod
    def from_file(vocab_filename: str, merges_filename: str, **options: Any) -> CharBPETokenizer:
        """The tokenizer of a vocab.json and a merges.txt."""
        return CharBPETokenizer(*BPE.read_file(vocab_filename, merges_filename), **options)

    def train(self, files: str | list[str], **options: Any) -> None:
        """Trains the model on files; options as for `train_from_iterator`."""
        self._train(files, self._trainer(**options))

    def train_from_iterator(self, iterator: Iterable[Any], *, length: int | None = None, **options: Any) -> None:
        """Trains the model on texts.

        Options are `vocab_size` (30000), `min_frequency` (2), `special_tokens` (["<unk>"]), `limit_alphabet` (1000),
        `initial_alphabet`, `suffix` ("</w>") and `show_progress`.
        """
        self._tokenizer.train_from_iterator(iterator, self._trainer(**options), length)

    @staticmethod
    def _trainer(
        vocab_size: int = 30000,
        min_frequency: int = 2,
        special_tokens: Iterable[Any] = ("<unk>",),
        limit_alphabet: int = 1000,
        initial_alphabet: Iterable[str] = (),
        suffix: str | None = "</w>",
        show_progress: bool = True,
    ) -> trainers.Trainer:
        return trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=list(special_tokens),
            limit_alphabet=limit_alphabet,
            initial_alphabet=list(initial_alphabet),
            end_of_word_suffix=suffix,
            show_progress=show_progress,
        )


class SentencePieceBPETokenizer(BaseTokenizer):
    """BPE over characters, with blanks written as SentencePiece writes them."""

    def __init__(
        self,
        vocab: str | dict[str, int] | None = None,
        merges: Any = None,
        unk_token: Any = "<unk>",
        replacement: str = "▁",
        add_prefix_space: bool = True,
        dropout: float | None = None,
        fuse_unk: bool | None = False,
    ) -> None:
        tokenizer = _bpe(vocab, merges, dropout=dropout, unk_token=str(unk_token), fuse_unk=bool(fuse_unk))
        _make_special(tokenizer, unk_token)
        tokenizer.normalizer = normalizers.NFKC()
        _use_metaspace(tokenizer, replacement, add_prefix_space)
        super().__init__(
            tokenizer,
            {
                "model": "SentencePieceBPE",
                "unk_token": unk_token,
                "replacement": replacement,
                "add_prefix_space": add_prefix_space,
                "dropout": dropout,
            },
        )

    @staticmethod
    def from_file(vocab_filename: str, merges_filename: str, **options: Any) -> SentencePieceBPETokenizer:
        """The tokenizer of a vocab.json and a merges.txt."""
        return SentencePieceBPETokenizer(*BPE.read_file(vocab_filename, merges_filename), **options)

    def train(self, files: str | list[str], **options: Any) -> None:
        """Trains the model on files; options as for `train_from_iterator`."""
        self._train(files, self._trainer(**options))

    def train_from_iterator(self, iterator: Iterable[Any], *, length: int | None = None, **options: Any) -> None:
        """Trains the model on texts.

        Options are `vocab_size` (30000), `min_frequency` (2), `special_tokens` (["<unk>"]), `limit_alphabet` (1000),
        `initial_alphabet` and `show_progress`.
        """
        self._tokenizer.train_from_iterator(iterator, self._trainer(**options), length)

    @staticmethod
    def _trainer(
        vocab_size: int = 30000,
        min_frequency: int = 2,
        special_tokens: Iterable[Any] = ("<unk>",),
        limit_alphabet: int = 1000,
        initial_alphabet: Iterable[str] = (),
        show_progress: bool = True,
    ) -> trainers.Trainer:
        return CharBPETokenizer._trainer(
            vocab_size, min_frequency, special_tokens, limit_alphabet, initial_alphabet, None, show_progress
        )


class SentencePieceUnigramTokenizer(BaseTokenizer):
    """Unigram, with blanks written as SentencePiece writes them."""

    def __init__(
        self, vocab: list[tuple[str, float]] | None = None, replacement: str = "▁", add_prefix_space: bool = True
    ) -> None:
        tokenizer = Tokenizer(Unigram(vocab))
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
        )
        _use_metaspace(tokenizer, replacement, add_prefix_space)
        super().__init__(
            tokenizer,
            {"model": "SentencePieceUnigram", "replacement": replacement, "add_prefix_space": add_prefix_space},
        )

    def train(self, files: str | list[str], **options: Any) -> None:
        """Trains the model on files; options as for `train_from_iterator`."""
        self._train(files, self._trainer(**options))

    def train_from_iterator(self, iterator: Iterable[Any], *, length: int | None = None, **options: Any) -> None:
        """Trains the model on texts.

        Options are `vocab_size` (8000), `show_progress`, `special_tokens`, `initial_alphabet` and `unk_token`.
        """
        self._tokenizer.train_from_iterator(iterator, self._trainer(**options), length)

    @staticmethod
    def _trainer(
        vocab_size: int = 8000,
        show_progress: bool = True,
        special_tokens: Iterable[Any] | None = None,
        initial_alphabet: Iterable[str] | None = None,
        unk_token: str | None = None,
    ) -> trainers.Trainer:
        return trainers.UnigramTrainer(
            vocab_size=vocab_size,
            show_progress=show_progress,
            special_tokens=list(special_tokens or ()),
            initial_alphabet=list(initial_alphabet or ()),
            unk_token=unk_token,
        )


def _use_metaspace(tokenizer: Tokenizer, replacement: str, add_prefix_space: bool) -> None:
    scheme = "always" if add_prefix_space else "never"
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=replacement, prepend_scheme=scheme)
    tokenizer.decoder = decoders.Metaspace(replacement=replacement, prepend_scheme=scheme)
