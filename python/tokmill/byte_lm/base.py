"""What every byte model can do once it can tell the next byte: score, sample, and both for many texts at a time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeAlias, TypeVar

import numpy as np

from tokmill.byte_lm.sampling import Drawing, Sampler

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from tokmill.byte_lm.sampling import Mask

END_OF_TEXT = 256
"""The place of the end of the text in a distribution; the bytes come before it."""


class Session(Protocol):
    """A text that a byte model is reading: it may grow, shrink and be forked."""

    @property
    def text(self) -> bytes:
        """The bytes so far."""
        ...

    def next(self) -> npt.NDArray[np.float64]:
        """The log-probabilities float64[257] of the next byte, and of the end of the text as the last."""
        ...

    def push(self, data: bytes | str) -> None:
        """Append bytes."""
        ...

    def rollback(self, n_bytes: int) -> None:
        """Take the last bytes away."""
        ...

    def fork(self) -> Self:
        """Return a copy that goes on on its own, and shares what is known so far."""
        ...


AnySession = TypeVar("AnySession", bound=Session)


@dataclass(frozen=True)
class Score:
    """The log-probability of a text, byte by byte; natural logarithms."""

    log_probs: npt.NDArray[np.float64]
    """float64[n]: of each byte, given those before it."""
    end: float | None = None
    """Of the text ending there, if asked for."""

    @property
    def total(self) -> float:
        """The log-probability of the whole, with its end if asked for."""
        return float(self.log_probs.sum()) + (self.end or 0.0)

    @property
    def bits_per_byte(self) -> float:
        """The cost of the text: -log2 of its probability over its number of bytes; NaN for no bytes."""
        return -self.total / math.log(2) / len(self.log_probs) if len(self.log_probs) else math.nan


class ByteModel(ABC, Generic[AnySession]):
    """A distribution over texts, asked byte by byte.

    A prompt is bytes, a `str` (its UTF-8), or a session of this model, which is left as it is. The methods that end
    in `_batch` do the same for many prompts, with one call of the token model for all of them at each step; their
    results are those of the single calls.
    """

    max_contexts: int
    """The most contexts that one call of a token model evaluates."""

    reads_ahead: bool
    """Whether the contexts of a text are known before any of them is evaluated; with a beam they are not."""

    @abstractmethod
    def start_batch(self, texts: Iterable[bytes | str]) -> list[AnySession]:
        """Begin a session for each text."""

    @abstractmethod
    def prepare(self, sessions: Sequence[AnySession]) -> None:
        """Evaluate what the sessions need for `next`, in common calls of the token model."""

    def start(self, text: bytes | str = b"") -> AnySession:
        """Begin a session that reads a text."""
        return self.start_batch([text])[0]

    def next(self, prompt: Prompt[AnySession]) -> npt.NDArray[np.float64]:
        """Return the log-probabilities float64[257] of the byte after a prompt; the last is the end of the text."""
        log_probs: npt.NDArray[np.float64] = self.next_batch([prompt])[0]
        return log_probs

    def next_batch(self, prompts: Iterable[Prompt[AnySession]]) -> npt.NDArray[np.float64]:
        """Return the log-probabilities float64[n, 257] of the byte after each prompt."""
        sessions = self._sessions(prompts)
        self.prepare(sessions)
        result = np.empty((len(sessions), END_OF_TEXT + 1))
        for row, session in zip(result, sessions, strict=True):
            row[:] = session.next()
        return result

    def score(self, text: bytes | str, *, prompt: Prompt[AnySession] = b"", end: bool = False) -> Score:
        """Return the log-probability of each byte of a text that follows a prompt.

        All contexts of a text of up to `max_contexts` bytes are evaluated in one call of the token model.

        Args:
            text: What is scored.
            prompt: What stands before it and is given.
            end: Whether the text ends there, and its end is scored too.
        """
        return self.score_batch([text], prompts=[prompt], end=end)[0]

    def score_batch(
        self,
        texts: Iterable[bytes | str],
        *,
        prompts: Iterable[Prompt[AnySession]] | None = None,
        end: bool = False,
    ) -> list[Score]:
        """Return the score of each text after its prompt; without prompts, from the beginning."""
        data = [as_bytes(text) for text in texts]
        sessions = self._sessions([b""] * len(data) if prompts is None else prompts)
        log_probs = [np.empty(len(text)) for text in data]
        for begin, pieces in self.pieces(data, ahead=self.reads_ahead):
            stages = [self._stages(session, piece) for session, piece in zip(sessions, pieces, strict=True)]
            self.prepare([stage for row in stages for stage in row])
            for index, (row, piece) in enumerate(zip(stages, pieces, strict=True)):
                for at, (stage, byte) in enumerate(zip(row, piece, strict=True), start=begin):
                    log_probs[index][at] = stage.next()[byte]
                if row:
                    sessions[index] = row[-1]
                    sessions[index].push(piece[-1:])
        ends = self.next_batch(sessions)[:, END_OF_TEXT].tolist() if end else [None] * len(data)
        return [Score(values, last) for values, last in zip(log_probs, ends, strict=True)]

    def sample(
        self,
        n_bytes: int,
        *,
        prompt: Prompt[AnySession] = b"",
        seed: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: bytes | str | Iterable[bytes | str] = (),
        utf8: bool = False,
        mask: Mask | None = None,
    ) -> bytes:
        """Return at most so many bytes drawn to follow a prompt; fewer where the text ends or a stop comes.

        `temperature`, `top_k` and `top_p` act on the next byte's distribution, in this order. That is not what they do
        on tokens: the most probable byte need not begin the most probable token.

        Args:
            n_bytes: The most bytes to draw.
            prompt: What stands before them.
            seed: The same seed draws the same bytes. `None` draws afresh.
            temperature: Divides the log-probabilities; 0 takes the most probable byte.
            top_k: Draw from so many most probable bytes only.
            top_p: Draw from the fewest most probable bytes that have this probability together.
            stop: Strings that end the text where they first occur; they are left out.
            utf8: Rule out bytes that would make the text invalid UTF-8, or leave its last character unfinished.
            mask: Called with the bytes drawn so far; returns bool[256] or bool[257] of what may come next.

        A mask, `utf8` among them, rules out one byte at a time and lets the rest share its probability: texts come out
        as the model goes on from each byte, not as it would choose among all texts that pass.

        Raises:
            TokmillError: An option makes no sense, or nothing is allowed to follow.
        """
        return self.sample_batch(
            [prompt],
            n_bytes,
            seed=seed,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            stop=stop,
            utf8=utf8,
            mask=mask,
        )[0]

    def sample_batch(
        self,
        prompts: Iterable[Prompt[AnySession]],
        n_bytes: int,
        *,
        seed: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: bytes | str | Iterable[bytes | str] = (),
        utf8: bool = False,
        mask: Mask | None = None,
    ) -> list[bytes]:
        """Return what follows each prompt; the options are those of `sample`, the draws independent of one another.

        The first result is that of `sample` with the same seed.
        """
        sampler = Sampler(temperature, top_k, top_p)
        stops = [as_bytes(string) for string in ([stop] if isinstance(stop, (bytes, str)) else stop)]
        sessions = self._sessions(prompts)
        seeds = np.random.SeedSequence(seed).spawn(len(sessions))
        drawings = [
            Drawing(session.text, n_bytes, np.random.default_rng(child), sampler, stops, utf8=utf8, mask=mask)
            for session, child in zip(sessions, seeds, strict=True)
        ]
        active = [pair for pair in zip(sessions, drawings, strict=True) if not pair[1].finished]
        while active:
            self.prepare([session for session, _ in active])
            for session, drawing in active:
                byte = drawing.draw(session.next())
                if byte is not None and not drawing.finished:
                    session.push(bytes([byte]))
            active = [(session, drawing) for session, drawing in active if not drawing.finished]
        return [bytes(drawing.output) for drawing in drawings]

    def pieces(self, texts: Sequence[bytes], *, ahead: bool = True) -> Iterator[tuple[int, list[bytes]]]:
        """Cut texts side by side into pieces, so that together they make about `max_contexts` contexts at a time.

        Without `ahead` the pieces are single bytes.
        """
        size = max(1, self.max_contexts // max(1, len(texts))) if ahead else 1
        for begin in range(0, max(map(len, texts), default=0), size):
            yield begin, [text[begin : begin + size] for text in texts]

    @staticmethod
    def _stages(session: AnySession, data: bytes) -> list[AnySession]:
        """The session in front of each byte: each but the first forked from the one before it."""
        stages = [session][: len(data)]
        for at in range(len(data) - 1):
            stages.append(stages[-1].fork())
            stages[-1].push(data[at : at + 1])
        return stages

    def _sessions(self, prompts: Iterable[Prompt[AnySession]]) -> list[AnySession]:
        """A session of our own for each prompt."""
        given = list(prompts)
        started = iter(self.start_batch([prompt for prompt in given if isinstance(prompt, (bytes, str))]))
        return [next(started) if isinstance(prompt, (bytes, str)) else prompt.fork() for prompt in given]


Prompt: TypeAlias = bytes | str | AnySession
"""What stands before the bytes that are asked for."""


def as_bytes(text: bytes | str) -> bytes:
    """Return the UTF-8 of a `str`, bytes as they are."""
    return text.encode() if isinstance(text, str) else bytes(text)
