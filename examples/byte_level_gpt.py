"""Train two small GPTs with different tokenizers, and ask them byte by byte.

Shown are the bits that the next byte costs where a text is cut anywhere, for three ways to ask a token model: to
tokenize what is there and go on; to take the last token back and let the model choose it anew (token healing); and the
exact sum over all token sequences that the text may be the beginning of. Then the two models are joined, and a gap is
filled in whose left side ends inside a token.

Needs `pip install 'tokmill[transformers]'`, and about ten minutes on two cores. The texts are the sources of Python's
standard library.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import tokmill
from tokmill.byte_lm import ByteModel
from tokmill.integrations.transformers import TransformersModel

BEGIN, SUFFIX, END = "<|begin|>", "<|suffix|>", "<|end|>"
LENGTH = 256
BATCH = 8


@dataclass
class Gpt:
    """A model, its tokenizer, and the two as a byte model."""

    tokenizer: tokmill.Tokenizer
    model: GPT2LMHeadModel
    lm: tokmill.ByteLM

    def id(self, token: str) -> int:
        """The id of a special token."""
        return self.tokenizer.special_tokens[token]

    def probabilities(self, ids: list[int]) -> npt.NDArray[np.float64]:
        """The next token's probabilities float64[vocab_size] after these."""
        with torch.inference_mode():
            logits = self.model(torch.tensor([ids])).logits[0, -1].double()
        return np.asarray(torch.softmax(logits, dim=0))


def main() -> None:
    """Train, measure, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=700, help="training steps for each model")
    parser.add_argument("--cuts", type=int, default=250, help="how many texts to cut")
    parser.add_argument("--results", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    torch.manual_seed(1)
    random.seed(1)
    train_texts, test_texts = standard_library()
    first = train(train_texts, vocab_size=2048, pattern="o200k_base", steps=options.steps)
    second = train(train_texts, vocab_size=1024, pattern="gpt2", steps=options.steps)

    bits = measure_cuts(first, second, test_texts, options.cuts)
    for where, row in bits.items():
        print(f"{where:22}" + "".join(f"  {name} {value:.3f}" for name, value in row.items()))
    held_out = [text[:400] for text in random.Random(3).sample(test_texts, 20)]
    scores = measure_scores(first, second, held_out)
    for name, value in scores.items():
        print(f"{name:22}  {value:.3f} bits per byte")
    fill_in(first)
    if options.results:
        facts = {"python": platform.python_version(), "steps": options.steps, "cuts": options.cuts}
        options.results.write_text(json.dumps({"facts": facts, "bits": bits, "scores": scores}, indent=2) + "\n")


def standard_library() -> tuple[list[bytes], list[bytes]]:
    """Source files to train on, and one in ten to test on."""
    root = Path(sysconfig.get_path("stdlib"))
    paths = [path for path in sorted(root.rglob("*.py")) if {"site-packages", "test"}.isdisjoint(path.parts)]
    texts = [text for text in (path.read_bytes() for path in paths) if len(text) > 1000 and text.isascii()]
    random.Random(2).shuffle(texts)
    return texts[len(texts) // 10 :], texts[: len(texts) // 10]


# -- training -------------------------------------------------------------------------------------------------------


def train(texts: list[bytes], *, vocab_size: int, pattern: str, steps: int) -> Gpt:
    """Train a tokenizer and a model on texts, half of them turned round so that it learns to fill in."""
    tokenizer = tokmill.train_bpe(texts, vocab_size, pattern=pattern, special_tokens=[BEGIN, SUFFIX, END])
    begin, end = tokenizer.special_tokens[BEGIN], tokenizer.special_tokens[END]
    config = GPT2Config(
        vocab_size=tokenizer.vocab_size,
        n_positions=2 * LENGTH,
        n_embd=128,
        n_layer=3,
        n_head=4,
        bos_token_id=begin,
        eos_token_id=end,
        resid_pdrop=0,
        embd_pdrop=0,
        attn_pdrop=0,
    )
    model = GPT2LMHeadModel(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.1)
    started, losses = time.perf_counter(), []
    for _ in range(steps):
        ids, labels = batch(texts, tokenizer)
        logits = model(ids).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    parameters = sum(parameter.numel() for parameter in model.parameters())
    seconds = time.perf_counter() - started
    tail = float(np.mean(losses[-50:]))
    print(f"trained {tokenizer.vocab_size} ids, {parameters} parameters in {seconds:.0f} s, {tail:.2f} nats per token")
    engine = tokmill.ByteEngine(tokenizer, end_of_text=end)
    return Gpt(tokenizer, model, tokmill.ByteLM(engine, TransformersModel(model), prefix_ids=[begin]))


def batch(texts: list[bytes], tokenizer: tokmill.Tokenizer) -> tuple[torch.Tensor, torch.Tensor]:
    """Token sequences, and the same as labels, without the padding."""
    special = tokenizer.special_tokens
    ids = torch.full((BATCH, LENGTH), special[END])
    labels = torch.full((BATCH, LENGTH), -100)
    for row in range(BATCH):
        sequence = [special[BEGIN], *tokenizer.encode(passage(random.choice(texts), 1200)).tolist()]
        if row % 2:
            # What stands after the gap comes first; what stands before it and what fills it are one text after that,
            # so the model never sees where the gap begins. Only its end is marked.
            text = passage(random.choice(texts), 500)
            gap_end = random.randrange(len(text) + 1)
            suffix, inner = text[gap_end:], text[:gap_end]
            sequence = [special[SUFFIX], *tokenizer.encode(suffix).tolist(), special[BEGIN]]
            sequence += [*tokenizer.encode(inner).tolist(), special[END]]
        sequence = sequence[:LENGTH]
        ids[row, : len(sequence)] = labels[row, : len(sequence)] = torch.tensor(sequence)
    return ids, labels


def passage(text: bytes, length: int) -> bytes:
    """Some lines of a text."""
    at = text.rfind(b"\n", 0, random.randrange(len(text))) + 1
    return text[at : at + length]


# -- measuring ------------------------------------------------------------------------------------------------------


def measure_cuts(first: Gpt, second: Gpt, texts: list[bytes], cuts: int) -> dict[str, dict[str, float]]:
    """The mean bits of the byte after a cut, for each way to ask the first model, and for both models joined."""
    draw = random.Random(4)
    joined = tokmill.Ensemble([first.lm, second.lm])
    rows: list[tuple[bool, dict[str, float]]] = []
    for _ in range(cuts):
        text = draw.choice(texts)
        at = text.rfind(b"\n", 0, draw.randrange(len(text) - 400)) + 1
        length = draw.randrange(20, 400)
        prompt, byte = text[at : at + length], text[at + length]
        boundaries = np.cumsum([len(first.tokenizer.token_bytes(token)) for token in first.tokenizer.encode(text[at:])])
        ways = {
            "naive": naive(first, prompt),
            "healing": healing(first, prompt),
            "exact": np.exp(first.lm.next(prompt)),
            "two models": np.exp(joined.next(prompt)),
        }
        inside = length not in boundaries
        rows.append((inside, {name: -math.log2(max(way[byte], 1e-300)) for name, way in ways.items()}))
    groups = {
        f"all {cuts}": rows,
        f"inside a token, {sum(inside for inside, _ in rows)}": [row for row in rows if row[0]],
        f"at a token's end, {sum(not inside for inside, _ in rows)}": [row for row in rows if not row[0]],
    }
    return {
        where: {name: float(np.mean([bits[name] for _, bits in group])) for name in rows[0][1]}
        for where, group in groups.items()
        if group
    }


def by_byte(gpt: Gpt, probabilities: npt.NDArray[np.float64], begin: bytes) -> npt.NDArray[np.float64]:
    """What each byte after `begin` gets from the tokens that go beyond it, float64[256]."""
    result = np.zeros(256)
    special = set(gpt.tokenizer.special_tokens.values())
    for token_id, p in enumerate(probabilities):
        if token_id not in special:
            token = gpt.tokenizer.token_bytes(token_id)
            if token.startswith(begin) and len(token) > len(begin):
                result[token[len(begin)]] += p
    return result


def naive(gpt: Gpt, prompt: bytes) -> npt.NDArray[np.float64]:
    """The next byte, if the prompt's tokens are taken for granted."""
    result = by_byte(gpt, gpt.probabilities([gpt.id(BEGIN), *gpt.tokenizer.encode(prompt).tolist()]), b"")
    result /= result.sum()
    return result


