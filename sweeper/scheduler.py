"""Which trials go on: pure objects, reports in and verdicts out. No Ray, no files, no clock.

A scheduler's state is a fold over the reports it was given, so the journal restores it.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from sweeper.spec import AshaSpec, FifoSpec
from sweeper.status import Decision


@dataclass(frozen=True)
class Verdict:
    """A decision and what it rests on: at `rung` (a step), `rank` (from 1) among `of` trials."""

    decision: Decision
    rung: int | None = None
    rank: int | None = None
    of: int | None = None


@dataclass(frozen=True)
class Promotion:
    """A paused trial that may go on beyond `rung`."""

    trial_id: str
    rung: int


class Scheduler(Protocol):
    def report(self, trial_id: str, step: int, value: float | None, max_steps: int) -> Verdict:
        """The verdict on a trial that has reached `step` with this value of the metric."""

    def promotion(self, paused: Collection[str]) -> Promotion | None:
        """Which of the paused trials should go on next, if any has earned it."""

    def promote(self, promotion: Promotion) -> None:
        """The promotion is made."""

    def favourite(self, paused: Collection[str]) -> Promotion | None:
        """The paused trial to go on with where none has earned it, but one must."""


class Fifo:
    """Every trial runs to its end."""

    def report(self, trial_id: str, step: int, value: float | None, max_steps: int) -> Verdict:
        return Verdict(Decision.CONTINUE)

    def promotion(self, paused: Collection[str]) -> Promotion | None:
        return None

    def promote(self, promotion: Promotion) -> None: ...

    def favourite(self, paused: Collection[str]) -> Promotion | None:
        return None


class Asha:
    """Asynchronous successive halving (Li et al., arXiv 1810.05934), in both of its forms.

    Rungs are at grace_steps × reduction_factor^k, in whole steps, below a trial's max_steps.
    A tie ranks behind those that reached the rung before. A value that is missing or not finite
    ranks last and always stops.

    - `stop` compares a trial that reaches a rung with those that reached it before, itself
      included: it goes on if it ranks among the best ceil(n / reduction_factor) of n.
    - `promote` pauses every trial at its rung. One goes on once it ranks among the best
      floor(n / reduction_factor) of the n that have reached it, from the highest rung down
      (Algorithm 2); so a trial is never dropped that could still be promoted.

    A report that jumps over several rungs is recorded at the highest of them only: its value says
    nothing about the lower ones. Rungs at or below a trial's last reported step are never filled
    in later, so a resumed trial cannot distort them.
    """

    def __init__(
        self,
        grace_steps: int,
        reduction_factor: int,
        *,
        form: Literal["stop", "promote"] = "stop",
        objective: Literal["min", "max"] = "min",
    ) -> None:
        if grace_steps < 1 or reduction_factor < 2:
            raise ValueError(
                f"needs grace_steps >= 1 and reduction_factor >= 2, "
                f"got {grace_steps} and {reduction_factor}"
            )
        self.grace_steps = grace_steps
        self.reduction_factor = reduction_factor
        self.form = form
        self.sign = 1.0 if objective == "min" else -1.0
        self.rungs: dict[int, dict[str, float]] = {}  # step -> trial -> value, smaller is better
        self.promoted: dict[int, set[str]] = {}
        self.last_step: dict[str, int] = {}

    def report(self, trial_id: str, step: int, value: float | None, max_steps: int) -> Verdict:
        previous, self.last_step[trial_id] = self.last_step.get(trial_id, 0), step
        rung = self.highest_rung(min(step, max_steps - 1))
        if rung is None or rung <= previous:
            return Verdict(Decision.CONTINUE)
        finite = value is not None and math.isfinite(value)
        score = self.sign * value if value is not None and finite else math.inf
        peers = self.rungs.setdefault(rung, {})
        rank = 1 + sum(other <= score for other in peers.values())
        peers[trial_id] = score
        if not finite:
            decision = Decision.STOP
        elif self.form == "promote":
            decision = Decision.PAUSE
        else:
            goes_on = rank <= math.ceil(len(peers) / self.reduction_factor)
            decision = Decision.CONTINUE if goes_on else Decision.STOP
        return Verdict(decision, rung=rung, rank=rank, of=len(peers))

    def promotion(self, paused: Collection[str]) -> Promotion | None:
        for rung in sorted(self.rungs, reverse=True):
            earned = self._ranked(rung)[: len(self.rungs[rung]) // self.reduction_factor]
            for trial_id in earned:
                if trial_id in paused and trial_id not in self.promoted.get(rung, ()):
                    return Promotion(trial_id, rung)
        return None

    def promote(self, promotion: Promotion) -> None:
        self.promoted.setdefault(promotion.rung, set()).add(promotion.trial_id)

    def favourite(self, paused: Collection[str]) -> Promotion | None:
        for rung in sorted(self.rungs, reverse=True):
            for trial_id in self._ranked(rung):
                if trial_id in paused and trial_id not in self.promoted.get(rung, ()):
                    return Promotion(trial_id, rung)
        return None

    def _ranked(self, rung: int) -> list[str]:
        """Best first; sorting is stable, so a tie ranks behind those before it."""
        peers = self.rungs[rung]
        return sorted(peers, key=peers.__getitem__)

    def highest_rung(self, step: int) -> int | None:
        """The highest rung at or below `step`."""
        if step < self.grace_steps:
            return None
        rung = self.grace_steps
        while rung * self.reduction_factor <= step:
            rung *= self.reduction_factor
        return rung


def make_scheduler(spec: AshaSpec | FifoSpec, objective: Literal["min", "max"]) -> Scheduler:
    match spec:
        case AshaSpec():
            return Asha(
                spec.grace_steps, spec.reduction_factor, form=spec.mode, objective=objective
            )
        case FifoSpec():
            return Fifo()
