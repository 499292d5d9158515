"""Curves that were recorded to their ends, for each setting and seed: what can be replayed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sweeper.record.state.trial import Trial
from sweeper.spec.clock import Clock, clock_per_step
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec, sign_of
from sweeper.status import Status
from sweeper.strategy.schedulers.scheduler import score_of
from sweeper.strategy.simulation import Job, Stop
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One training run to its end."""

    point: Point
    config: TrainConfig
    evaluations: tuple[Metrics, ...]
    flops_per_token: int
    seconds: tuple[float, ...]  # from the beginning to each evaluation

    @property
    def diverged(self) -> bool:
        return self.evaluations[-1].diverged

    @property
    def tokens_per_step(self) -> int:
        return self.config.batch_size * self.config.context_length

    def job(self, clock: Clock) -> Job:
        """As the simulation takes it: it is judged at each evaluation."""
        pace = clock_per_step(self.config, clock)
        return Job(
            stops=tuple(
                Stop(seen.step, seen.step * pace, seconds)
                for seen, seconds in zip(self.evaluations, self.seconds, strict=True)
            ),
            max_steps=self.config.max_steps,
            clock_per_step=pace,
            tokens_per_step=self.tokens_per_step,
            flops_per_token=self.flops_per_token,
            diverges=self.diverged,
            point=self.point,
        )

    def trial(self, trial_id: str, status: Status, evaluations: int) -> Trial:
        """The trial as a sweep knows it after so many of its evaluations."""
        known = list(self.evaluations[:evaluations])
        return Trial(trial_id, dict(self.point), self.config, status, known)


class Field:
    """The settings with one of their seeds: what one sweep has to choose from."""

    def __init__(self, spec: SweepSpec, curves: Sequence[Curve]) -> None:
        """
        Args:
            spec: The sweep that it is: its space, its objective, its search.
        """
        self.spec = spec
        self.curves = curves
        metric = spec.objective.metric
        self.sign = sign_of(spec.objective.mode)
        self.values = [[seen.value(metric) for seen in curve.evaluations] for curve in curves]
        self._jobs: dict[Clock, list[Job]] = {}

    def jobs(self, clock: Clock) -> list[Job]:
        if clock not in self._jobs:
            self._jobs[clock] = [curve.job(clock) for curve in self.curves]
        return self._jobs[clock]

    def score(self, setting: int) -> float:
        """What a setting comes to, turned so that less is better; infinite if it diverged."""
        curve = self.curves[setting]
        return score_of(None if curve.diverged else self.values[setting][-1], self.sign)

    def tokens(self, steps: Sequence[int]) -> int:
        return sum(
            step * curve.tokens_per_step for step, curve in zip(steps, self.curves, strict=True)
        )

    def tokens_of(self, setting: int) -> int:
        """To its end."""
        curve = self.curves[setting]
        return curve.evaluations[-1].step * curve.tokens_per_step

    @cached_property
    def whole(self) -> int:
        """The tokens of all curves to their ends."""
        return sum(map(self.tokens_of, range(len(self.curves))))


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A whole grid, or any other set of settings, each trained to its end with every seed."""

    name: str
    spec: SweepSpec  # without `seeds:`: one of them is swept at a time
    seeds: tuple[int | None, ...]
    fields: tuple[Field, ...]  # one for each seed, with the same settings in the same order
    timed: bool  # whether the seconds are seconds, and not only in proportion
    clocks: tuple[Clock, ...]  # that trials can be compared by
    notes: tuple[str, ...] = ()

    @property
    def settings(self) -> list[Point]:
        return [curve.point for curve in self.fields[0].curves]

    @cached_property
    def evaluated(self) -> list[int]:
        """The steps at which every trial was evaluated that came so far."""
        curves = [curve for field in self.fields for curve in field.curves]
        steps = [{seen.step for seen in curve.evaluations} for curve in curves]
        ends = [max(of) for of in steps]
        return [
            step
            for step in sorted(set().union(*steps))
            if all(step in of or step > end for of, end in zip(steps, ends, strict=True))
        ]

    @property
    def max_steps(self) -> int:
        """Of the longest trial."""
        return max(curve.config.max_steps for curve in self.fields[0].curves)
