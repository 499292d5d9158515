"""Hyperband, whose trials wait for one another at each rung."""

import math
from collections.abc import Collection, Iterator
from typing import Literal, NamedTuple

from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import sign_of
from sweeper.status import Decision
from sweeper.strategy.schedulers.scheduler import Promotion, Verdict, score_of


class Cohort(NamedTuple):
    """The trials of a bracket that have not lost; they train on to its rung number `level`."""

    trials: tuple[str, ...]
    level: int


class SyncBracket:
    """A fixed number of trials, halved at each rung once all of them have reached it or ended."""

    def __init__(self, size: int, rungs: list[int], reduction_factor: int) -> None:
        self.size = size
        self.rungs = rungs
        self.reduction_factor = reduction_factor
        self.members: list[str] = []
        self.ended: set[str] = set()
        self.time: dict[str, int] = {}  # when each trial last reported
        self.score: dict[str, float] = {}  # what each had at its last rung; less is better
        self.favoured: set[str] = set()  # run to their ends although they have lost
        self._halved = Cohort((), 0)  # since the last rung was decided

    @property
    def is_full(self) -> bool:
        return len(self.members) >= self.size

    @property
    def cohort(self) -> Cohort:
        """The trials that have not lost: all members, until the first rung is decided."""
        return self._halved if self._halved.level else Cohort(tuple(self.members), 0)

    def halved(self) -> Cohort:
        """The cohort after every decision that can be made now: a rung is decided once all trials
        of the cohort have reached it or ended."""
        trials, level = self.cohort
        while level < len(self.rungs) and all(
            trial in self.ended or self.time.get(trial, 0) >= self.rungs[level] for trial in trials
        ):
            able = [t for t in trials if t not in self.ended and self.score[t] < math.inf]
            level += 1
            # Sorting is stable: in a tie the trial that was created first goes on.
            best = sorted(able, key=self.score.__getitem__)[: self.places(level)]
            trials = tuple(trial for trial in able if trial in best)
        return Cohort(trials, level)

    def places(self, level: int) -> int:
        """How many trials go on to rung number `level`."""
        places = len(self.members)
        for _ in range(level):
            places = -(-places // self.reduction_factor)
        return places

    def settle(self, *, closed: bool = False) -> None:
        """Decide the rungs that can be decided. `closed`: no more trials will join."""
        if closed:
            self.size = len(self.members)
        if self.is_full:
            self._halved = self.halved()

    def rung_reached(self, time: int) -> int | None:
        return max((rung for rung in self.rungs if rung <= time), default=None)

    def may_go_on(self, trial_id: str, cohort: Cohort) -> bool:
        """Whether a trial that waits has earned its way to the next rung."""
        trials, level = cohort
        ahead = level < len(self.rungs) and self.time[trial_id] >= self.rungs[level]
        return trial_id in trials and level > 0 and not ahead

    def report(self, trial_id: str, time: int, score: float, end: int) -> Verdict:
        previous, self.time[trial_id] = self.time.get(trial_id, 0), time
        self.ended.discard(trial_id)
        if time >= end:
            self.end(trial_id)
            return Verdict(Decision.CONTINUE)
        rung = self.rung_reached(time)
        if rung is None or rung <= previous or trial_id in self.favoured:
            return Verdict(Decision.CONTINUE)
        self.score[trial_id] = score
        trials = self.cohort.trials
        if trial_id not in trials:
            return Verdict(Decision.STOP, rung=rung)
        there = [self.score[t] for t in trials if self.time.get(t, 0) >= rung]
        rank = sum(other <= score for other in there)
        decision = Decision.STOP if score == math.inf else Decision.PAUSE
        self.settle()
        return Verdict(decision, rung=rung, rank=rank, of=len(there))

    def end(self, trial_id: str) -> None:
        self.ended.add(trial_id)
        self.settle()

    def promote(self, trial_id: str) -> None:
        if not self.may_go_on(trial_id, self.cohort):
            self.settle(closed=True)  # the promotion was granted on this ground
        if not self.may_go_on(trial_id, self.cohort):
            self.favoured.add(trial_id)


class Hyperband:
    """Hyperband (Li et al., JMLR 18, 2018, Algorithm 1), with the numbers of Tune's
    HyperBandScheduler.

    A trial has K rungs, at grace × reduction_factor^k below its end. Bracket b = 0, 1, …, K begins
    at rung number b and has ceil((K + 1) / (s + 1) × reduction_factor^s) trials, where s = K - b.
    At each of its rungs it keeps the best ceil(n / reduction_factor) of n trials. Trials fill the
    brackets in the order in which they are created; after the last bracket comes the first again.

    - A rung is decided once each trial that has not lost has reached it or ended. So a failure
      holds up nobody; but nobody else takes the place of the trial that failed.
    - A bracket that is not full waits for more trials. If no more come, it is halved with the
      trials that it has.
    - A value that is missing or not finite stops a trial at its rung. A trial that failed and is
      tried again stops at its next rung if its bracket has been decided without it.
    """

    def __init__(
        self,
        grace: int,
        reduction_factor: int,
        *,
        objective: Literal["min", "max"] = "min",
        brackets: int | None = None,
    ) -> None:
        if grace < 1 or reduction_factor < 2 or (brackets is not None and brackets < 1):
            raise ValueError(
                f"needs grace >= 1, reduction_factor >= 2 and brackets >= 1, "
                f"got {grace}, {reduction_factor} and {brackets}"
            )
        self.grace = grace
        self.reduction_factor = reduction_factor
        self.sign = sign_of(objective)
        self.max_brackets = brackets
        self.brackets: list[SyncBracket] = []
        self.bracket_of: dict[str, SyncBracket] = {}
        self.number = -1  # of the newest bracket: it begins at this rung

    def added(self, trial_id: str, end: int, point: Point | None = None) -> None:
        if not self.brackets or self.brackets[-1].is_full:
            self._open_bracket(end)
        bracket = self.bracket_of[trial_id] = self.brackets[-1]
        bracket.members.append(trial_id)

    def _open_bracket(self, end: int) -> None:
        factor = self.reduction_factor
        rungs: list[int] = []
        while (rung := self.grace * factor ** len(rungs)) < end:
            rungs.append(rung)
        most = len(rungs) + 1
        number = min(most, self.max_brackets or most)
        self.number = (self.number + 1) % number
        halvings = len(rungs) - self.number
        size = -(-most * factor**halvings // (halvings + 1))
        self.brackets.append(SyncBracket(size, rungs[self.number :], factor))

    def ended(self, trial_id: str) -> None:
        self.bracket_of[trial_id].end(trial_id)

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        score = score_of(value, self.sign)
        return self.bracket_of[trial_id].report(trial_id, time, score, end)

    def promotion(self, paused: Collection[str], *, more: bool = True) -> Promotion | None:
        for bracket, waiting in self._waiting(paused):
            cohort = bracket.cohort if more else bracket.halved()
            for trial_id in waiting:
                if bracket.may_go_on(trial_id, cohort):
                    return self._promotion(trial_id)
        return None

    def promote(self, promotion: Promotion) -> None:
        self.bracket_of[promotion.trial_id].promote(promotion.trial_id)

    def favourite(self, paused: Collection[str]) -> Promotion | None:
        """The best of the trials that have trained longest."""
        waiting = [
            (-bracket.time[trial_id], bracket.score[trial_id], trial_id)
            for bracket, trials in self._waiting(paused)
            for trial_id in trials
        ]
        return self._promotion(min(waiting)[2]) if waiting else None

    def standing(self, paused: Collection[str]) -> list[str]:
        """First the trials that have earned their promotion, then those that still may; of each
        kind the best first."""

        def place(trial_id: str) -> tuple[bool, bool, int, float, str]:
            bracket = self.bracket_of[trial_id]
            in_play = trial_id in bracket.cohort.trials
            earned = bracket.may_go_on(trial_id, bracket.cohort)
            reached, score = bracket.time[trial_id], bracket.score[trial_id]
            return not earned, not in_play, -reached, score, trial_id

        return sorted(paused, key=place)

    def _waiting(self, paused: Collection[str]) -> Iterator[tuple[SyncBracket, list[str]]]:
        for bracket in self.brackets:
            if waiting := [t for t in bracket.members if t in paused]:
                yield bracket, waiting

    def _promotion(self, trial_id: str) -> Promotion:
        bracket = self.bracket_of[trial_id]
        rung = bracket.rung_reached(bracket.time[trial_id])
        assert rung is not None, "a trial pauses only at a rung"
        return Promotion(trial_id, rung)
