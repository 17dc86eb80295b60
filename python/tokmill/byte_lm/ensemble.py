"""Several byte models as one: they may have any vocabularies, since bytes are what they are asked for.

Means of language models are old; of models with different tokenizers they need exact byte probabilities (Phan et al.,
arXiv 2410.09303). Proxy tuning is Liu et al., arXiv 2401.08565.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tokmill._tokmill import TokmillError
from tokmill.byte_lm.base import ByteModel, as_bytes
from tokmill.byte_lm.lm import ByteLM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]

Mode: TypeAlias = Literal["mean", "bayes", "product", "proxy"]


class EnsembleSession:
    """A text that all members of an ensemble are reading."""

    def __init__(self, ensemble: Ensemble, members: Sequence[Any]) -> None:
        self._ensemble = ensemble
        self.members = list(members)
        """The members' own sessions, in their order."""

    @property
    def text(self) -> bytes:
        """The bytes so far."""
        text: bytes = self.members[0].text
        return text

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """How much each member counts for the next byte: in mode "bayes", how well it told the text so far."""
        return self._ensemble.weights_after(self)

    def next(self) -> npt.NDArray[np.float64]:
        """Return the log-probabilities float64[257] of the next byte, and of the end of the text as the last."""
        self._ensemble.prepare([self])
        return self._ensemble.combine(np.array([member.next() for member in self.members]), self)

    def push(self, data: bytes | str) -> None:
        """Append bytes."""
        for member in self.members:
            member.push(data)

    def rollback(self, n_bytes: int) -> None:
        """Take the last bytes away."""
        for member in self.members:
            member.rollback(n_bytes)

    def fork(self) -> EnsembleSession:
        """Return a copy that goes on on its own."""
        return EnsembleSession(self._ensemble, [member.fork() for member in self.members])


class Ensemble(ByteModel[EnsembleSession]):
    """A byte model made of several.

    Args:
        members: Byte models; for "proxy" the base, the expert and the anti-expert.
        mode: What becomes of the members' next-byte distributions p1, p2, ... with weights w1, w2, ...

            - `"mean"`: w1 p1 + w2 p2 + ...
            - `"bayes"`: the same, with each weight multiplied by the probability that the member gives to the text so
              far. This is the mixture of the members as distributions over whole texts: it is never worse than the best
              member by more than the logarithm of its weight. The members are `ByteLM`s.
            - `"product"`: p1^w1 p2^w2 ..., normalised: the geometric mean.
            - `"proxy"`: base (expert / anti-expert)^alpha, normalised. A byte that the anti-expert rules out keeps its
              share of the base.
        weights: Not negative, with a sum above 0, by which they are divided; equal where there are none given.
        alpha: How much the difference of expert and anti-expert counts.
    """

    def __init__(
        self,
        members: Sequence[ByteModel[Any]],
        mode: Mode = "mean",
        *,
        weights: Sequence[float] | None = None,
        alpha: float = 1.0,
    ) -> None:
        if mode not in {"mean", "bayes", "product", "proxy"}:
            raise TokmillError(f"mode is {mode!r}, not 'mean', 'bayes', 'product' or 'proxy'")
        if not members:
            raise TokmillError("an ensemble has no members")
        if mode == "proxy" and (len(members) != 3 or weights is not None):
            raise TokmillError("mode 'proxy' takes three members (base, expert, anti-expert) and no weights")
        if mode == "bayes" and not all(isinstance(member, ByteLM) for member in members):
            raise TokmillError("mode 'bayes' weighs members by what they said so far, which ensembles do not tell")
        if not 0 < alpha < np.inf:
            raise TokmillError(f"alpha is {alpha}, not a number above 0")
        given = np.ones(len(members)) if weights is None else np.asarray(weights, dtype=np.float64)
        if given.shape != (len(members),) or not (given >= 0).all() or not 0 < given.sum() < np.inf:
            raise TokmillError("weights are not one number of at least 0 for each member, with a sum above 0")
        self.members = list(members)
        self.mode = mode
        self.alpha = alpha
        self.reads_ahead = all(member.reads_ahead for member in members)
        self.max_contexts = min(member.max_contexts for member in members)
        self._weights: Array = given / given.sum()

    def start_batch(self, texts: Iterable[bytes | str]) -> list[EnsembleSession]:
        """Begin a session for each text."""
        data = [as_bytes(text) for text in texts]
        by_member = [member.start_batch(data) for member in self.members]
        return [EnsembleSession(self, sessions) for sessions in zip(*by_member, strict=True)]

    def join(self, sessions: Sequence[Any]) -> EnsembleSession:
        """Begin a session out of one of each member, which read the same text; prefix ids may be in front of each."""
        if len(sessions) != len(self.members) or len({session.text for session in sessions}) != 1:
            raise TokmillError("an ensemble joins one session of each member, all of the same text")
        return EnsembleSession(self, [session.fork() for session in sessions])

    def prepare(self, sessions: Sequence[EnsembleSession]) -> None:
        """Evaluate what the sessions need: each member calls its model once for all."""
        if any(session._ensemble is not self for session in sessions):
            raise TokmillError("a session of another model")
        for index, member in enumerate(self.members):
            member.prepare([session.members[index] for session in sessions])

    def weights_after(self, session: EnsembleSession) -> npt.NDArray[np.float64]:
        """Return the weights float64[members] of the next byte after a session's text."""
        if self.mode != "bayes":
            return self._weights
        log_weights = _log(self._weights) + np.array([member.log_prob for member in session.members])
        if log_weights.max() == -np.inf:
            return self._weights  # No member can tell this text, so none has earned more than another.
        weights: Array = np.exp(log_weights - log_weights.max())
        weights /= weights.sum()
        return weights

    def combine(self, log_probs: npt.NDArray[np.float64], session: EnsembleSession) -> npt.NDArray[np.float64]:
        """Return the distribution float64[257] that the members' float64[members, 257] make."""
        if self.mode in {"mean", "bayes"}:
            return _log_sum(_log(self.weights_after(session))[:, None] + log_probs)
        combined: Array
        if self.mode == "product":
            counting = self._weights > 0
            combined = (self._weights[counting, None] * log_probs[counting]).sum(axis=0)
        else:
            base, expert, anti = log_probs
            change = np.subtract(expert, anti, out=np.zeros_like(base), where=anti > -np.inf)
            combined = np.where(base > -np.inf, base + self.alpha * change, -np.inf)
        total = _log_sum(combined[:, None])
        if total[0] == -np.inf:
            raise TokmillError(f"the members agree on nothing that could follow {session.text[-20:]!r}")
        combined -= total
        return combined


def _log(values: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(values)


def _log_sum(values: Array) -> Array:
    """The logarithms of the sums over the first axis."""
    highest = values.max(axis=0)
    shift = np.where(highest == -np.inf, 0.0, highest)
    return _log(np.exp(values - shift).sum(axis=0)) + shift
