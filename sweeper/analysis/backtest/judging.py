"""How good the named setting is: judged by all seeds, not by the one that was swept."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from sweeper.analysis.backtest.recording import Field, Recording
from sweeper.analysis.backtest.replay import Outcome
from sweeper.status import Status

NUM_BEST = 8  # settings over which the deviation is taken: poor ones vary more


class Truth:
    """What a recording says of its settings, from all of their seeds.

    A trial that diverged counts as the worst that came to its end.

    Attributes:
        deviation: That of the seeds, pooled over the best settings; None: there is one seed.
        own_deviation: What is left of it once each seed's shift of all those settings is taken off:
            settings that were run with the same seeds are compared without that.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        scores = [[field.score(s) for s in range(len(field.curves))] for field in recording.fields]
        finite = [score for of in scores for score in of if math.isfinite(score)]
        self.worst = max(finite)
        by_setting = [
            [score if math.isfinite(score) else self.worst for score in of]
            for of in zip(*scores, strict=True)
        ]
        self.means = [fmean(of) for of in by_setting]
        self.ranked = sorted(range(len(self.means)), key=self.means.__getitem__)
        self.best = self.ranked[0]
        self.deviation: float | None = None
        self.own_deviation: float | None = None
        if len(scores) > 1:
            best = [by_setting[setting] for setting in self.ranked[:NUM_BEST]]
            self.deviation = math.sqrt(fmean(map(statistics.variance, best)))
            self.own_deviation = _without_common_shifts(best)

    @property
    def value(self) -> float:
        """The objective of the best setting."""
        return self.recording.fields[0].sign * self.means[self.best]

    @property
    def good(self) -> list[int]:
        """The best setting, and those within one deviation of it."""
        reach = self.means[self.best] + (self.deviation or 0.0)
        return [setting for setting in self.ranked if self.means[setting] <= reach]

    def regret(self, named: int | None) -> float:
        """By how much the setting is worse than the best one. None is as bad as the worst."""
        value = self.worst if named is None else self.means[named]
        return value - self.means[self.best]


def _without_common_shifts(scores: Sequence[Sequence[float]]) -> float:
    """The deviation of what neither the setting (a row) nor the seed (a column) explains."""
    rows, columns = [fmean(row) for row in scores], [fmean(of) for of in zip(*scores, strict=True)]
    whole = fmean(rows)
    squares = [
        (score - row - column + whole) ** 2
        for row, of_row in zip(rows, scores, strict=True)
        for column, score in zip(columns, of_row, strict=True)
    ]
    return math.sqrt(sum(squares) / ((len(rows) - 1) * (len(columns) - 1)))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One replay."""

    tokens: float  # share of the whole grid's
    seconds: float
    time: float  # share of the whole grid's, on as many slots
    regret: float  # in the objective's own unit
    false_winner: bool | None  # worse than the best by more than a deviation; None: not known
    own_false_winner: bool | None  # the same, by the settings' own deviation
    winner_stopped: bool  # the best setting was begun, and not brought to its end
    good_lost: bool | None  # no setting within a deviation of the best came to its end


def judge(truth: Truth, field: Field, outcome: Outcome, whole_seconds: float) -> Judged:
    """
    Args:
        whole_seconds: What the whole grid takes on as many slots, in the same order.
    """
    regret, known = truth.regret(outcome.named), truth.deviation is not None
    ended = Status.COMPLETED, Status.DIVERGED
    return Judged(
        tokens=field.tokens(outcome.steps) / field.whole,
        seconds=outcome.seconds,
        time=outcome.seconds / whole_seconds,
        regret=regret,
        false_winner=regret > (truth.deviation or 0.0) if known else None,
        own_false_winner=regret > (truth.own_deviation or 0.0) if known else None,
        winner_stopped=outcome.ends[truth.best] is Status.STOPPED,
        good_lost=all(outcome.ends[s] not in ended for s in truth.good) if known else None,
    )


@dataclass(frozen=True, kw_only=True)
class Row:
    """A strategy on a recording, over all replays: means, and shares of the replays."""

    recording: str
    strategy: str
    budget: float | None
    slots: int
    replays: int
    tokens: float
    time: float
    seconds: float | None  # None: the recording does not say how long its trials took
    regret: float
    regret_percent: float  # of the best setting's objective
    regret_deviations: float | None
    regret_error: float | None  # their standard error for want of more replays of each seed
    false_winners: float | None
    own_false_winners: float | None
    winner_stopped: float
    good_lost: float | None

    @property
    def title(self) -> str:
        return self.strategy if self.budget is None else f"{self.strategy}, {self.budget:.0%}"


def summed_up(
    truth: Truth, strategy: str, budget: float | None, slots: int, judged: Sequence[Judged]
) -> Row:
    deviation, regret = truth.deviation, fmean(one.regret for one in judged)
    false = [one.false_winner for one in judged if one.false_winner is not None]
    own = [one.own_false_winner for one in judged if one.own_false_winner is not None]
    lost = [one.good_lost for one in judged if one.good_lost is not None]
    return Row(
        recording=truth.recording.name,
        strategy=strategy,
        budget=budget,
        slots=slots,
        replays=len(judged),
        tokens=fmean(one.tokens for one in judged),
        time=fmean(one.time for one in judged),
        seconds=fmean(one.seconds for one in judged) if truth.recording.timed else None,
        regret=regret,
        regret_percent=100 * regret / abs(truth.means[truth.best]),
        regret_deviations=regret / deviation if deviation else None,
        regret_error=_standard_error(truth, judged),
        false_winners=fmean(false) if false else None,
        own_false_winners=fmean(own) if own else None,
        winner_stopped=fmean(one.winner_stopped for one in judged),
        good_lost=fmean(lost) if lost else None,
    )


def _standard_error(truth: Truth, judged: Sequence[Judged]) -> float | None:
    """Of the mean regret in deviations, by the orders that were drawn: the seeds are those that
    there are, each replayed in its turn. None where one was replayed once."""
    seeds = len(truth.recording.fields)
    of_seed = [[one.regret for one in judged[seed::seeds]] for seed in range(seeds)]
    if not truth.deviation or min(map(len, of_seed)) < 2:
        return None
    squares = sum(len(of) * statistics.variance(of) for of in of_seed)
    return math.sqrt(squares) / len(judged) / truth.deviation
