"""Which trials go on: pure objects that are told evaluations and answer with verdicts.

They know no Ray, no files and no clock. What a scheduler knows follows from what it was told, so
the journal restores it.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from sweeper.spec.points import Point
from sweeper.status import Decision


@dataclass(frozen=True)
class Verdict:
    """A decision and its ground: the trial was number `rank` (from 1) of the `of` trials at `rung`.

    A rung is a time on the sweep's clock: a step, a number of tokens, or of FLOPs. Where trials are
    compared by forecasts, it says where this one is expected to end, with what deviation, and its
    chance to be the best: rounded, so that the journal has what was decided on.
    """

    decision: Decision
    rung: int | None = None
    rank: int | None = None
    of: int | None = None
    forecast: float | None = None
    deviation: float | None = None
    chance: float | None = None


@dataclass(frozen=True)
class Promotion:
    """A paused trial that may go on beyond `rung`. With a `source` it goes on from that trial's
    checkpoint, with values near that trial's."""

    trial_id: str
    rung: int
    source: str | None = None


class Scheduler(Protocol):
    def added(self, trial_id: str, end: int, point: Point | None = None) -> None:
        """A trial has been created; it ends at `end` (on the sweep's clock) unless stopped. Its
        point is needed where ends are forecast."""

    def ended(self, trial_id: str) -> None:
        """A trial has ended, in whatever way. If it is tried again, it reports again."""

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        """The verdict on a trial that has reached `time` of `end` (both on the sweep's clock) with
        this value of the metric."""

    def promotion(self, paused: Collection[str], *, more: bool = True) -> Promotion | None:
        """The paused trial that should go on next, if one has earned it. `more`: whether trials may
        still be added."""

    def promote(self, promotion: Promotion) -> None:
        """The trial does go on, by this promotion."""

    def favourite(self, paused: Collection[str]) -> Promotion | None:
        """The paused trial to go on with when none has earned it: one must come to its end."""

    def standing(self, paused: Collection[str]) -> list[str]:
        """The paused trials, the most likely to be promoted first."""


class Fifo:
    """Every trial runs to its end."""

    def added(self, trial_id: str, end: int, point: Point | None = None) -> None: ...

    def ended(self, trial_id: str) -> None: ...

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        return Verdict(Decision.CONTINUE)

    def promotion(self, paused: Collection[str], *, more: bool = True) -> Promotion | None:
        return None

    def promote(self, promotion: Promotion) -> None: ...

    def favourite(self, paused: Collection[str]) -> Promotion | None:
        return None

    def standing(self, paused: Collection[str]) -> list[str]:
        return sorted(paused)


def score_of(value: float | None, sign: float) -> float:
    """The value, turned so that less is better. A missing or not finite value is the worst."""
    return sign * value if value is not None and math.isfinite(value) else math.inf
