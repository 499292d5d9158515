"""Planned trials as the simulation takes them: where each is judged, and when it is there."""

from collections.abc import Iterator
from dataclasses import dataclass

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
from sweeper.strategy.simulation import Job, Stop
from trainable.config import TrainConfig

MAX_LOOKS = 200  # at a trial without rungs; of more evaluations, so many evenly spaced ones


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast one trial of a shape is while every slot is busy."""

    tokens_per_second: float  # of training, evaluations left out
    evaluation_seconds: float  # of one evaluation


def job_of(
    trial: PlannedTrial, scheduler: AnySchedulerSpec, flops_per_token: int, speed: Speed | None
) -> Job:
    config = trial.config
    return Job(
        stops=tuple(
            Stop(step, clock, _seconds(step, config, flops_per_token, speed))
            for step, clock in _stops(config, scheduler)
        ),
        max_steps=config.max_steps,
        clock_per_step=clock_per_step(config, scheduler.clock),
        tokens_per_step=config.batch_size * config.context_length,
        flops_per_token=flops_per_token,
    )


def _seconds(step: int, config: TrainConfig, flops_per_token: int, speed: Speed | None) -> float:
    """The time from the beginning to `step`, with the evaluation there."""
    tokens = step * config.batch_size * config.context_length
    if speed is None:  # the arithmetic is the clock: it tells who arrives first
        return float(tokens * flops_per_token)
    evaluations = step // config.eval_every_steps
    if step == config.max_steps and step % config.eval_every_steps:
        evaluations += 1  # the last step's
    training = tokens / speed.tokens_per_second
    return training + evaluations * speed.evaluation_seconds


def _stops(config: TrainConfig, scheduler: AnySchedulerSpec) -> Iterator[tuple[int, int]]:
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
