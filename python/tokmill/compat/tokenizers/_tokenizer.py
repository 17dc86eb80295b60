"""`Tokenizer`: a specification that can be changed, and a `tokmill.Tokenizer` that is made of it when one is needed.

The specification is what tokenizer.json holds: components, added tokens, truncation, padding. Components are live: they
count their changes, and the core is made anew at the first use after one. Post-processing, truncation and padding are
done here, for sequences that the core has encoded; what the core cannot run because it is written in Python
(`PreTokenizer.is_custom`, `Normalizer.is_custom`) is run stage by stage instead.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tokmill
from tokmill import TokmillError

from . import _lengths, decoders, models, normalizers, pre_tokenizers, processors, trainers
from ._added_token import AddedToken, AddedVocabulary, tokens_of
from ._batch import Source
from ._compiled import Compiled
from ._encoding import Encoding
from ._inputs import Input, batch_inputs, text_inputs, word_inputs
from ._render import REPR, STR, call
from ._rows import Finishing, Rows
from ._staged import Stages

Revision = tuple[int, ...]


class Tokenizer:
    """A model and optional components around it, which can be replaced and changed at any time.

    They are `normalizer`, `pre_tokenizer`, `post_processor` and `decoder`.

    What the core does not support raises `tokmill.TokmillError`, a `ValueError`, at the first use.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_added",
        "_changes",
        "_compiled_at",
        "_compiled_to",
        "_decoder",
        "_encode_special_tokens",
        "_model",
        "_normalizer",
        "_padding",
        "_post_processor",
        "_pre_tokenizer",
        "_source_text",
        "_truncation",
    )

    def __init__(self, model: models.Model) -> None:
        if not isinstance(model, models.Model):
            raise TypeError(f"argument 'model': {type(model).__name__!r} object is not an instance of 'Model'")
        self._model = model
        self._normalizer: normalizers.Normalizer | None = None
        self._pre_tokenizer: pre_tokenizers.PreTokenizer | None = None
        self._post_processor: processors.PostProcessor | None = None
        self._decoder: decoders.Decoder | None = None
        self._added = AddedVocabulary()
        self._truncation: dict[str, Any] | None = None
        self._padding: dict[str, Any] | None = None
        self._encode_special_tokens = False
        self._changes = 0
        self._compiled_at: Revision | None = None
        self._compiled_to: Compiled | None = None
        self._source_text: tuple[Revision, bytes] | None = None

    # -- reading and writing --------------------------------------------------------------------------------------

    @staticmethod
    def from_str(json: str) -> Tokenizer:
        """The tokenizer that a tokenizer.json holds."""
        return Tokenizer.from_buffer(json.encode())

    @staticmethod
    def from_buffer(buffer: bytes) -> Tokenizer:
        """The tokenizer that the bytes of a tokenizer.json hold."""
        if not isinstance(buffer, bytes):
            raise TypeError(f"argument 'buffer': {type(buffer).__name__!r} object is not an instance of 'bytes'")
        try:
            spec = json.loads(buffer)
        except ValueError as error:
            raise ValueError(f"Cannot instantiate Tokenizer from buffer: {error}") from None
        tokenizer = Tokenizer._from_spec(spec)
        tokenizer._source_text = (tokenizer._revision(), buffer)
        return tokenizer

    @staticmethod
    def from_file(path: str) -> Tokenizer:
        """The tokenizer of a tokenizer.json."""
        return Tokenizer.from_buffer(Path(path).read_bytes())

    @staticmethod
    def from_pretrained(identifier: str, revision: str = "main", token: str | None = None) -> Tokenizer:
        """The tokenizer of a repository of the Hugging Face hub; needs the extra `tokmill[hub]`."""
        from huggingface_hub import hf_hub_download

        return Tokenizer.from_file(hf_hub_download(identifier, "tokenizer.json", revision=revision, token=token))

    @staticmethod
    def _from_spec(spec: Any) -> Tokenizer:
        if not isinstance(spec, dict) or "model" not in spec:
            raise ValueError("missing field `model`")
        if spec.get("version", "1.0") != "1.0":
            raise ValueError(f"Unknown tokenizer version {spec['version']!r}")
        tokenizer = Tokenizer(models.Model.from_spec(spec["model"]))

        def component(kind: type[Any], key: str) -> Any:
            return None if spec.get(key) is None else kind.from_spec(spec[key])

        tokenizer._normalizer = component(normalizers.Normalizer, "normalizer")
        tokenizer._pre_tokenizer = component(pre_tokenizers.PreTokenizer, "pre_tokenizer")
        tokenizer._post_processor = component(processors.PostProcessor, "post_processor")
        tokenizer._decoder = component(decoders.Decoder, "decoder")
        tokenizer._truncation = _lengths.truncation_from_json(spec.get("truncation"))
        tokenizer._padding = _lengths.padding_from_json(spec.get("padding"))
        added = []
        for token in spec.get("added_tokens") or []:
            flags = {name: token[name] for name in ("single_word", "lstrip", "rstrip", "normalized", "special")}
            added.append(AddedToken(token["content"], **flags))
        tokenizer._add(added)
        return tokenizer

    def _spec(self, *, of_core: bool = False) -> dict[str, Any]:
        """What tokenizer.json holds; with `of_core`, without the decoder and what the face does itself."""

        def spec(component: Any) -> Any:
            return None if component is None else component.spec()

        return {
            "version": "1.0",
            "truncation": None if of_core else _lengths.truncation_to_json(self._truncation),
            "padding": None if of_core else _lengths.padding_to_json(self._padding),
            "added_tokens": self._added.specs(),
            "normalizer": spec(self._normalizer),
            "pre_tokenizer": spec(self._pre_tokenizer),
            "post_processor": None if of_core else spec(self._post_processor),
            "decoder": None if of_core else spec(self._decoder),
            "model": self._model.spec(),
        }

    def to_str(self, pretty: bool = False) -> str:
        """The tokenizer.json."""
        if pretty:
            return json.dumps(self._spec(), ensure_ascii=False, indent=2)
        return json.dumps(self._spec(), ensure_ascii=False, separators=(",", ":"))

    def save(self, path: str, pretty: bool = True) -> None:
        """Writes the tokenizer.json."""
        Path(path).write_bytes(self.to_str(pretty).encode())

    def __getstate__(self) -> bytes:
        return self.to_str().encode()

    def __setstate__(self, state: bytes) -> None:
        other = Tokenizer.from_buffer(state)
        for name in Tokenizer.__slots__:
            if not name.startswith("__"):
                setattr(self, name, getattr(other, name))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.__getstate__(),)

    def __deepcopy__(self, memo: Any) -> Tokenizer:
        copy = Tokenizer(_copied(self._model))
        copy._normalizer = _copied(self._normalizer)
        copy._pre_tokenizer = _copied(self._pre_tokenizer)
        copy._post_processor = _copied(self._post_processor)
        copy._decoder = _copied(self._decoder)
        copy._added = self._added.copy()
        copy._truncation = None if self._truncation is None else dict(self._truncation)
        copy._padding = None if self._padding is None else dict(self._padding)
        # What is compiled never changes, so that both may use it.
        if self._compiled_at == self._revision():
            copy._compiled_at, copy._compiled_to = copy._revision(), self._compiled_to
        if self._source_text is not None and self._source_text[0] == self._revision():
            copy._source_text = (copy._revision(), self._source_text[1])
        return copy

    def __repr__(self) -> str:
        return call("Tokenizer", self._spec(), REPR)

    def __str__(self) -> str:
        return call("Tokenizer", self._spec(), STR)

    # -- components -----------------------------------------------------------------------------------------------

    @property
    def model(self) -> models.Model:
        """The model."""
        return self._model

    @model.setter
    def model(self, model: models.Model) -> None:
        if not isinstance(model, models.Model):
            raise TypeError(f"argument 'model': {type(model).__name__!r} object is not an instance of 'Model'")
        self._model = model
        self._changes += 1

    @property
    def normalizer(self) -> normalizers.Normalizer | None:
        """What rewrites the text first."""
        return self._normalizer

    @normalizer.setter
    def normalizer(self, normalizer: normalizers.Normalizer | None) -> None:
        self._normalizer = _checked(normalizer, normalizers.Normalizer, "normalizer")
        self._changes += 1

    @property
    def pre_tokenizer(self) -> pre_tokenizers.PreTokenizer | None:
        """What cuts the text into pieces."""
        return self._pre_tokenizer

    @pre_tokenizer.setter
    def pre_tokenizer(self, pre_tokenizer: pre_tokenizers.PreTokenizer | None) -> None:
        self._pre_tokenizer = _checked(pre_tokenizer, pre_tokenizers.PreTokenizer, "pretok")
        self._changes += 1

    @property
    def post_processor(self) -> processors.PostProcessor | None:
        """What puts special tokens around sequences and trims offsets."""
        return self._post_processor

    @post_processor.setter
    def post_processor(self, processor: processors.PostProcessor | None) -> None:
        self._post_processor = _checked(processor, processors.PostProcessor, "processor")

    @property
    def decoder(self) -> decoders.Decoder | None:
        """What makes a text of tokens."""
        return self._decoder

    @decoder.setter
    def decoder(self, decoder: decoders.Decoder | None) -> None:
        self._decoder = _checked(decoder, decoders.Decoder, "decoder")
        self._changes += 1

    @property
    def encode_special_tokens(self) -> bool:
        """Whether special tokens in a text are encoded as the text that they are."""
        return self._encode_special_tokens

    @encode_special_tokens.setter
    def encode_special_tokens(self, value: bool) -> None:
        self._encode_special_tokens = bool(value)

    # -- truncation and padding -----------------------------------------------------------------------------------

    @property
    def truncation(self) -> dict[str, Any] | None:
        """The settings of truncation, as `enable_truncation` takes them."""
        return None if self._truncation is None else dict(self._truncation)

    def enable_truncation(self, max_length: int, **options: Any) -> None:
        """Cuts encodings to `max_length` tokens from now on.

        Options are `stride` (0), `strategy` ("longest_first", "only_first" or "only_second") and `direction`
        ("right" or "left").
        """
        settings = _lengths.truncation_settings(max_length, options)
        added = self.num_special_tokens_to_add(False)
        room = _lengths.room(settings, added)
        if room < settings["stride"]:
            raise ValueError(
                f"tokenizer stride set to {settings['stride']}, which is greater than or equal to its effective max "
                f"length of {room} (= {max_length} original max length - {added} added special tokens), "
            )
        self._truncation = settings

    def no_truncation(self) -> None:
        """Cuts no more."""
        self._truncation = None

    @property
    def padding(self) -> dict[str, Any] | None:
        """The settings of padding, as `enable_padding` takes them."""
        return None if self._padding is None else dict(self._padding)

    def enable_padding(self, **options: Any) -> None:
        """Fills encodings up from now on: to `length`, or to the longest of a batch.

        Options are `direction` ("right"), `pad_id` (0), `pad_type_id` (0), `pad_token` ("[PAD]"), `length` (`None`)
        and `pad_to_multiple_of` (`None`).
        """
        self._padding = _lengths.padding_settings(options)

    def no_padding(self) -> None:
        """Fills up no more."""
        self._padding = None

    # -- the vocabulary -------------------------------------------------------------------------------------------

    def get_vocab(self, with_added_tokens: bool = True) -> dict[str, int]:
        """Tokens to ids."""
        vocab = dict(self._model.get_vocab())
        if with_added_tokens:
            vocab.update(self._added.ids)
        return vocab

    def get_vocab_size(self, with_added_tokens: bool = True) -> int:
        """How many tokens there are."""
        size = self._model.get_vocab_size()
        if with_added_tokens:
            size += sum(self._model.token_to_id(token) is None for token in self._added.ids)
        return size

    def get_added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Ids to added tokens, in order of id."""
        return {id: token.settled() for id, token in self._added}

    def token_to_id(self, token: str) -> int | None:
        """The id of a token."""
        id = self._added.ids.get(token)
        return self._model.token_to_id(token) if id is None else id

    def id_to_token(self, id: int) -> str | None:
        """The token with an id; of an added token that is looked for in normalised text, what it is looked for as."""
        token = self._added.tokens.get(id)
        if token is None:
            return self._model.id_to_token(id)
        if token.normalized and self._normalizer is not None:
            return self._normalizer.normalize_str(token.content)
        return token.content

    def add_tokens(self, tokens: Sequence[str | AddedToken]) -> int:
        """Adds tokens to the vocabulary, and returns how many are new or changed."""
        return self._add(tokens_of(tokens))

    def add_special_tokens(self, tokens: Sequence[str | AddedToken]) -> int:
        """Adds tokens that `skip_special_tokens` leaves out, and returns how many are new or changed."""
        special = tokens_of(tokens)
        for token in special:
            token.special = True
        return self._add(special)

    def _add(self, tokens: Iterable[AddedToken]) -> int:
        return self._added.add(tokens, self._model.get_vocab_size(), self._model.token_to_id)

    def num_special_tokens_to_add(self, is_pair: bool) -> int:
        """How many special tokens the post-processor puts around a sequence or a pair."""
        processor = self._post_processor
        return 0 if processor is None else processor.num_special_tokens_to_add(is_pair)

    # -- the core -------------------------------------------------------------------------------------------------

    def _revision(self) -> Revision:
        parts = (self._model, self._normalizer, self._pre_tokenizer, self._decoder)
        return (self._changes, self._added.revision, *(0 if part is None else part.revision for part in parts))

    def _compiled(self) -> Compiled:
        revision = self._revision()
        if self._compiled_at != revision or self._compiled_to is None:
            at, source = self._source_text or (None, None)
            self._compiled_to = Compiled.of(
                lambda: self._spec(of_core=True),
                self._model,
                self._added,
                self._decoder,
                source if at == revision else None,
            )
            self._compiled_at = revision
        return self._compiled_to

    # -- encoding -------------------------------------------------------------------------------------------------

    def encode(
        self,
        sequence: Any,
        pair: Any = None,
        is_pretokenized: bool = False,
        add_special_tokens: bool = True,
    ) -> Encoding:
        """The encoding of a sequence or a pair: each a text or, if `is_pretokenized`, a list of words."""
        item = (sequence,) if pair is None else (sequence, pair)
        inputs = word_inputs([item]) if is_pretokenized else text_inputs([item])
        return self._encode(inputs, add_special_tokens)[0]

    def encode_batch(
        self, input: Any, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> list[Encoding]:
        """The encodings of many inputs: each a sequence or a pair, a tuple or list of two."""
        return self._encode(batch_inputs(input, is_pretokenized), add_special_tokens)

    def encode_batch_fast(
        self, input: Any, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> list[Encoding]:
        """`encode_batch` without offsets, words and tokens: these are (0, 0), `None` and empty."""
        return self._encode(batch_inputs(input, is_pretokenized), add_special_tokens, with_details=False)

    async def async_encode(
        self, sequence: Any, pair: Any = None, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> Encoding:
        """`encode` in another thread."""
        return await asyncio.to_thread(self.encode, sequence, pair, is_pretokenized, add_special_tokens)

    async def async_encode_batch(
        self, input: Any, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> list[Encoding]:
        """`encode_batch` in another thread."""
        return await asyncio.to_thread(self.encode_batch, input, is_pretokenized, add_special_tokens)

    async def async_encode_batch_fast(
        self, input: Any, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> list[Encoding]:
        """`encode_batch_fast` in another thread."""
        return await asyncio.to_thread(self.encode_batch_fast, input, is_pretokenized, add_special_tokens)

    def _encode(self, inputs: Input, add_special_tokens: bool, *, with_details: bool = True) -> list[Encoding]:
        if self._is_staged():
            return self._encode_staged(inputs, add_special_tokens, with_details=with_details)
        compiled = self._compiled()
        try:
            source = Source(
                compiled.core,
                compiled.table,
                inputs.texts,
                allowed_special="none" if self._encode_special_tokens else "all",
                threads=_threads(),
                renumber=compiled.renumber,
                with_details=with_details,
            )
        except TokmillError as error:
            if "lone surrogate" in str(error):
                raise TypeError(inputs.expected) from None
            if "no unknown token" in str(error):
                raise TokmillError("Encountered an unknown token but `unk_id` is missing") from None
            raise
        ends = source.ends if inputs.counts is None else source.joined(inputs.counts)
        batch = Rows(
            source,
            ends,
            Finishing(self._post_processor, self._truncation, self._padding, add_special_tokens),
            with_details=with_details,
        )
        return batch.single() if inputs.pairs is None else batch.mixed(inputs.pairs)

    # -- post-processing ------------------------------------------------------------------------------------------

    def post_process(
        self, encoding: Encoding, pair: Encoding | None = None, add_special_tokens: bool = True
    ) -> Encoding:
        """Truncation, the post-processor and padding, for encodings that have not been through it."""
        parts = [encoding.copy()] if pair is None else [encoding.copy(), pair.copy()]
        finishing = Finishing(self._post_processor, self._truncation, self._padding, add_special_tokens)
        processed = finishing.process(parts)
        if self._padding is not None:
            processed.fill(_lengths.padded_length(len(processed), self._padding), self._padding)
        return processed

    # -- stage by stage -------------------------------------------------------------------------------------------

    def _is_staged(self) -> bool:
        parts = (self._normalizer, self._pre_tokenizer)
        return self._model.is_random or any(part is not None and part.is_custom for part in parts)

    def _stages(self) -> Stages:
        return Stages(self._added, self._normalizer, self._pre_tokenizer, self._encode_special_tokens)

    def _encode_staged(self, inputs: Input, add_special_tokens: bool, *, with_details: bool) -> list[Encoding]:
        finishing = Finishing(self._post_processor, self._truncation, self._padding, add_special_tokens)
        stages = self._stages()
        sequences = stages.sequences(inputs, self._model, with_details=with_details)
        encodings = []
        for numbers in inputs.rows(len(sequences)):
            parts = [sequences[number] for number in numbers]
            if len(parts) == 2:
                columns = parts[1].written()
                columns.type_ids = [1] * len(columns.ids) if with_details else columns.type_ids
            encodings.append(finishing.process(parts))
        return finishing.filled(encodings)

    # -- decoding -------------------------------------------------------------------------------------------------

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text that ids stand for; ids that no token has are passed over."""
        compiled = self._compiled()
        if not compiled.decodes:
            return self._decode_staged(ids, skip_special_tokens)
        try:
            return compiled.core.decode(_ids(ids), skip_special_tokens=skip_special_tokens)
        except tokmill.UnknownId:
            tokens = compiled.table.tokens
            known = [id for id in ids if id in tokens]
            return compiled.core.decode(known, skip_special_tokens=skip_special_tokens)

    def decode_batch(self, sequences: Sequence[Sequence[int]], skip_special_tokens: bool = True) -> list[str]:
        """The texts that many lists of ids stand for."""
        compiled = self._compiled()
        if compiled.decodes:
            try:
                return compiled.core.decode_batch(
                    [_ids(ids) for ids in sequences], skip_special_tokens=skip_special_tokens, threads=_threads()
                )
            except tokmill.UnknownId:
                pass
        return [self.decode(ids, skip_special_tokens) for ids in sequences]

    async def async_decode_batch(
        self, sequences: Sequence[Sequence[int]], skip_special_tokens: bool = True
    ) -> list[str]:
        """`decode_batch` in another thread."""
        return await asyncio.to_thread(self.decode_batch, sequences, skip_special_tokens)

    def _decode_staged(self, ids: Sequence[int], skip_special_tokens: bool) -> str:
        special = self._added.special_contents if skip_special_tokens else set()
        found = (self.id_to_token(id) for id in ids)
        tokens = [token for token in found if token is not None and token not in special]
        return " ".join(tokens) if self._decoder is None else self._decoder.decode(tokens)

    # -- training -------------------------------------------------------------------------------------------------

    def train(self, files: Sequence[str], trainer: trainers.Trainer | None = None) -> None:
        """Trains the model on the lines of files."""
        if isinstance(files, str):
            raise TypeError("argument 'files': Can't extract `str` to `Vec`")
        self._train(trainers.lines_of(files), trainer)

    def train_from_iterator(
        self, iterator: Iterable[Any], trainer: trainers.Trainer | None = None, length: int | None = None
    ) -> None:
        """Trains the model on texts, or on lists of texts. `length` is how many there are, for a progress bar."""
        self._train(trainers.texts_of(iterator), trainer)

    def _train(self, texts: Iterable[str], trainer: trainers.Trainer | None) -> None:
        trainer = self._model.get_trainer() if trainer is None else trainer
        special = trainer.train(self._model, texts, self._stages())
        self._changes += 1
        self.add_special_tokens(special)


def _threads() -> int | None:
    """One thread where the owner's variable turns parallelism off, else as many as suit the input."""
    switch = os.environ.get("TOKENIZERS_PARALLELISM")
    return 1 if switch is not None and switch.lower() in ("", "off", "false", "f", "no", "n", "0") else None


def _restored(state: bytes) -> Tokenizer:
    return Tokenizer.from_buffer(state)


def _copied(component: Any) -> Any:
    return None if component is None else component._copy()


def _checked(component: Any, kind: type[Any], name: str) -> Any:
    component = kind.adopted(component)
    if component is not None and not isinstance(component, kind):
        raise TypeError(
            f"argument {name!r}: {type(component).__name__!r} object is not an instance of {kind.__name__!r}"
        )
    return component


def _ids(ids: Any) -> Any:
    if isinstance(ids, str | int):
        raise TypeError(f"argument 'ids': {type(ids).__name__!r} object is not an instance of 'Sequence'")
    return ids
