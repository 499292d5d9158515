"""What lies beyond the range of a response plot, at its worse edge: nothing is left out without a
word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.summary.response import Response
from sweeper.status import Status
from sweeper.views.format import number
from sweeper.views.report.figures.figure import (
    COLOURS,
    Trace,
    coordinate,
    metric_title,
    plain,
    short,
)


@dataclass(frozen=True, kw_only=True)
class Range:
    """The objectives that a plot shows. `edge` is where the marks of what is worse stand."""

    low: float
    high: float
    edge: float
    mode: str

    @property
    def height(self) -> float:
        return self.high - self.low

    @classmethod
    def of(cls, sweep: SweepData) -> Self:
        """From the best value to the median and half as far again, since beside the worst the rest
        would look flat; of few values or of a maximum, all of them."""
        ends = sorted(end for trial in sweep.trials if (end := end_of(trial)) is not None)
        if not ends:
            return cls(low=0.0, high=1.0, edge=1.0, mode=sweep.mode)
        low, middle, high = ends[0], ends[len(ends) // 2], ends[-1]
        if len(ends) >= 4 and sweep.mode == "min":
            high = min(high, low + 1.5 * max(middle - low, 1e-9))
        pad = 0.08 * (high - low) or 0.1
        if sweep.mode == "max":
            return cls(low=low - 2 * pad, high=high + pad, edge=low - 1.3 * pad, mode="max")
        return cls(low=low - 1.5 * pad, high=high + 2 * pad, edge=high + 1.3 * pad, mode="min")

    def is_beyond(self, value: float) -> bool:
        return value > self.edge if self.mode == "min" else value < self.edge


def end_of(trial: TrialData) -> float | None:
    """Where it is drawn: at its end, or where that is forecast, or at its last evaluation."""
    if trial.status is Status.DIVERGED:
        return None
    return trial.forecast.mean if trial.forecast else trial.value


def beyond_traces(sweep: SweepData, response: Response, shown: Range) -> list[Trace]:
    """Crosses for trials that diverged, arrows for those whose ends lie off the range."""
    there = [trial for trial in sweep.trials if response.parameter.name in trial.point]
    diverged = [trial for trial in there if trial.status is Status.DIVERGED]
    off = [t for t in there if (end := end_of(t)) is not None and shown.is_beyond(end)]
    traces = []
    if off:
        name = f"{len(off):,} off the range, to {number(_worst(sweep, off))}"
        arrow = "triangle-up" if sweep.mode == "min" else "triangle-down"
        traces.append(_marks(sweep, response, shown, off, name, arrow, "@muted"))
    if diverged:
        name = f"{len(diverged):,} diverged"
        traces.append(_marks(sweep, response, shown, diverged, name, "x", COLOURS[Status.DIVERGED]))
    return traces


def _worst(sweep: SweepData, trials: Sequence[TrialData]) -> float:
    ends = [end for trial in trials if (end := end_of(trial)) is not None]
    return max(ends, key=lambda end: sweep.sign * end)


def _marks(
    sweep: SweepData,
    response: Response,
    shown: Range,
    trials: Sequence[TrialData],
    name: str,
    symbol: str,
    colour: str,
) -> Trace:
    parameter = response.parameter
    return {
        "type": "scatter",
        "mode": "markers",
        "meta": "trials",
        "name": name,
        "x": [coordinate(parameter, trial.point[parameter.name]) for trial in trials],
        "y": [short(shown.edge)] * len(trials),
        "customdata": [trial.trial_id for trial in trials],
        "text": [_story(sweep, trial) for trial in trials],
        "hovertemplate": (
            f"<b>%{{customdata}}</b> %{{text}}<br>{plain(parameter.name)} %{{x}}<extra></extra>"
        ),
        "marker": {"symbol": symbol, "size": 9 if len(trials) < 200 else 6, "color": colour},
        "cliponaxis": False,
    }


def _story(sweep: SweepData, trial: TrialData) -> str:
    end = end_of(trial)
    if end is None:
        return f"diverged, last seen at step {trial.step:,}" if trial.step else "diverged"
    return f"{trial.status}: {metric_title(sweep)} {number(end)}"
