"""Population based training: which trials take over from which."""

import math
import random
from collections.abc import Collection
from typing import Literal

from sweeper.spec.domains.values import as_written
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import sign_of
from sweeper.status import Decision
from sweeper.strategy.schedulers.scheduler import Promotion, Verdict, score_of


class Pbt:
    """Population based training (Jaderberg et al., arXiv 1711.09846), as Tune does it with
    `synch=True`.

    Every trial pauses at each multiple of `interval`. Once all have arrived there or have ended,
    each of the worst ceil(n × quantile) of the n trials (at most half of them) takes over from
    one of equally many of the best, drawn with `seed`. Then all go on.

    The trials that take over are promoted first: until then the others stay paused, and their
    checkpoints stay where they are. In a tie the trial that was created first is better. A value
    that is missing or not finite stops a trial. A trial that is added later, or tried again,
    catches up alone while the others wait for it.
    """

    def __init__(
        self,
        interval: int,
        quantile: float,
        *,
        objective: Literal["min", "max"] = "min",
        seed: int = 0,
    ) -> None:
        if interval < 1 or not 0 < quantile <= 0.5:
            raise ValueError(
                f"needs interval >= 1 and 0 < quantile <= 0.5, got {interval} and {quantile}"
            )
        self.interval = interval
        self.quantile = quantile
        self.sign = sign_of(objective)
        self.seed = seed
        self.time: dict[str, int] = {}  # when each trial that has not ended last reported
        self.score: dict[str, float] = {}  # what each had at its last rung; less is better
        self.generation = 0  # how many times all have gone on together
        # The trials yet to go on from this rung, each with the one that it takes over from.
        self.waiting: dict[str, str | None] = {}

    def added(self, trial_id: str, end: int, point: Point | None = None) -> None:
        self.time[trial_id] = 0

    def ended(self, trial_id: str) -> None:
        self.time.pop(trial_id, None)
        self.waiting.pop(trial_id, None)

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        previous, self.time[trial_id] = self.time.get(trial_id, 0), time
        rung = min(time, end - 1) // self.interval * self.interval
        if rung <= previous or time >= end:
            return Verdict(Decision.CONTINUE)
        score = self.score[trial_id] = score_of(value, self.sign)
        there = [self.score[t] for t in self.time if self.time[t] >= rung]
        rank = sum(other <= score for other in there)
        decision = Decision.STOP if score == math.inf else Decision.PAUSE
        return Verdict(decision, rung=rung, rank=rank, of=len(there))

    def promotion(self, paused: Collection[str], *, more: bool = True) -> Promotion | None:
        if more:
            return None
        behind = next((t for t in self.time if t in paused and self._is_behind(t)), None)
        if behind is not None:
            return Promotion(behind, self._rung(behind))
        waiting = self.waiting or self._next_generation()
        if not all(trial_id in paused for trial_id in waiting):
            return None  # the last to arrive is still on its worker, writing its checkpoint
        for trial_id, source in waiting.items():
            return Promotion(trial_id, self._rung(trial_id), source)
        return None

    def promote(self, promotion: Promotion) -> None:
        if self._is_behind(promotion.trial_id):
            return
        if not self.waiting:
            self.waiting = self._next_generation()
            self.generation += 1
        self.waiting.pop(promotion.trial_id)

    def _is_behind(self, trial_id: str) -> bool:
        """Whether the others were compared at its rung before it came: it was added later, or is
        being tried again."""
        next_rung = (self.generation + 1) * self.interval
        return self.time[trial_id] < next_rung and trial_id not in self.waiting

    def favourite(self, paused: Collection[str]) -> Promotion | None:
        return self.promotion(paused, more=False)

    def standing(self, paused: Collection[str]) -> list[str]:
        """In no order of merit: every trial goes on. (So pbt refuses a budget for checkpoints.)"""
        return sorted(paused)

    def _rung(self, trial_id: str) -> int:
        return self.time[trial_id] // self.interval * self.interval

    def _next_generation(self) -> dict[str, str | None]:
        """The trials that go on, in order, each with the trial that it takes over from; empty until
        all have arrived."""
        rung = (self.generation + 1) * self.interval
        if any(time < rung for time in self.time.values()):
            return {}
        able = [trial_id for trial_id in self.time if self.score[trial_id] < math.inf]
        best_first = sorted(able, key=self.score.__getitem__)
        number = min(math.ceil(len(able) * as_written(self.quantile)), len(able) // 2)
        best, worst = best_first[:number], sorted(best_first[len(able) - number :])
        sources = {
            trial_id: random.Random(f"{self.seed} {rung} {trial_id}").choice(best)
            for trial_id in worst
        }
        return {**sources, **{t: None for t in able if t not in sources}}
