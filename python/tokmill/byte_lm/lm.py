"""A token model as a byte model: the engine says which contexts it needs, the model answers, and the text goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tokmill._tokmill import TokmillError
from tokmill.byte_lm.base import ByteModel, Prompt, as_bytes
from tokmill.byte_lm.logits import as_float64, as_numpy
from tokmill.byte_lm.models import CachedModel, CachedRunner, Contexts, Request, SequenceRunner, StepFunction
from tokmill.byte_lm.sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from tokmill._tokmill import ByteEngine, ByteState


class ByteSession:
    """A text that a `ByteLM` is reading.

    The token model is called when something is asked for that needs it, and once for all bytes pushed since then.
    """

    def __init__(self, lm: ByteLM, state: ByteState, contexts: Contexts) -> None:
        self._lm = lm
        self._state = state
        self._contexts = contexts
        self._unevaluated = 0
        """Bytes pushed since the model was last called."""

    @property
    def text(self) -> bytes:
        """The bytes so far, without the prefix ids."""
        return self._state.text

    @property
    def log_prob(self) -> float:
        """The log-probability that the token model's text begins with these bytes: log M(text)."""
        return self._ready().log_prob

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds of `log_prob`; apart only where a beam has dropped part of the cover."""
        return self._ready().interval

    @property
    def leak(self) -> float:
        """What part of M(text) the model gives to token sequences that the tokenizer never makes."""
        return self._ready().leak

    @property
    def specials(self) -> dict[int, float]:
        """The log-probability that each special token comes next."""
        return self._ready().specials

    def next(self) -> npt.NDArray[np.float64]:
        """Return the log-probabilities float64[257] of the next byte, and of the end of the text as the last."""
        return self._ready().next()

    def end(self) -> float:
        """Return the log-probability that the text ends here."""
        return self._ready().end()

    def cover(self) -> list[tuple[list[int], float]]:
        """Return the token sequences that cover the text, with the log-probability of each, without the prefix ids.

        Their bytes begin with the text, and only the last token reaches beyond it.
        """
        before = len(self._contexts.prefix)
        return [(ids[before:], log_prob) for ids, log_prob in self._ready().cover()]

    def push(self, data: bytes | str) -> None:
        """Append bytes."""
        for _, (piece,) in self._lm.pieces([as_bytes(data)]):
            if self._unevaluated + len(piece) > self._lm.max_contexts:
                self._ready()
            self._state.push(piece)
            self._unevaluated += len(piece)

    def rollback(self, n_bytes: int) -> None:
        """Take the last bytes away."""
        self._state.rollback(n_bytes)

    def fork(self) -> ByteSession:
        """Return a copy that goes on on its own, and shares what is known so far."""
        copy = ByteSession(self._lm, self._state.fork(), self._contexts)
        copy._unevaluated = self._unevaluated
        return copy

    def _ready(self) -> ByteState:
        self._lm.prepare([self])
        return self._state


class ByteLM(ByteModel[ByteSession]):
    """A byte model out of a token model.

    Args:
        engine: What a tokenizer can do with a text, and which probabilities count (its `semantics`).
        model: Gives logits for the next token. Either a function of a list of sequences (arrays uint32[k], the prefix
            ids in front; one may be empty where there are none) that returns an array [sequences, at least vocab_size];
            or a `CachedModel`, which keeps keys and values and is told only the new token of each context. The logits
            are float64, float32 or float16 numpy, or anything else that hands out DLPack on the CPU, such as a tensor
            of torch, bfloat16 included. They need not be normalised. Columns from `vocab_size` on are dropped.
        prefix_ids: Tokens in front of each text, which stand for no bytes of it: say [begin_of_text].
        max_contexts: The most contexts that one call of the model evaluates.
        dtype: "bfloat16" where the logits are that, and come as an array of uint16.
    """

    def __init__(
        self,
        engine: ByteEngine,
        model: StepFunction | CachedModel,
        *,
        prefix_ids: Sequence[int] = (),
        max_contexts: int = 256,
        dtype: str | None = None,
    ) -> None:
        if max_contexts < 1:
            raise TokmillError(f"max_contexts is {max_contexts}, not at least 1")
        self.engine = engine
        self.prefix_ids = list(prefix_ids)
        self.max_contexts = max_contexts
        self.reads_ahead = engine.beam is None
        self._dtype = dtype
        self._runner: SequenceRunner | CachedRunner
        if isinstance(model, CachedModel):
            self._runner = CachedRunner(model, max_contexts)
        elif callable(model):
            self._runner = SequenceRunner(model)
        else:
            raise TypeError(f"the model is a {type(model).__name__}: neither a function nor an object with `step`")

    def start(self, text: bytes | str = b"", prefix_ids: Sequence[int] | None = None) -> ByteSession:
        """Begin a session that reads a text.

        Args:
            text: The bytes to begin with; the text is open at its end, which may be in the middle of a token.
            prefix_ids: Tokens in front of this text, in place of those that the model was made with: a whole prompt of
                special tokens and text, for instance, whose last part is to be filled in.
        """
        session = self._start(self.prefix_ids if prefix_ids is None else prefix_ids)
        session.push(text)
        return session

    def start_batch(self, texts: Iterable[bytes | str]) -> list[ByteSession]:
        """Begin a session for each text."""
        data = [as_bytes(text) for text in texts]
        sessions = [self._start(self.prefix_ids) for _ in data]
        for begin, pieces in self.pieces(data):
            if begin:
                self.prepare(sessions)
            for session, piece in zip(sessions, pieces, strict=True):
                session.push(piece)
        return sessions

    def prepare(self, sessions: Sequence[ByteSession]) -> None:
        """Evaluate what the sessions need, in as few calls of the model as `max_contexts` allows.

        A context that several sessions need, because they were forked after it, is evaluated once.
        """
        if any(session._lm is not self for session in sessions):
            raise TokmillError("a session of another model")
        waiting = list(sessions)
        while waiting := [session for session in waiting if len(session._state.pending())]:
            self._evaluate(waiting)
        for session in sessions:
            session._unevaluated = 0

    def _evaluate(self, sessions: Sequence[ByteSession]) -> None:
        """Evaluate what the first of the sessions need, as many as fit in one call."""
        row_of: dict[tuple[Contexts, int], int] = {}
        group: list[ByteSession] = []
        requests: list[Request] = []
        for session in sessions:
            contexts, request = session._contexts, session._state.pending()
            nodes = request.nodes.tolist()
            rows = [row for row, node in enumerate(nodes) if (contexts, node) not in row_of]
            if group and len(row_of) + len(rows) > self.max_contexts:
                break
            for row in rows:
                row_of[contexts, nodes[row]] = len(row_of)
            group.append(session)
            requests.append((contexts, request, rows))
        logits, dtype = as_numpy(self._runner.run(requests), self._dtype)
        for session in group:
            request = session._state.pending()  # A fork may know of some by now.
            wanted = [row_of[session._contexts, node] for node in request.nodes.tolist()]
            if wanted:
                begin, end = wanted[0], wanted[-1] + 1
                in_a_row = wanted == list(range(begin, end))
                session._state.supply(request, logits[begin:end] if in_a_row else logits[wanted], dtype=dtype)

    def sample_cover(self, prompt: Prompt[ByteSession], *, seed: int | None = None) -> npt.NDArray[np.uint32]:
        """Return tokens uint32[k] that spell a prompt, whose last token may reach beyond it, as the model draws them.

        The draw is exact: a sequence comes with the probability that the model gives it among all that cover the
        prompt. Tokens drawn from the model after it continue the prompt as bytes drawn one by one would, with one model
        call a token. `sample_tokens` does that.
        """
        return self._draw_cover(self._sessions([prompt])[0], np.random.default_rng(seed))

    def sample_tokens(
        self,
        n_tokens: int,
        *,
        prompt: Prompt[ByteSession] = b"",
        seed: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop_ids: Iterable[int] = (),
    ) -> npt.NDArray[np.uint32]:
        """Return tokens that spell a prompt and at most so many more: a drawn cover, then ordinary token generation.

        `temperature`, `top_k` and `top_p` act on tokens here, and not on the cover, which is drawn as `sample_cover`
        does. The end-of-text token of the engine and `stop_ids` end the sequence and are left out. The decoded bytes
        begin with the prompt.
        """
        sampler = Sampler(temperature, top_k, top_p)
        stops = {*stop_ids, *([] if self.engine.end_of_text is None else [self.engine.end_of_text])}
        generator = np.random.default_rng(seed)
        session = self._sessions([prompt])[0]
        ids = self._draw_cover(session, generator).tolist()
        for _ in range(n_tokens):
            logits = as_float64(self._runner.run_sequence(session._contexts, ids), self._dtype)
            token = sampler.draw(logits[0, : self.engine.vocab_size], generator)
            if token in stops:
                break
            ids.append(token)
        return np.array(ids, dtype=np.uint32)

    def _start(self, prefix_ids: Sequence[int]) -> ByteSession:
        return ByteSession(self, self.engine.start(b"", prefix_ids), self._runner.start(prefix_ids))

    def _draw_cover(self, session: ByteSession, generator: np.random.Generator) -> npt.NDArray[np.uint32]:
        cover = session.cover()
        log_probs = np.array([log_prob for _, log_prob in cover])
        if not cover or log_probs.max() == -np.inf:
            raise TokmillError(f"the model gives no probability to a text that begins with {session.text[-20:]!r}")
        ids, _ = cover[Sampler().draw(log_probs, generator)]
        return np.array(ids, dtype=np.uint32)
