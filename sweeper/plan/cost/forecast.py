"""What a plan will cost, before anything runs: a pure function of the plan and of measured speeds.

What early stopping saves is an expectation. To find it, the sweep's own scheduler is run in
simulated time, on as many slots as there are, over many orders of merit: any order of the trials,
from the best to the worst, is as likely as any other. A trial keeps its place at every rung, and
none diverges or fails.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sweeper.plan.branching import Branching
from sweeper.plan.cost.jobs import forks_in_time, job_of
from sweeper.plan.cost.queue import QueueForecast
from sweeper.plan.cost.shapes import Machine, Shape, ShapeForecast, Speed, shape_forecast, shape_of
from sweeper.plan.cost.spend import SpendForecast, spend_forecast
from sweeper.plan.plan import Plan, PlannedTrial
from sweeper.plan.validation import ThinValidation
from sweeper.spec.clock import Clock
from sweeper.spec.scheduler_spec import (
    AnySchedulerSpec,
    AshaSpec,
    EarlySpec,
    FifoSpec,
    PbtSpec,
)
from sweeper.spec.sweep_spec import Objective, SweepSpec
from sweeper.strategy.schedulers import make_scheduler
from sweeper.strategy.schedulers.scheduler import Fifo
from sweeper.strategy.simulation import (
    MAX_ORDERS,
    Job,
    Simulated,
    by_merit,
    orders_of_merit,
    simulate,
)
from sweeper.strategy.surface.observation import CALIBRATION

MAX_SIMULATED_TRIALS = 400  # a longer plan is judged by its first ones: their order is shuffled


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What the sweep that `search.from` names spares this one."""

    trials: frozenset[str]  # that cost nothing, since they have run there
    different: tuple[str, ...]  # what is not the same there


@dataclass(frozen=True, kw_only=True)
class RungForecast:
    at: int  # on the forecast's clock
    expected_trials: float  # that reach it


@dataclass(frozen=True, kw_only=True)
class Cost:
    steps: float
    tokens: float | None  # None: of another trainer nobody knows it
    flops: float | None
    wall_seconds: float | None  # evaluations included, Ray's start and checkpoints not

    @property
    def work(self) -> float:
        """What costs are compared by."""
        return self.steps if self.flops is None else self.flops


@dataclass(frozen=True, kw_only=True)
class Known:
    """What of its costs a forecast can tell beside the steps."""

    timed: bool  # the speed of every shape
    counted: bool  # the tokens and the FLOPs


@dataclass(frozen=True, kw_only=True)
class BranchForecast:
    """What trials that share a trunk spare."""

    num_trunks: int
    num_forks: int
    alone: Cost  # if each trained all of its steps
    share: float  # of these FLOPs that is left
    least_share: float  # if decays took no step
    apart: str | None  # why no more of them do


