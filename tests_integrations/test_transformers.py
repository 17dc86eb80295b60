"""The transformers adapter on small models with random weights: trees, caches, precisions, byte models."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

import tokmill
from tokmill.byte_lm import CachedModel
from tokmill.integrations.transformers import TransformersModel

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # Small models only wait for each other.
VOCAB = 60
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
COMMON = {"vocab_size": VOCAB, "bos_token_id": 0, "eos_token_id": 1, "initializer_range": 0.5}
LLAMA = {**SIZES, **COMMON, "num_key_value_heads": 2, "max_position_embeddings": 64}


def gpt2(**options: object) -> transformers.PreTrainedModel:
    config = transformers.GPT2Config(
        **{"n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 64, **COMMON, **options}
    )
    return transformers.GPT2LMHeadModel(config)


MODELS = {
    "gpt2": gpt2,
    "llama": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA)),
    "llama, eager": lambda: transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**LLAMA, attn_implementation="eager")
    ),
    "qwen2, bfloat16": lambda: transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**LLAMA)).to(torch.bfloat16),
    "mistral, windows of 8": lambda: transformers.MistralForCausalLM(
        transformers.MistralConfig(**LLAMA, sliding_window=8)
    ),
}


@cache
def make(name: str) -> transformers.PreTrainedModel:
    torch.manual_seed(1)
    return MODELS[name]().eval()


def plain(model: transformers.PreTrainedModel, sequence: list[int]) -> torch.Tensor:
    """The logits after a sequence, without cache or mask."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([sequence])).logits[0, -1]


def close(model: transformers.PreTrainedModel, found: torch.Tensor, expected: torch.Tensor) -> bool:
    tolerance = 0.2 if model.dtype == torch.bfloat16 else 1e-3
    return float((found - expected).abs().max()) < tolerance


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_trees_are_sequences(name: str, data: st.DataObject) -> None:
    model = make(name)
    adapter = TransformersModel(model)
    assert isinstance(adapter, CachedModel)
    sequences: dict[int, list[int]] = {}
    count = 0
    for _ in range(data.draw(st.integers(1, 4))):
        parents, tokens = [], []
        for _ in range(data.draw(st.integers(1, 6))):
            known = [number for number, sequence in sequences.items() if len(sequence) < 8]
            parents.append(data.draw(st.sampled_from([-1, *known])))
            tokens.append(data.draw(st.integers(0, VOCAB - 1)))
            sequences[count] = [*sequences.get(parents[-1], []), tokens[-1]]
            count += 1
        logits = adapter.step(np.array(parents), np.array(tokens, dtype=np.uint32))
        assert logits.shape == (len(tokens), VOCAB)
        for row, number in zip(logits, range(count - len(tokens), count), strict=True):
            assert close(model, row, plain(model, sequences[number]))
        # A leaf goes; what it was made of stays.
        leaves = [n for n, s in sequences.items() if not any(t[:-1] == s for t in sequences.values())]
        dropped = data.draw(st.lists(st.sampled_from(leaves), unique=True))
        adapter.release(np.array(dropped, dtype=np.int64))
        for number in dropped:
            del sequences[number]


def test_contexts_that_are_not_there() -> None:
    adapter = TransformersModel(make("gpt2"))
    adapter.step(np.array([-1, 0]), np.array([1, 2], dtype=np.uint32))
    adapter.release(np.array([0, 1]))
    for parents in ([0], [5], [-1, 3], [-2]):
        with pytest.raises(tokmill.TokmillError, match="not there"):
            adapter.step(np.array(parents), np.ones(len(parents), dtype=np.uint32))
    again = adapter.step(np.array([-1, 2]), np.array([1, 2], dtype=np.uint32))
    assert close(make("gpt2"), again[1], plain(make("gpt2"), [1, 2]))


