"""Where trials can be compared with one another: all at the same rung, or all at their ends."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.status import Status


@dataclass(frozen=True, kw_only=True)
class Level:
    """One such place, with the objective of every trial that got there, by the trial's id."""

    rung: int | None = None  # on the scheduler's clock
    step: int | None = None  # where there are no rungs and no trial has completed
    values: Mapping[str, float]

    @property
    def is_end(self) -> bool:
        return self.rung is None and self.step is None


def levels_of(sweep: SweepData) -> tuple[Level, ...]:
    """The rungs, from the lowest up, then the end; those that no trial reached are left out."""
    rungs: dict[int, dict[str, float]] = {}
    for arrival in sweep.arrivals:
        if arrival.value is not None:
            rungs.setdefault(arrival.rung, {})[arrival.trial_id] = arrival.value
    levels = [Level(rung=rung, values=rungs[rung]) for rung in sorted(rungs)]
    ends = {
        trial.trial_id: trial.value
        for trial in sweep.trials
        if trial.status is Status.COMPLETED and trial.value is not None
    }
    if ends:
        levels.append(Level(values=ends))
    return tuple(levels) or _shared_step(sweep)


def common_level(sweep: SweepData, levels: Sequence[Level], fewest: int = 1) -> Level | None:
    """The deepest level that half of the trials reached and at least `fewest`; else where the most
    of them got. None where there is no level."""
    most = max(fewest, sum(bool(trial.evaluations) for trial in sweep.trials) / 2)
    deep = [level for level in levels if len(level.values) >= most]
    return deep[-1] if deep else max(levels, key=lambda level: len(level.values), default=None)


def _shared_step(sweep: SweepData) -> tuple[Level, ...]:
    """The step at which the most trials were evaluated; of equals the latest."""
    values: dict[int, dict[str, float]] = {}
    for trial in sweep.trials:
        for evaluation in trial.evaluations:
            if evaluation.value is not None:
                values.setdefault(evaluation.step, {})[trial.trial_id] = evaluation.value
    if not values:
        return ()
    counts = Counter({step: len(reached) for step, reached in values.items()})
    step = max(counts, key=lambda step: (counts[step], step))
    return (Level(step=step, values=values[step]),)
