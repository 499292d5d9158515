"""Every scheduler that a search-space file can ask for."""

from typing import Literal

from sweeper.spec.scheduler_spec import (
    AnySchedulerSpec,
    AshaSpec,
    FifoSpec,
    HyperbandSpec,
    MedianSpec,
    PbtSpec,
)
from sweeper.strategy.schedulers.asha import Asha
from sweeper.strategy.schedulers.hyperband import Hyperband
from sweeper.strategy.schedulers.median import Median
from sweeper.strategy.schedulers.pbt import Pbt
from sweeper.strategy.schedulers.scheduler import Fifo, Scheduler


def make_scheduler(
    spec: AnySchedulerSpec, objective: Literal["min", "max"], seed: int
) -> Scheduler:
    """
    Args:
        seed: of what is drawn (who takes over from whom in `pbt`).
    """
    match spec:
        case FifoSpec():
            return Fifo()
        case AshaSpec():
            return Asha(
                spec.grace,
                spec.reduction_factor,
                form=spec.mode,
                objective=objective,
                brackets=spec.brackets,
            )
        case HyperbandSpec():
            return Hyperband(
                spec.grace, spec.reduction_factor, objective=objective, brackets=spec.brackets
            )
        case MedianSpec():
            return Median(spec.grace, spec.min_trials, objective=objective)
        case PbtSpec():
            return Pbt(spec.interval_steps, spec.quantile, objective=objective, seed=seed)
