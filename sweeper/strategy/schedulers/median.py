"""The median stopping rule."""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median
from typing import Literal

from sweeper.spec.sweep_spec import sign_of
from sweeper.status import Decision
from sweeper.strategy.schedulers.scheduler import Fifo, Verdict, score_of


@dataclass
class Scores:
    """A trial's scores (less is better): the best, the last time, and the means from grace on."""

    best: float = math.inf
    last_time: int = 0
    times: list[int] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    total: Fraction = Fraction(0)  # exact, so that the mean of equal values is that value

    def count(self, time: int, score: float) -> None:
        self.times.append(time)
        self.total += Fraction(score)
        self.means.append(float(self.total / len(self.times)))

    def mean_until(self, time: int) -> float | None:
        """The mean of the scores from grace to `time`; None where there are none."""
        number = bisect_right(self.times, time)
        return self.means[number - 1] if number else None


class Median(Fifo):
    """The median stopping rule (Golovin et al., Google Vizier, KDD 2017, section 3.2.1), as in
    Tune's MedianStoppingRule.

    Take a trial that reports at `time`, at or after `grace`, and the other trials that have come at
    least as far. Each of the others has a mean: of its values from `grace` to `time`. The trial
    stops if its best value so far is worse than the median of these means. With fewer than
    `min_trials` others it goes on.

    A value that is missing or not finite counts in no mean; a trial that reports one at or after
    `grace` stops.
    """

    def __init__(
        self, grace: int, min_trials: int, *, objective: Literal["min", "max"] = "min"
    ) -> None:
        if grace < 1 or min_trials < 1:
            raise ValueError(f"needs grace >= 1 and min_trials >= 1, got {grace} and {min_trials}")
        self.grace = grace
        self.min_trials = min_trials
        self.sign = sign_of(objective)
        self.curves: dict[str, Scores] = {}

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        score = score_of(value, self.sign)
        curve = self.curves.setdefault(trial_id, Scores())
        curve.last_time, curve.best = time, min(curve.best, score)
        if time < self.grace:
            return Verdict(Decision.CONTINUE)
        if score == math.inf:
            return Verdict(Decision.STOP)
        curve.count(time, score)
        means = self._others(trial_id, time)
        if len(means) < self.min_trials:
            return Verdict(Decision.CONTINUE)
        goes_on = curve.best <= median(means)
        rank = 1 + sum(mean < curve.best for mean in means)
        return Verdict(
            Decision.CONTINUE if goes_on else Decision.STOP, rank=rank, of=len(means) + 1
        )

    def _others(self, trial_id: str, time: int) -> list[float]:
        """The means until `time` of the other trials that have come at least as far."""
        far = (c for name, c in self.curves.items() if name != trial_id and c.last_time >= time)
        return [mean for curve in far if (mean := curve.mean_until(time)) is not None]
