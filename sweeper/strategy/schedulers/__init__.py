"""Every scheduler that a search-space file can ask for."""

from sweeper.spec.scheduler_spec import (
    AshaSpec,
    FifoSpec,
    HyperbandSpec,
    MedianSpec,
    PbtSpec,
)
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.strategy.schedulers.asha import Asha
from sweeper.strategy.schedulers.forecast_asha import ForecastAsha
from sweeper.strategy.schedulers.foresight import CurveForesight, Foreseen
from sweeper.strategy.schedulers.hyperband import Hyperband
from sweeper.strategy.schedulers.median import Median
from sweeper.strategy.schedulers.pbt import Pbt
from sweeper.strategy.schedulers.scheduler import Fifo, Scheduler


def make_scheduler(sweep: SweepSpec, *, foreseen: bool = False) -> Scheduler:
    """The scheduler that a sweep asks for.

    Args:
        foreseen: It is simulated: what a trial says at a rung is where it ends.
    """
    spec, objective = sweep.scheduler, sweep.objective.mode
    match spec:
        case FifoSpec():
            return Fifo()
        case AshaSpec(compare="forecast"):
            return ForecastAsha(
                spec.grace,
                spec.reduction_factor,
                Foreseen() if foreseen else CurveForesight(sweep),
                form=spec.mode,
                objective=objective,
                alpha=spec.alpha,
            )
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
            return Pbt(
                spec.interval_steps, spec.quantile, objective=objective, seed=sweep.search.seed
            )
