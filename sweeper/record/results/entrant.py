"""A trial of a sweep at work, as it is ranked."""

from dataclasses import dataclass

from sweeper.record.state.trial import Trial
from sweeper.spec.points import Point
from sweeper.status import Status

SEED = "seed"  # among the values of a trial that `seeds:` repeats


@dataclass(frozen=True)
class _Value:
    step: int
    value: float | None


@dataclass(frozen=True)
class Entrant:
    """A trial of a sweep at work as a ranking needs it; nothing is computed before it is used."""

    trial: Trial
    metric: str
    repeated: bool

    @property
    def trial_id(self) -> str:
        return self.trial.trial_id

    @property
    def status(self) -> Status:
        return self.trial.status

    @property
    def point(self) -> Point:
        values = self.trial.values
        return {k: v for k, v in values.items() if k != SEED} if self.repeated else values

    @property
    def seed(self) -> int:
        return self.trial.config.seed

    @property
    def step(self) -> int:
        return self.trial.step

    @property
    def value(self) -> float | None:
        last = self.trial.last_evaluation
        return None if last is None else last.value(self.metric)

    @property
    def evaluations(self) -> list[_Value]:
        return [_Value(seen.step, seen.value(self.metric)) for seen in self.trial.evaluations]
