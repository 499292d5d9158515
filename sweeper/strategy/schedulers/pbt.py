"""Population based training: which trials take over from which."""

import math
import random
from collections.abc import Collection
from typing import Literal

from sweeper.status import Decision
from sweeper.strategy.schedulers.scheduler import Promotion, Verdict, score_of


class Pbt:
    """Population based training (Jaderberg et al., arXiv 1711.09846), as Tune's with `synch=True`:
    every trial pauses at each multiple of `interval`. Once all have come there or have ended, each
    of the worst ceil(n × quantile) of n (at most half) takes over from one of as many best, drawn
    with `seed`; then all go on.

    Those who take over are promoted first, so that nobody has left the checkpoint that is taken
    over. Of a tie, who was created first is better. A value that is missing or not finite stops a
    trial. A trial that comes later, or is tried again, catches up alone; the others wait for it.
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
        self.sign = 1.0 if objective == "min" else -1.0
        self.seed = seed
        self.time: dict[str, int] = {}  # of the last report of each trial that has not ended
        self.score: dict[str, float] = {}  # at its last rung; less is better
        self.generation = 0  # how often all have gone on together
        self.waiting: dict[str, str | None] = {}  # who goes on now, and from whom it takes over

    def added(self, trial_id: str, end: int) -> None:
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
            return None  # the last to arrive has not left its worker, nor its checkpoint, yet
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
        """Whether the others were compared there before: it was added later, or tried again."""
        next_rung = (self.generation + 1) * self.interval
        return self.time[trial_id] < next_rung and trial_id not in self.waiting

    def favourite(self, paused: Collection[str]) -> Promotion | None:
        return self.promotion(paused, more=False)

    def standing(self, paused: Collection[str]) -> list[str]:
        """Every one goes on, so a budget for checkpoints is refused under pbt."""
        return sorted(paused)

    def _rung(self, trial_id: str) -> int:
        return self.time[trial_id] // self.interval * self.interval

    def _next_generation(self) -> dict[str, str | None]:
        """Who goes on, in order, and from whom each takes over; empty while others must come."""
        rung = (self.generation + 1) * self.interval
        if any(time < rung for time in self.time.values()):
            return {}
        able = [trial_id for trial_id in self.time if self.score[trial_id] < math.inf]
        best_first = sorted(able, key=self.score.__getitem__)
        number = min(math.ceil(len(able) * self.quantile), len(able) // 2)
        best, worst = best_first[:number], sorted(best_first[len(able) - number :])
        sources = {
            trial_id: random.Random(f"{self.seed} {rung} {trial_id}").choice(best)
            for trial_id in worst
        }
        return {**sources, **{t: None for t in able if t not in sources}}
