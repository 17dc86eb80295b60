"""How a token model is called: in batches of contexts, as sequences or as extensions of contexts it has kept.

A context is a token sequence after which the next token's logits are wanted. The contexts of a text form a tree: each
is an earlier one and a token. A model that keeps nothing gets the sequences; one that keeps keys and values gets the
edges of the tree, so each context costs one token.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from tokmill._tokmill import TokmillError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from tokmill._tokmill import ByteRequest

Logits: TypeAlias = Any
"""An array [contexts, at least vocab_size] of numpy, torch, or anything else that hands out DLPack on the CPU."""

StepFunction: TypeAlias = "Callable[[list[npt.NDArray[np.uint32]]], Logits]"
"""Logits for the next token after each sequence."""

ROOT = -1
"""The parent of a context of one token."""


@runtime_checkable
class CachedModel(Protocol):
    """A model that keeps what it computed for a context (keys and values), and extends contexts by one token.

    Contexts are numbered as they are evaluated, from 0 on, over all calls. An object may also have
    `release(contexts: int64[n])`, which is called, before a step, with contexts that are no longer needed; their
    numbers are not used again.
    """

    def step(self, parents: npt.NDArray[np.int64], tokens: npt.NDArray[np.uint32], /) -> Logits:
        """Evaluate contexts: each is the context numbered `parents[i]`, -1 for the empty one, and `tokens[i]`.

        A parent may be a context of the same call that stands before it: the rows of one call form trees, which a
        transformer evaluates in one forward pass with a mask of ancestors. The result has a row for each.
        """
        ...


class Contexts:
    """What a model that keeps contexts calls those of a session and its forks."""

    def __init__(self, prefix: Sequence[int]) -> None:
        self.prefix = list(prefix)
        self.of_node: dict[int, int] = {}
        """The number of a context by its node in the engine's tree."""
        self.of_edge: dict[tuple[int, int], int] = {}
        """The number of a context by that of its parent and its last token."""
        self.numbers: list[int] = []
        """All of them."""


Request: TypeAlias = "tuple[Contexts, ByteRequest, list[int]]"
"""Contexts of a session, and which rows of the request are to be evaluated."""


class SequenceRunner:
    """Runs a model that is given whole sequences."""

    def __init__(self, step: StepFunction) -> None:
        self._step = step

    def start(self, prefix: Sequence[int]) -> Contexts:
        """Return the contexts of a new session."""
        return Contexts(prefix)

    def run(self, requests: Sequence[Request]) -> Logits:
        """Return the logits of the requests' rows, one after the other."""
        sequences: list[npt.NDArray[np.uint32]] = []
        for _, request, rows in requests:
            if rows:
                of_request = request.sequences
                sequences += [of_request[row] for row in rows]
        return checked(self._step(sequences), len(sequences))

    def run_sequence(self, contexts: Contexts, ids: Sequence[int]) -> Logits:
        """Return the logits [1, at least vocab_size] after the session's prefix and these tokens."""
        return checked(self._step([np.array([*contexts.prefix, *ids], dtype=np.uint32)]), 1)


class CachedRunner:
    """Runs a model that keeps its contexts."""

    def __init__(self, model: CachedModel, max_contexts: int) -> None:
        self._model = model
        self._max_contexts = max_contexts
        self._count = 0
        self._unneeded: list[int] = []
        """Contexts of sessions that are gone, which the model will be told before the next call."""

    def start(self, prefix: Sequence[int]) -> Contexts:
        """Return the contexts of a new session."""
        contexts = Contexts(prefix)
        # When the last fork of the session goes, which may be at any time: in the middle of a step, too.
        weakref.finalize(contexts, self._unneeded.extend, contexts.numbers).atexit = False
        return contexts

    def run(self, requests: Sequence[Request]) -> Logits:
        """Return the logits of the requests' rows, one after the other."""
        # What leads up to the first node of a session is evaluated first: it must not come between the rows below.
        leads = [
            self._follow(contexts, contexts.prefix[:-1]) if ROOT in request.parents else ROOT
            for contexts, request, _ in requests
        ]
        extensions: list[tuple[Contexts, int, int]] = []
        for (contexts, request, rows), lead in zip(requests, leads, strict=True):
            nodes, parents, tokens = request.nodes.tolist(), request.parents.tolist(), request.tokens.tolist()
            for row in rows:
                if parents[row] == ROOT:
                    extension = (contexts, lead, self._last_of_prefix(contexts))
                else:
                    extension = (contexts, contexts.of_node[parents[row]], tokens[row])
                contexts.of_node[nodes[row]] = self._count + len(extensions)
                extensions.append(extension)
        return self._evaluate(extensions)

    def run_sequence(self, contexts: Contexts, ids: Sequence[int]) -> Logits:
        """Return the logits [1, at least vocab_size] after the session's prefix and these tokens."""
        sequence = [*contexts.prefix, *ids]
        if not sequence:
            self._last_of_prefix(contexts)
        parent = self._follow(contexts, sequence[:-1])
        return self._evaluate([(contexts, parent, sequence[-1])])

    def _follow(self, contexts: Contexts, ids: Sequence[int]) -> int:
        """Return the number of the context of these tokens; what of it the model does not have is evaluated."""
        at, parent = 0, ROOT
        while at < len(ids) and (parent, ids[at]) in contexts.of_edge:
            parent = contexts.of_edge[parent, ids[at]]
            at += 1
        for begin in range(at, len(ids), self._max_contexts):
            piece = ids[begin : begin + self._max_contexts]
            parents = [parent, *range(self._count, self._count + len(piece) - 1)]
            self._evaluate([(contexts, row, token) for row, token in zip(parents, piece, strict=True)])
            parent = self._count - 1
        return parent

    def _last_of_prefix(self, contexts: Contexts) -> int:
        if not contexts.prefix:
            raise TokmillError("a model that keeps contexts begins with a token: give prefix_ids, say [begin_of_text]")
        return contexts.prefix[-1]

    def _evaluate(self, extensions: Sequence[tuple[Contexts, int, int]]) -> Logits:
        """The logits of contexts that are given by their parent and their last token."""
        self._release()
        parents = np.array([parent for _, parent, _ in extensions], dtype=np.int64)
        tokens = np.array([token for _, _, token in extensions], dtype=np.uint32)
        logits = checked(self._model.step(parents, tokens), len(extensions))
        for number, (contexts, parent, token) in enumerate(extensions, start=self._count):
            contexts.of_edge[parent, token] = number
            contexts.numbers.append(number)
        self._count += len(extensions)
        return logits

    def _release(self) -> None:
        numbers = self._unneeded[:]
        del self._unneeded[: len(numbers)]
        release = getattr(self._model, "release", None)
        if numbers and release is not None:
            release(np.array(numbers, dtype=np.int64))


def checked(logits: Logits, rows: int) -> Logits:
    """Return the logits if they have that many rows."""
    shape = tuple(logits.shape)
    if len(shape) != 2 or shape[0] != rows:
        raise TokmillError(f"the model returned logits of shape {shape} for {rows} contexts, not [{rows}, vocabulary]")
    return logits