@dataclass(frozen=True, kw_only=True)
class FinalsForecast:
    """What the finals cost at most: every seed of as many points, each as dear as the dearest."""

    num_points: int
    seeds: tuple[int, ...]  # one after the other
    num_trials: int
    cost: Cost


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a plan will cost. The last rung is the end of the trials. Without a scheduler `expected`
    equals `whole`."""

    name: str
    clock: Clock  # of the rungs
    scheduler: str
    num_trials: int
    num_taken: int | None  # of them, by `search.from`: all else is without these
    differs_there: tuple[str, ...]  # why no more are
    dropped: int  # points that the constraints ruled out
    searcher: str | None  # that will choose the points by results: random ones are looked at here
    slots: int
    shapes: tuple[ShapeForecast, ...]  # from the smallest up
    rungs: tuple[RungForecast, ...]
    whole: Cost  # every trial to its end
    expected: Cost
    saved: float  # share of the FLOPs
    orders_of_merit: int  # that the expectation is taken over
    is_exact: bool  # those were all orders
    branches: BranchForecast | None = None  # None: there is nothing to say of trunks
    finals: FinalsForecast | None = None  # beside all of that
    # Processes that wanted a core before the speed was measured; None: few, or it was not measured.
    load: float | None = None
    thin_validation: ThinValidation | None = None  # too little text to validate on
    spend: SpendForecast | None = None  # None: `max_spend` is not stated
    queue: QueueForecast | None = None  # None: it has what it runs on for itself
    # Why ends will be forecast without the schedule; None if they are with it, or not at all.
    no_schedule: str | None = None


def forecast(
    plan: Plan, machine: Machine, speeds: Mapping[Shape, Speed], taken: Taken | None = None
) -> Forecast:
    """What the plan costs on this machine. `speeds` may lack shapes, or be empty.

    Args:
        taken: What `search.from` spares; None if there is none.
    """
    spared = frozenset() if taken is None else taken.trials
    alike: dict[Shape | None, list[PlannedTrial]] = {}
    for trial in plan.trials:
        alike.setdefault(shape_of(trial.config), []).append(trial)
    by_shape = {
        shape: shape_forecast(plan, trials, machine, speeds) for shape, trials in alike.items()
    }
    scheduler, branching = plan.spec.scheduler, Branching(plan, spared)
    trials = [trial for trial in plan.trials if trial.trial_id not in spared]
    begins = {fork: step for forks in branching.trunks.values() for fork, step in forks.items()}

    def job(trial: PlannedTrial, begins: int = 0, forks_at: Collection[int] = ()) -> Job:
        shape = by_shape[shape_of(trial.config)]
        return job_of(trial, scheduler, shape.speed, begins=begins, forks_at=forks_at)

    alone = [job(trial) for trial in trials]
    jobs = [
        job(t, begins.get(t.trial_id, 0), branching.trunks.get(t.trial_id, {}).values())
        for t in trials
    ]
    timed = all(shape.speed is not None for shape in by_shape.values())
    known = Known(timed=timed, counted=plan.spec.is_ours)
    in_turn = by_merit(range(len(jobs)))
    choose = forks_in_time(jobs, trials, branching.trunks) if branching else None
    whole = simulate(jobs, Fifo(), machine.slots, in_turn, choose)
    all_whole = _cost(jobs, [whole], 1.0, known)
    outcomes, expected, scale = [whole], all_whole, 1.0
    if is_early := not isinstance(scheduler, FifoSpec | PbtSpec):
        sample = jobs[:MAX_SIMULATED_TRIALS]
        scale = len(jobs) / max(1, len(sample))
        outcomes = _simulated(sample, plan.spec, machine.slots)
        expected = _cost(sample, outcomes, scale, known)
    reached = Counter[int]()
    for outcome in outcomes:
        reached.update(outcome.reached)
    return Forecast(
        name=plan.spec.name,
        clock=scheduler.clock,
        scheduler=_scheduler_name(scheduler),
        num_trials=len(plan.trials),
        num_taken=None if taken is None else len(spared),
        differs_there=() if taken is None else taken.different,
        dropped=plan.dropped,
        searcher=plan.spec.search.algorithm if plan.has_stand_ins else None,
        slots=machine.slots,
        shapes=tuple(sorted(by_shape.values(), key=lambda shape: shape.num_params or 0)),
        rungs=tuple(
            RungForecast(at=at, expected_trials=scale * reached[at] / len(outcomes))
            for at in _shown(jobs, scheduler)
        ),
        whole=all_whole,
        expected=expected,
        saved=1 - expected.work / all_whole.work if jobs else 0.0,
        orders_of_merit=len(outcomes),
        is_exact=not is_early or (scale == 1 and math.factorial(len(jobs)) <= MAX_ORDERS),
        branches=_branches(branching, alone, all_whole, machine.slots, known),
        finals=_finals(
            plan.spec, len(plan.trials) // plan.spec.num_seeds, alone, machine.slots, known
        ),
        no_schedule=_no_schedule(plan.spec),
        spend=spend_forecast(plan.spec, trials, jobs, machine.placement if timed else None),
    )


def _branches(
    branching: Branching, jobs: Sequence[Job], cost: Cost, slots: int, known: Known
) -> BranchForecast | None:
    """
    Args:
        jobs: Of every trial by itself.
        cost: That of the trials as they share trunks.
    """
    if not branching and branching.apart is None:
        return None
    outcome = simulate(jobs, Fifo(), slots, by_merit(range(len(jobs))))
    alone = _cost(jobs, [outcome], 1.0, known)
    return BranchForecast(
        num_trunks=len(branching.trunks),
        num_forks=sum(map(len, branching.trunks.values())),
        alone=alone,
        share=cost.work / alone.work,
        least_share=branching.least_share,
        apart=branching.apart,
    )


def _finals(
    spec: SweepSpec, num_points: int, jobs: Sequence[Job], slots: int, known: Known
) -> FinalsForecast | None:
    """A round begins when the one before is through."""
    if spec.finals is None or not jobs:
        return None
    dearest = max(jobs, key=lambda job: (job.stops[-1].seconds, job.end))
    num_points = min(spec.finals.top, num_points)
    a_round = [dearest] * num_points
    outcome = simulate(a_round, Fifo(), slots, by_merit(range(num_points)))
    return FinalsForecast(
        num_points=num_points,
        seeds=tuple(spec.fresh_seeds()),
        num_trials=num_points * spec.finals.seeds,
        cost=_cost(a_round, [outcome], spec.finals.seeds, known),
    )


def _simulated(jobs: Sequence[Job], spec: SweepSpec, slots: int) -> list[Simulated]:
    """The sweep under each order of merit, or a sample of them."""
    by_place = spec.model_copy(update={"objective": Objective()})  # of which less is better
    return [
        simulate(jobs, make_scheduler(by_place, foreseen=True), slots, by_merit(merits))
        for merits in orders_of_merit(len(jobs), spec.search.seed)
    ]


def _no_schedule(spec: SweepSpec) -> str | None:
    by_forecast = isinstance(spec.scheduler, AshaSpec) and spec.scheduler.compare == "forecast"
    if (spec.objective.falls and spec.is_ours) or not (
        by_forecast or spec.search.algorithm == "model"
    ):
        return None
    if not spec.is_ours:
        return "of another trainer nobody knows it"
    return f"objective.mode is {spec.objective.mode}, and the schedule tells how a loss falls"


def _scheduler_name(spec: AnySchedulerSpec) -> str:
    if not isinstance(spec, AshaSpec):
        return spec.type
    return f"asha, {spec.mode}" + (
        f", by forecasts once {CALIBRATION} have ended" if spec.compare == "forecast" else ""
    )


def _shown(jobs: Sequence[Job], spec: AnySchedulerSpec) -> list[int]:
    """The places for which the forecast says how many trials reach them: the rungs, or without
    rungs the place where trials are judged first; and the ends."""
    if isinstance(spec, EarlySpec) and not spec.has_rungs:
        return sorted({stop.clock for job in jobs for stop in (job.stops[0], job.stops[-1])})
    return sorted({stop.clock for job in jobs for stop in job.stops if stop.judged})


def _cost(jobs: Sequence[Job], outcomes: Sequence[Simulated], scale: float, known: Known) -> Cost:
    """The mean over the outcomes."""
    steps = tokens = flops = 0
    for outcome in outcomes:
        for job, step in zip(jobs, outcome.steps, strict=True):
            trained = max(0, step - job.begins)
            steps += trained
            tokens += trained * job.tokens_per_step
            flops += trained * job.tokens_per_step * job.flops_per_token
    share = scale / len(outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes) * share
    return Cost(
        steps=steps * share,
        tokens=tokens * share if known.counted else None,
        flops=flops * share if known.counted else None,
        wall_seconds=seconds if known.timed else None,
    )
