"""A sweep in simulated time: its real scheduler, its slots, its trials reduced to what they say."""

import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sweeper.spec.points import Point
from sweeper.status import Decision, Status
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
    """Where a trial is judged, or where others fork from it."""

    step: int
    clock: int  # the rung, or the end of the trial, on the scheduler's clock
    seconds: float  # from its beginning until then, with the evaluation there
    judged: bool = True


@dataclass(frozen=True)
class Job:
    """A trial, reduced to what the simulation needs."""

    stops: tuple[Stop, ...]  # its rungs, then its end
    max_steps: int
    clock_per_step: int  # of the scheduler's clock
    tokens_per_step: int
    flops_per_token: int
    begins: int = 0  # the step at which it forks from another
    diverges: bool = False  # at its last stop
    point: Point | None = None  # where ends are forecast

    @property
    def end(self) -> int:
        """On the scheduler's clock."""
        return self.max_steps * self.clock_per_step


class Seen(NamedTuple):
    """What is known of a trial that has been created."""

    job: int
    stops: int  # how many it has come to
    status: Status


# What the trial of a job says at a stop: its merit, or the value that was recorded there.
Said = Callable[[int, int], float | None]
# The job to create next after these, which are all in their order. None: none for now; it is asked
# again while any runs, and then no more come.
Choose = Callable[[Sequence[Seen]], int | None]


@dataclass(frozen=True)
class Simulated:
    steps: Sequence[int]  # of each job; 0 if it was never begun
    reached: Counter[int]  # rung or end, on the clock -> trials that were there
    seconds: float
    ends: Sequence[Status]  # of each job; PENDING if it was never begun


def by_merit(merits: Sequence[int]) -> Said:
    """A trial says the place that it comes to, 0 the best, wherever it is asked."""
    return lambda job, _: float(merits[job])


def simulate(
    jobs: Sequence[Job],
    scheduler: Scheduler,
    slots: int,
    said: Said,
    choose: Choose | None = None,
    num_trials: int | None = None,
) -> Simulated:
    """One sweep in simulated time. A free slot takes what `Sweep.next_trial` would give to it, and
    the scheduler is told what a sweep tells it.

    Args:
        choose: None: each job in its turn.
        num_trials: How many of the jobs are created at most; None: all.
    """
    simulation = _Simulation(jobs, scheduler, said, choose)
    simulation.most = min(len(jobs), len(jobs) if num_trials is None else num_trials)
    return simulation.run(slots)


class _Simulation:
    def __init__(
        self, jobs: Sequence[Job], scheduler: Scheduler, said: Said, choose: Choose | None
    ) -> None:
        self.jobs = jobs
        self.scheduler = scheduler
        self.said = said
        self.choose = choose
        self.names = [""] * len(jobs)
        self.created: dict[str, int] = {}  # trial -> its job, in the order of creation
        self.place = [-1] * len(jobs)  # of each job's stops, the one it is at or on its way to
        self.status = [Status.PENDING] * len(jobs)
        self.reached = Counter[int]()
        self.paused: set[str] = set()
        self.running: list[tuple[float, int, int]] = []  # when at its next stop, turn, which job
        self.most, self.is_search_over = len(jobs), False
        self.turn, self.now = 0, 0.0

    def run(self, slots: int) -> Simulated:
        while True:
            while len(self.running) < slots and (i := self._next_job()) is not None:
                self._go_on(i)
            if not self.running:
                steps = [self._step_of(i) for i in range(len(self.jobs))]
                self._stop_the_paused()
                return Simulated(steps, self.reached, self.now, self.status)
            self.now, _, i = heapq.heappop(self.running)
            self._arrive(i)

    def _next_job(self) -> int | None:
        step = next_step(
            self.scheduler,
            self.paused,
            more=not self.is_search_over and len(self.created) < self.most,
            busy=bool(self.running),
            completed=Status.COMPLETED in self.status,
        )
        match step:
            case Promotion():
                self.scheduler.promote(step)
                self.paused.discard(step.trial_id)
                return self.created[step.trial_id]
            case Step.CREATE:
                return self._create()
        return None

    def _create(self) -> int | None:
        chosen: int | None = len(self.created)
        if self.choose is not None:
            chosen = self.choose([self._seen(i) for i in self.created.values()])
        if chosen is None:
            if self.running:  # what runs may still change what is expected of the others
                return None
            self.is_search_over = True
            return self._next_job()
        name = self.names[chosen] = f"{len(self.created):04d}"
        self.created[name] = chosen
        self.scheduler.added(name, self.jobs[chosen].end, self.jobs[chosen].point)
        return chosen

    def _seen(self, i: int) -> Seen:
        on_its_way = self.status[i] is Status.RUNNING
        return Seen(i, self.place[i] + (not on_its_way), self.status[i])

    def _step_of(self, i: int) -> int:
        return self.jobs[i].stops[self.place[i]].step if self.place[i] >= 0 else 0

    def _go_on(self, i: int) -> None:
        stops, place = self.jobs[i].stops, self.place[i]
        before = stops[place].seconds if place >= 0 else 0.0
        self.place[i], self.status[i] = place + 1, Status.RUNNING
        arrival = self.now + stops[place + 1].seconds - before
        self.turn += 1
        heapq.heappush(self.running, (arrival, self.turn, i))

    def _arrive(self, i: int) -> None:
        """A job has come to its next stop, and the scheduler decides."""
        job, place, name = self.jobs[i], self.place[i], self.names[i]
        stop = job.stops[place]
        if not stop.judged:
            return self._go_on(i)
        self.reached[stop.clock] += 1
        time = stop.step * job.clock_per_step
        verdict = self.scheduler.report(name, time, self.said(i, place), job.end)
        if place == len(job.stops) - 1:
            self._end(i, Status.DIVERGED if job.diverges else Status.COMPLETED)
        elif verdict.decision is Decision.CONTINUE:
            self._go_on(i)
        elif verdict.decision is Decision.PAUSE:
            self.paused.add(name)
            self.status[i] = Status.PAUSED
        else:
            self._end(i, Status.STOPPED)

    def _end(self, i: int, status: Status) -> None:
        self.status[i] = status
        self.scheduler.ended(self.names[i])

    def _stop_the_paused(self) -> None:
        """No other trial comes, so they have lost."""
        for name in self.paused:
            self.status[self.created[name]] = Status.STOPPED
