"""Planned trials as the simulation takes them: where each is judged, and when it is there."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from sweeper.plan.cost.shapes import Speed
from sweeper.plan.plan import PlannedTrial
from sweeper.spec.clock import clock_per_step
from sweeper.spec.scheduler_spec import (
    AnySchedulerSpec,
    AshaSpec,
    FifoSpec,
    HyperbandSpec,
    MedianSpec,
    PbtSpec,
)
from sweeper.spec.trainer.config import AnyConfig, flops_per_step, tokens_per_step
from sweeper.strategy.simulation import Choose, Job, Seen, Stop
from trainable.config import TrainConfig
from trainable.model.model_size import flops_per_token

MAX_LOOKS = 200  # at a trial without rungs; of more evaluations, so many evenly spaced ones


def job_of(
    trial: PlannedTrial,
    scheduler: AnySchedulerSpec,
    speed: Speed | None,
    *,
    begins: int = 0,
    forks_at: Collection[int] = (),
) -> Job:
    """
    Of another trainer, whose tokens and FLOPs nobody knows, a step counts as one of each.

    Args:
        begins: The step at which it forks from another.
        forks_at: Those at which others fork from it.
    """
    config = trial.config
    before = _seconds(begins, config, speed)
    per_step = clock_per_step(config, scheduler.clock)
    stops = [(step, clock, True) for step, clock in _stops(config, scheduler)]
    stops += [(step, step * per_step, False) for step in set(forks_at)]
    return Job(
        stops=tuple(
            Stop(step, clock, _seconds(step, config, speed) - before, judged)
            for step, clock, judged in sorted(stops)
        ),
        max_steps=config.max_steps,
        clock_per_step=per_step,
        tokens_per_step=tokens_per_step(config) or 1,
        flops_per_token=flops_per_token(config) if isinstance(config, TrainConfig) else 1,
        begins=begins,
    )


def _seconds(step: int, config: AnyConfig, speed: Speed | None) -> float:
    """The time from the beginning to `step`, with the evaluation there."""
    if speed is None:  # the arithmetic is the clock: it tells who arrives first
        return float(step * (flops_per_step(config) or 1))
    evaluations = step // config.eval_every_steps
    if step == config.max_steps and step % config.eval_every_steps:
        evaluations += 1  # the last step's
    training = step * (tokens_per_step(config) or 1) / speed.tokens_per_second
    return training + evaluations * speed.evaluation_seconds


def _stops(config: AnyConfig, scheduler: AnySchedulerSpec) -> Iterator[tuple[int, int]]:
    """The steps of the evaluations that the scheduler judges, and of the end, each with the rung or
    the end on the clock. For a rung it is the first evaluation at or beyond it; without rungs, each
    one from grace on."""
    per_step, every = clock_per_step(config, scheduler.clock), config.eval_every_steps
    end = config.max_steps * per_step
    match scheduler:
        case AshaSpec() | HyperbandSpec():
            rung = scheduler.grace
            while rung < end:
                evaluations = -(-rung // (every * per_step))
                if evaluations * every < config.max_steps:
                    yield evaluations * every, rung
                rung *= scheduler.reduction_factor
        case MedianSpec():
            first = -(-scheduler.first_rung_step(config) // every) * every
            looks = -(-max(0, config.max_steps - first) // every)
            stride = every * -(-looks // MAX_LOOKS) or every
            for step in range(first, config.max_steps, stride):
                yield step, step * per_step
        case FifoSpec() | PbtSpec():  # which stop none
            pass
    yield config.max_steps, end


def forks_in_time(
    jobs: Sequence[Job], trials: Sequence[PlannedTrial], trunks: Mapping[str, Mapping[str, int]]
) -> Choose:
    """The order of these jobs in which each trunk comes before its forks, and each fork once its
    trunk has come to its step; as `sweeper.engine.upcoming.forking` has it.

    Args:
        trials: The one of each job.
        trunks: Each with its forks and their steps.
    """
    job = {trial.trial_id: i for i, trial in enumerate(trials)}
    trunk_of = {job[fork]: job[trunk] for trunk, forks in trunks.items() for fork in forks}

    def choose(seen: Sequence[Seen]) -> int | None:
        stops = {each.job: each.stops for each in seen}
        for i in range(len(jobs)):
            if i in stops:
                continue
            trunk = trunk_of.get(i, i)
            if trunk not in stops:
                return trunk
            if any(stop.step == jobs[i].begins for stop in jobs[trunk].stops[: stops[trunk]]):
                return i
        return None

    return choose
