"""ASHA that compares where trials will end, instead of where they are."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from sweeper.spec.points import Point
from sweeper.status import Decision
from sweeper.strategy.schedulers.asha import Asha
from sweeper.strategy.schedulers.foresight import Expected, Foresight
from sweeper.strategy.schedulers.scheduler import Promotion, Verdict, score_of
from sweeper.strategy.surface.observation import CALIBRATION

ALPHA = 0.2  # 0.1 spends a tenth more on the recorded curves and names no better settings


@dataclass(frozen=True)
class Prospect:
    """What a trial at a rung is judged by.

    Attributes:
        ahead: How many of the others at the rung are expected to end before it: the sum of the
            chances that each does.
        chance: That it ends better than all that have ended, by more than noise.
    """

    end: Expected
    ahead: float
    chance: float


class ForecastAsha(Asha):
    """Asynchronous successive halving by forecasts, in both of its forms.

    A trial at a rung has earned to go on if it is expected to end among the best
    1 / reduction_factor of those that have reached the rung, and if its chance to be the best by
    more than noise is at least `alpha`. With `stop` that is decided as it arrives, with `promote`
    at every turn, the best chance first.

    Until CALIBRATION trials have ended nothing is forecast: with `stop`, those that arrive go on;
    with `promote`, so many run to their ends, of the best 1 / reduction_factor by loss, and the
    others wait.
    """

    def __init__(
        self,
        grace: int,
        reduction_factor: int,
        foresight: Foresight,
        *,
        form: Literal["stop", "promote"] = "stop",
        objective: Literal["min", "max"] = "min",
        alpha: float | None = None,
    ) -> None:
        super().__init__(grace, reduction_factor, form=form, objective=objective)
        self.foresight = foresight
        self.alpha = ALPHA if alpha is None else alpha
        self._completed: set[str] = set()
        self._lost: set[str] = set()  # ended on the way, so that they calibrate nothing
        self._ranked: list[Promotion] | None = None  # by what is known now; None: to be worked out

    def added(self, trial_id: str, end: int, point: Point | None = None) -> None:
        self.foresight.added(trial_id, end, point)

    def learn(self, trial_id: str, end: int, point: Point, curve: Mapping[int, float]) -> None:
        """A trial has run elsewhere, to these values over the clock. It is at no rung here, but
        where others end is forecast from it too."""
        self.added(trial_id, end, point)
        for time, value in curve.items():
            if (score := score_of(value, self.sign)) < math.inf:
                self.foresight.reached(trial_id, time, score)

    def ended(self, trial_id: str) -> None:
        self._ranked = None
        if trial_id not in self._completed:
            self._lost.add(trial_id)

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        verdict = self._arrival(trial_id, time, value, end)
        if verdict.rung is None or score_of(value, self.sign) == math.inf:
            return verdict
        if not self.foresight.is_calibrated(trial_id, verdict.rung):
            calibrates = Decision.PAUSE if self.form == "promote" else Decision.CONTINUE
            return replace(verdict, decision=calibrates)
        prospect = self._prospects([trial_id], verdict.rung)[trial_id]
        decision = Decision.CONTINUE if self._has_earned(prospect, verdict.rung) else Decision.STOP
        return replace(
            verdict,
            decision=Decision.PAUSE if self.form == "promote" else decision,
            rank=1 + round(prospect.ahead),
            forecast=float(f"{self.sign * prospect.end.value:.6g}"),
            deviation=float(f"{prospect.end.deviation:.3g}"),
            chance=round(prospect.chance, 4),
        )

    def recall(
        self, trial_id: str, time: int, value: float | None, end: int, recorded: Verdict
    ) -> Verdict:
        """Take note of a report that was judged before. What was decided by a forecast stands:
        another version of a library may lead to another one. The rest is as `report` has it."""
        verdict = self._arrival(trial_id, time, value, end)
        if verdict.rung is None or score_of(value, self.sign) == math.inf:
            return verdict
        paused = verdict.decision is Decision.PAUSE or recorded.decision is Decision.PAUSE
        decision = verdict.decision if paused else recorded.decision
        return replace(recorded, decision=decision, rung=verdict.rung, of=verdict.of)

    def _arrival(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        self._ranked = None
        if (score := score_of(value, self.sign)) < math.inf:
            self.foresight.reached(trial_id, time, score)
            if time >= end:
                self._completed.add(trial_id)
        return super().report(trial_id, time, value, end)

    def promote(self, promotion: Promotion) -> None:
        self._ranked = None
        super().promote(promotion)

    def standing(self, paused: Collection[str]) -> list[str]:
        ranked = [promotion.trial_id for promotion in self._candidates(paused, earned=True)]
        return ranked + [t for t in super().standing(paused) if t not in ranked]

    def _candidates(self, paused: Collection[str], *, earned: bool) -> Iterator[Promotion]:
        if not earned:
            return super()._candidates(paused, earned=False)
        if self._ranked is None:
            self._ranked = self._rank()
        return (promotion for promotion in self._ranked if promotion.trial_id in paused)

    def _rank(self) -> list[Promotion]:
        """All that have earned to go on from their rungs: those that calibrate, then the best
        chance first."""
        calibrating: list[Promotion] = []
        earned: list[tuple[float, Promotion]] = []
        for rung in sorted(self.brackets[0].rungs, reverse=True):
            waiting = self._waiting(rung)
            known = [t for t in waiting if self.foresight.is_calibrated(t, rung)]
            for trial_id, prospect in self._prospects(known, rung).items():
                if self._has_earned(prospect, rung):
                    earned.append((prospect.chance, Promotion(trial_id, rung)))
            unknown = [t for t in waiting if t not in known]
            calibrating += [Promotion(t, rung) for t in self._calibrating(unknown, rung)]
        earned.sort(key=lambda each: -each[0])
        return calibrating + [promotion for _, promotion in earned]

    def _waiting(self, rung: int) -> list[str]:
        """The trials that have come to the rung and have not gone on, the least loss first."""
        (bracket,) = self.brackets
        gone = bracket.promoted.get(rung, ())
        return [t for score, _, t in bracket.order[rung] if score < math.inf and t not in gone]

    def _calibrating(self, waiting: list[str], rung: int) -> list[str]:
        """Which of these go on to their ends for the others to be forecast: those that have gone on
        before, and while there are too few of them, of the best share by loss."""
        (bracket,) = self.brackets
        begun = set[str]().union(*bracket.promoted.values())
        share = len(bracket.order[rung]) // self.reduction_factor
        leaders = {trial_id for _, _, trial_id in bracket.order[rung][:share]}
        room = max(0, CALIBRATION - len(begun - self._lost))
        return [t for t in waiting if t in begun] + [
            t for t in waiting if t in leaders and t not in begun
        ][:room]

    def _has_earned(self, prospect: Prospect, rung: int) -> bool:
        there = len(self.brackets[0].rungs[rung]) / self.reduction_factor
        share = math.floor(there) if self.form == "promote" else math.ceil(there)
        return round(prospect.ahead) < share and prospect.chance >= self.alpha

    def _prospects(self, trial_ids: Collection[str], rung: int) -> dict[str, Prospect]:
        if not trial_ids:
            return {}
        peers = [t for t, score in self.brackets[0].rungs[rung].items() if score < math.inf]
        ends = dict(zip(peers, self.foresight.expected(peers, rung), strict=True))
        return {
            trial_id: Prospect(
                end=(end := ends[trial_id]),
                ahead=sum(_chance_below(o, end) for t, o in ends.items() if t != trial_id),
                chance=self._chance(trial_id, end, rung),
            )
            for trial_id in trial_ids
        }

    def _chance(self, trial_id: str, end: Expected, rung: int) -> float:
        best, noise = self.foresight.to_beat(trial_id, rung)
        return _chance_below(end, Expected(best - noise, 0.0))


def _chance_below(one: Expected, other: Expected) -> float:
    """How likely it is that the one ends below the other."""
    deviation = math.hypot(one.deviation, other.deviation)
    gap = other.value - one.value
    if deviation == 0 or math.isinf(deviation):
        return 0.5 if gap == 0 or deviation else float(gap > 0)
    return math.erfc(-gap / deviation / math.sqrt(2)) / 2