def healing(gpt: Gpt, prompt: bytes) -> npt.NDArray[np.float64]:
    """The next byte, if the last token is taken back and drawn again among those that begin with it."""
    *ids, last = gpt.tokenizer.encode(prompt).tolist()
    probabilities = gpt.probabilities([gpt.id(BEGIN), *ids])
    result = by_byte(gpt, probabilities, gpt.tokenizer.token_bytes(last))
    result += probabilities[last] * naive(gpt, prompt)
    result /= result.sum()
    return result


def measure_scores(first: Gpt, second: Gpt, texts: list[bytes]) -> dict[str, float]:
    """Bits per byte of whole texts."""
    models: dict[str, ByteModel[Any]] = {
        f"{first.tokenizer.vocab_size} ids": first.lm,
        f"{second.tokenizer.vocab_size} ids": second.lm,
        "mean": tokmill.Ensemble([first.lm, second.lm], "mean"),
        "bayes": tokmill.Ensemble([first.lm, second.lm], "bayes"),
        "product": tokmill.Ensemble([first.lm, second.lm], "product"),
    }
    return {name: float(np.mean([model.score(text).bits_per_byte for text in texts])) for name, model in models.items()}


def fill_in(gpt: Gpt) -> None:
    """Fill a gap whose left side ends inside a word."""
    before, after = b"    def __len__(self):\n        retu", b"self._items)\n\n    def __iter__(self):\n"
    prefix_ids = [gpt.id(SUFFIX), *gpt.tokenizer.encode(after).tolist(), gpt.id(BEGIN)]
    session = gpt.lm.start(before, prefix_ids)
    print(f"fill in         {before!r} ... {after!r}")
    print("  by bytes     ", gpt.lm.sample(40, prompt=session, seed=1, temperature=0.3))
    ids = gpt.lm.sample_tokens(12, prompt=session, seed=1, temperature=0.3)
    print("  by tokens    ", gpt.tokenizer.decode_bytes(ids)[len(before) :])


if __name__ == "__main__":
    main()
