"""A sweep in simulated time: its real scheduler, its slots, its trials reduced to numbers."""

import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sweeper.status import Decision
from sweeper.strategy.schedulers.scheduler import Scheduler

MAX_ORDERS = 720  # of merit; all of them up to 6 trials, else so many at random


def orders_of_merit(num_trials: int, seed: int) -> Iterator[Sequence[int]]:
    """Places of the trials, 0 the best: every order where they are few, else a random sample, the
    smaller the more trials (the work is the square of their number, the noise falls with it)."""
    if math.factorial(num_trials) <= MAX_ORDERS:
        yield from itertools.permutations(range(num_trials))
        return
    rng = random.Random(seed)
    for _ in range(max(5, min(MAX_ORDERS, 500_000 // num_trials**2))):
        yield rng.sample(range(num_trials), num_trials)


class Stop(NamedTuple):
    """Where a trial is looked at: the step, and the rung, or its end, on the scheduler's clock."""

    step: int
    clock: int


@dataclass(frozen=True)
class Job:
    """A trial as the simulation sees it."""

    trial_id: str
    stops: tuple[Stop, ...]  # its rungs, then its end
    clock_per_step: int  # of the scheduler's clock
    eval_every_steps: int
    tokens_per_step: int
    flops_per_token: int
    seconds_per_step: float
    evaluation_seconds: float

    @property
    def max_steps(self) -> int:
        return self.stops[-1].step

    def seconds(self, step: int) -> float:
        """From the beginning to `step`, the evaluation there included."""
        evaluations = step // self.eval_every_steps
        if step == self.max_steps and step % self.eval_every_steps:
            evaluations += 1  # the last step's
        return step * self.seconds_per_step + evaluations * self.evaluation_seconds


@dataclass(frozen=True)
class Outcome:
    steps: Sequence[int]  # of each job
    reached: Counter[int]  # rung or end, on the clock -> trials that were there
    seconds: float


def simulate(
    jobs: Sequence[Job], scheduler: Scheduler, slots: int, merits: Sequence[int]
) -> Outcome:
    """One sweep in simulated time; a slot that is free takes what `Sweep.next_trial` would give:
    who has earned a promotion, then the next new trial, at the very end the favourite."""
    index = {job.trial_id: i for i, job in enumerate(jobs)}
    place = [-1] * len(jobs)  # among its stops, that which a job has reached or is on its way to
    reached = Counter[int]()
    paused: set[str] = set()
    running: list[tuple[float, int]] = []  # when at its next stop, which job
    created, completed, now = 0, False, 0.0

    def step_of(i: int) -> int:
        return jobs[i].stops[place[i]].step if place[i] >= 0 else 0

    def go_on(i: int) -> None:
        seconds_before = jobs[i].seconds(step_of(i))
        place[i] += 1
        heapq.heappush(running, (now + jobs[i].seconds(step_of(i)) - seconds_before, i))

    def next_job() -> int | None:
        nonlocal created
        more = created < len(jobs)
        promotion = scheduler.promotion(paused, more=more) if paused else None
        if promotion is None:
            if more:
                job = jobs[created]
                scheduler.added(job.trial_id, job.stops[-1].clock)
                created += 1
                return created - 1
            if not paused or running or completed:
                return None
            promotion = scheduler.favourite(paused)
            if promotion is None:
                return None
        scheduler.promote(promotion)
        paused.discard(promotion.trial_id)
        return index[promotion.trial_id]

    while True:
        while len(running) < slots and (i := next_job()) is not None:
            go_on(i)
        if not running:
            return Outcome([step_of(i) for i in range(len(jobs))], reached, now)
        now, i = heapq.heappop(running)
        job, stop = jobs[i], jobs[i].stops[place[i]]
        reached[stop.clock] += 1
        verdict = scheduler.report(
            job.trial_id, stop.step * job.clock_per_step, float(merits[i]), job.stops[-1].clock
        )
        if stop.step == job.max_steps:
            completed = True
            scheduler.ended(job.trial_id)
        elif verdict.decision is Decision.CONTINUE:
            go_on(i)
        elif verdict.decision is Decision.PAUSE:
            paused.add(job.trial_id)
        else:
            scheduler.ended(job.trial_id)
