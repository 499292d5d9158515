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
from sweeper.strategy.next_step import Step, next_step
from sweeper.strategy.schedulers.scheduler import Promotion, Scheduler

MAX_ORDERS = 720  # of merit; all of them up to 6 trials, else so many at random


def orders_of_merit(num_trials: int, seed: int) -> Iterator[Sequence[int]]:
    """The places that the trials may come to, 0 the best: every order if they are few, otherwise a
    random sample. It is smaller for more trials: the work grows with the square of their number,
    while the noise falls with it."""
    if math.factorial(num_trials) <= MAX_ORDERS:
        yield from itertools.permutations(range(num_trials))
        return
    rng = random.Random(seed)
    for _ in range(max(5, min(MAX_ORDERS, 500_000 // num_trials**2))):
        yield rng.sample(range(num_trials), num_trials)


class Stop(NamedTuple):
    """Where a trial is judged: its step, and the rung or its end, on the scheduler's clock."""

    step: int
    clock: int


@dataclass(frozen=True)
class Job:
    """A trial, reduced to what the simulation needs."""

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
        """The time from the beginning to `step`, with the evaluation there."""
        evaluations = step // self.eval_every_steps
        if step == self.max_steps and step % self.eval_every_steps:
            evaluations += 1  # the last step's
        return step * self.seconds_per_step + evaluations * self.evaluation_seconds


@dataclass(frozen=True)
class Simulated:
    steps: Sequence[int]  # of each job
    reached: Counter[int]  # rung or end, on the clock -> trials that were there
    seconds: float


def simulate(
    jobs: Sequence[Job], scheduler: Scheduler, slots: int, merits: Sequence[int]
) -> Simulated:
    """One sweep in simulated time. A free slot takes what `Sweep.next_trial` would give to it.

    Args:
        merits: The place that the trial of each job comes to, 0 the best.
    """
    return _Simulation(jobs, scheduler, merits).run(slots)


class _Simulation:
    def __init__(self, jobs: Sequence[Job], scheduler: Scheduler, merits: Sequence[int]) -> None:
        self.jobs = jobs
        self.scheduler = scheduler
        self.merits = merits
        self.index = {job.trial_id: i for i, job in enumerate(jobs)}
        self.place = [-1] * len(jobs)  # of each job's stops, the one it is at or on its way to
        self.reached = Counter[int]()
        self.paused: set[str] = set()
        self.running: list[tuple[float, int]] = []  # when at its next stop, which job
        self.created, self.completed, self.now = 0, False, 0.0

    def run(self, slots: int) -> Simulated:
        while True:
            while len(self.running) < slots and (i := self._next_job()) is not None:
                self._go_on(i)
            if not self.running:
                steps = [self._step_of(i) for i in range(len(self.jobs))]
                return Simulated(steps, self.reached, self.now)
            self.now, i = heapq.heappop(self.running)
            self._arrive(i)

    def _next_job(self) -> int | None:
        step = next_step(
            self.scheduler,
            self.paused,
            more=self.created < len(self.jobs),
            busy=bool(self.running),
            completed=self.completed,
        )
        match step:
            case Promotion():
                self.scheduler.promote(step)
                self.paused.discard(step.trial_id)
                return self.index[step.trial_id]
            case Step.CREATE:
                job = self.jobs[self.created]
                self.scheduler.added(job.trial_id, job.stops[-1].clock)
                self.created += 1
                return self.created - 1
        return None

    def _step_of(self, i: int) -> int:
        return self.jobs[i].stops[self.place[i]].step if self.place[i] >= 0 else 0

    def _go_on(self, i: int) -> None:
        seconds_before = self.jobs[i].seconds(self._step_of(i))
        self.place[i] += 1
        seconds = self.jobs[i].seconds(self._step_of(i)) - seconds_before
        heapq.heappush(self.running, (self.now + seconds, i))

    def _arrive(self, i: int) -> None:
        """A job has come to its next stop, and the scheduler decides."""
        job, stop = self.jobs[i], self.jobs[i].stops[self.place[i]]
        self.reached[stop.clock] += 1
        time, end = stop.step * job.clock_per_step, job.stops[-1].clock
        verdict = self.scheduler.report(job.trial_id, time, float(self.merits[i]), end)
        if stop.step == job.max_steps:
            self.completed = True
            self.scheduler.ended(job.trial_id)
        elif verdict.decision is Decision.CONTINUE:
            self._go_on(i)
        elif verdict.decision is Decision.PAUSE:
            self.paused.add(job.trial_id)
        else:
            self.scheduler.ended(job.trial_id)
