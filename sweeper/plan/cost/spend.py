"""What a plan comes to beside its `max_spend`."""

from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.plan.placement import Placement
from sweeper.plan.plan import PlannedTrial
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.strategy.simulation import Job


@dataclass(frozen=True, kw_only=True)
class SpendForecast:
    """What the trials have while they run, if every one comes to its end, beside `max_spend`. None
    means not known, or that there is no such limit."""

    cpu_hours: float | None
    gpu_hours: float | None
    most_cpu_hours: float | None
    most_gpu_hours: float | None
    until: str | None


def spend_forecast(
    spec: SweepSpec,
    trials: Sequence[PlannedTrial],
    jobs: Sequence[Job],
    placement: Placement | None,
) -> SpendForecast | None:
    """
    Args:
        placement: None: how long which share is needed is not known.
    """
    if (most := spec.max_spend) is None:
        return None
    cpu_hours = gpu_hours = None
    if placement is not None:
        shares = [placement.share(trial.values) for trial in trials]
        hours = [job.stops[-1].seconds / 3600 for job in jobs]
        cpu_hours = sum(share.cpu * each for share, each in zip(shares, hours, strict=True))
        gpu_hours = sum(share.gpu * each for share, each in zip(shares, hours, strict=True))
    return SpendForecast(
        cpu_hours=cpu_hours,
        gpu_hours=gpu_hours,
        most_cpu_hours=most.cpu_hours,
        most_gpu_hours=most.gpu_hours,
        until=most.until,
    )
