"""A causal language model of transformers as a `CachedModel`: keys and values are kept, and a tree is one forward pass.

All contexts lie one after another in one cache of one row. A context is one place in it; a mask lets each place see
its ancestors and nothing else, and its position number is its depth. So any number of contexts of any number of texts,
and trees of them, are evaluated in one forward pass without padding, and none is computed twice. The method is that of
tree attention (Miao et al., SpecInfer, arXiv 2305.09781). The attention of each token reads the whole cache, so
contexts that are no longer needed are dropped as soon as they are half of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tokmill._tokmill import TokmillError

if TYPE_CHECKING:
    import numpy.typing as npt


class TransformersModel:
    """Gives `ByteLM` the logits of a causal model, on any device and in any precision.

    Args:
        model: For instance `AutoModelForCausalLM.from_pretrained(...)`. It must take a mask and position numbers of our
            making, as models with attention of the implementations "eager" and "sdpa" do; this is tried out here.

    Raises:
        TokmillError: The model does not, because it is recurrent, for instance. Or, from `step`: a context is longer
            than the model's positions or its attention window.
    """

    def __init__(self, model: Any) -> None:
        import torch

        self._torch = torch
        self._model = model.eval()
        self._longest = _longest_context(model)
        self._cache: Any = None
        self._count = 0
        """Contexts evaluated so far, kept or not."""
        self._length = 0
        """Contexts in the cache."""
        self._place: dict[int, int] = {}
        """Where each context lies in the cache."""
        self._sees = np.zeros((0, 0), dtype=bool)
        """Which places a place attends to: its ancestors and itself."""
        self._depth = np.zeros(0, dtype=np.int64)
        """The position of each place in its own sequence."""
        self._clear()
        try:
            self._try_out()
        except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise TokmillError(f"{type(model).__name__} cannot evaluate a tree of contexts: {reason}") from error
        self._clear()

    def step(self, parents: npt.NDArray[np.int64], tokens: npt.NDArray[np.uint32]) -> Any:
        """Evaluate contexts; see `tokmill.byte_lm.CachedModel`.

        Returns:
            A tensor [n, vocabulary] on the CPU, in the precision of the model.
        """
        old, new = self._length, self._length + len(tokens)
        place = self._place | {self._count + row: old + row for row in range(len(tokens))} | {-1: -1}
        for row, parent in enumerate(parents.tolist()):
            if not -1 <= place.get(parent, old + row) < old + row:
                raise TokmillError(f"context {parent} was to be extended, which is not there")
        self._reserve(new)
        for row, parent in enumerate(parents.tolist(), start=old):
            above = place[parent]
            self._sees[row, :new] = self._sees[above, :new] if above >= 0 else False
            self._sees[row, row] = True
            self._depth[row] = self._depth[above] + 1 if above >= 0 else 0
        deepest = int(self._depth[old:new].max(initial=-1)) + 1
        if self._longest is not None and deepest > self._longest:
            raise TokmillError(f"a context has {deepest} tokens; the model sees {self._longest} at most")
        try:
            logits = self._forward(tokens, old, new)
        except BaseException:
            self._keep(slice(0, old))
            raise
        del place[-1]
        self._place, self._length, self._count = place, new, self._count + len(tokens)
        return logits.to("cpu")

    def release(self, contexts: npt.NDArray[np.int64]) -> None:
        """Forget contexts that nobody will extend any more."""
        for number in contexts.tolist():
            self._place.pop(number, None)
        if 2 * len(self._place) > self._length:
            return
        places = np.array(list(self._place.values()), dtype=np.int64)
        self._keep(self._torch.from_numpy(places).to(self._model.device))
        self._sees = self._sees[np.ix_(places, places)]
        self._depth = self._depth[places]
        self._place = {number: place for place, number in enumerate(self._place)}
        self._length = len(places)

    def _clear(self) -> None:
        from transformers import DynamicCache

        # Without the configuration the layers keep everything; what a window would drop is never reached.
        self._cache = DynamicCache()
        self._count, self._length, self._place = 0, 0, {}

    def _reserve(self, length: int) -> None:
        if length > len(self._depth):
            room = max(256, 2 * length)
            sees, depth = np.zeros((room, room), dtype=bool), np.zeros(room, dtype=np.int64)
            sees[: self._length, : self._length] = self._sees[: self._length, : self._length]
            depth[: self._length] = self._depth[: self._length]
            self._sees, self._depth = sees, depth

    def _keep(self, places: Any) -> None:
        for layer in self._cache.layers:
            if layer.keys is not None and layer.keys.numel():
                layer.keys, layer.values = layer.keys[:, :, places], layer.values[:, :, places]

    def _forward(self, tokens: npt.NDArray[np.uint32], old: int, new: int) -> Any:
        torch, device = self._torch, self._model.device
        dtype = self._model.dtype
        mask = torch.zeros((1, 1, new - old, new), dtype=dtype)
        mask.masked_fill_(torch.from_numpy(~self._sees[old:new, :new]), torch.finfo(dtype).min)
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.from_numpy(tokens.astype(np.int64))[None].to(device),
                attention_mask=mask.to(device),
                position_ids=torch.from_numpy(self._depth[old:new])[None].to(device),
                past_key_values=self._cache,
                use_cache=True,
            )
        if output.past_key_values is not self._cache:
            raise TokmillError("the model keeps a cache of its own kind")
        return output.logits[0]

    def _try_out(self) -> None:
        """Compare a small tree with plain sequences."""
        torch = self._torch
        if _alibi(self._model):
            raise TokmillError("its attention takes distances from the cache and not from position numbers (ALiBi)")
        tree = self.step(np.array([-1, 0, 0]), np.array([1, 2, 3], dtype=np.uint32))
        tree = torch.cat([tree, self.step(np.array([2, 1]), np.array([2, 3], dtype=np.uint32))])
        with torch.inference_mode():
            branches = torch.tensor([[1, 3, 2], [1, 2, 3]], device=self._model.device)
            expected = torch.cat([self._model(input_ids=branch[None]).logits[0].to("cpu") for branch in branches])
        found = tree[[0, 2, 3, 0, 1, 4]]
        tolerance = 20 * torch.finfo(expected.dtype).eps ** 0.75 * float(expected.abs().max())
        if not float((found - expected).abs().max()) <= tolerance:
            raise TokmillError("its logits depend on more than a context's own tokens and their positions")


def _text_config(model: Any) -> Any:
    config = model.config
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _longest_context(model: Any) -> int | None:
    """How many tokens a context may have for each to see all before it."""
    config = _text_config(model)
    limits = [getattr(config, "max_position_embeddings", None)]
    kinds = getattr(config, "layer_types", None)
    if kinds is None or any("sliding" in kind for kind in kinds):
        limits.append(getattr(config, "sliding_window", None))
    if kinds is None or any("chunked" in kind for kind in kinds):
        limits.append(getattr(config, "attention_chunk_size", None))
    return min((limit for limit in limits if limit is not None), default=None)


def _alibi(model: Any) -> bool:
    config = _text_config(model)
    return bool(getattr(config, "alibi", False)) or config.model_type in {"bloom", "mpt"}