@pytest.mark.parametrize(("name", "longest"), [("gpt2", 64), ("mistral, windows of 8", 8)])
def test_contexts_that_are_too_long(name: str, longest: int) -> None:
    adapter = TransformersModel(make(name))
    chain = np.arange(-1, longest - 1)
    adapter.step(chain, np.ones(longest, dtype=np.uint32))
    with pytest.raises(tokmill.TokmillError, match=f"{longest} at most"):
        adapter.step(np.array([longest - 1]), np.array([1], dtype=np.uint32))
    adapter.step(np.array([longest - 2]), np.array([2], dtype=np.uint32))


@pytest.mark.parametrize(
    "model",
    [
        lambda: transformers.BloomForCausalLM(transformers.BloomConfig(hidden_size=32, n_layer=2, n_head=4, **COMMON)),
        lambda: transformers.MambaForCausalLM(transformers.MambaConfig(hidden_size=32, num_hidden_layers=2, **COMMON)),
    ],
    ids=["alibi", "recurrent"],
)
def test_models_that_cannot_take_a_tree_are_refused(model) -> None:
    with pytest.raises(tokmill.TokmillError, match="cannot evaluate a tree"):
        TransformersModel(model())


# -- byte models ----------------------------------------------------------------------------------------------------

CORPUS = [b"the cat sat on the mat, the rat sat on the cat. ", b"that is that; this and that and the other thing. "] * 4


@cache
def tokenizer() -> tokmill.Tokenizer:
    return tokmill.train_bpe(CORPUS, 300, special_tokens=["<|begin|>", "<|end|>"], initial_alphabet="seen")


@cache
def byte_models(dtype: torch.dtype) -> tuple[tokmill.ByteLM, tokmill.ByteLM]:
    """The same model with its cache, and as a function of sequences; one tokenizer entry fewer than it has logits."""
    torch.manual_seed(2)
    model = gpt2(vocab_size=tokenizer().vocab_size + 5, initializer_range=0.2, n_positions=256).to(dtype).eval()
    engine = tokmill.ByteEngine(tokenizer(), end_of_text=1)

    def step(sequences: list[np.ndarray]) -> torch.Tensor:
        return torch.stack([plain(model, sequence.tolist()) for sequence in sequences])

    return (
        tokmill.ByteLM(engine, TransformersModel(model), prefix_ids=[0]),
        tokmill.ByteLM(engine, step, prefix_ids=[0]),
    )


def test_bytes_from_a_cache_are_bytes_from_sequences() -> None:
    cached, simple = byte_models(torch.float32)
    prompts = [b"", b"the c", b"that is th", b"the other thing. the"]
    assert cached.next_batch(prompts) == pytest.approx(simple.next_batch(prompts), abs=1e-4)
    score, expected = (lm.score(b"the rat sat", end=True) for lm in (cached, simple))
    assert score.log_probs == pytest.approx(expected.log_probs, abs=1e-4)
    assert score.end == pytest.approx(expected.end, abs=1e-4)
    assert cached.sample_batch(prompts, 12, seed=1) == simple.sample_batch(prompts, 12, seed=1)
    ids = [lm.sample_tokens(8, prompt=b"the ca", seed=2).tolist() for lm in (cached, simple)]
    assert ids[0] == ids[1]
    assert tokenizer().decode_bytes(ids[0]).startswith(b"the ca")
    filled = cached.start(b"th", prefix_ids=[1, 5, 6, 0])
    assert filled.next() == pytest.approx(simple.start(b"th", prefix_ids=[1, 5, 6, 0]).next(), abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_precisions(dtype: torch.dtype) -> None:
    rough, simple = byte_models(dtype)
    assert np.exp(rough.next(b"the c")).sum() <= 1 + 1e-6
    assert rough.next(b"the c")[:128] == pytest.approx(simple.next(b"the c")[:128], abs=0.2)
    rough.sample_tokens(2, prompt=b"the c", seed=1)


def test_contexts_are_given_back() -> None:
    cached, _ = byte_models(torch.float32)
    adapter = cached._runner._model
    cached.next(b"")
    cached.next(b"")
    before = adapter._length
    cached.score_batch([b"the cat sat on the mat"] * 3)
    cached.sample(30, prompt=b"the c", seed=1)
    assert adapter._length > before
    cached.next(b"")
    assert adapter._length == before
