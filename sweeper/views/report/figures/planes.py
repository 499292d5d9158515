"""Two swept names of a random search: every trial at its own place, over contours of what the
surface through all of them expects."""

from collections.abc import Sequence

from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.summary.pairs import Pair, Plane, Telling
from sweeper.status import Status
from sweeper.views.format import likely, number
from sweeper.views.report.figures.figure import (
    COLOURS,
    Figure,
    Trace,
    coordinate,
    layout,
    metric_title,
    parameter_axis,
    selected_trace,
    short,
)

SCALE = [[0, "@heat0"], [0.5, "@heat1"], [1, "@heat2"]]


def plane_figure(sweep: SweepData, pair: Pair, plane: Plane | None) -> Figure:
    names = (pair.x.parameter.name, pair.y.parameter.name)
    there = [trial for trial in sweep.trials if all(name in trial.point for name in names)]
    telling = Telling.of(sweep)
    ends = {trial.trial_id: _end(telling, trial) for trial in there}
    known = [trial for trial in there if ends[trial.trial_id] is not None]
    unknown = [trial for trial in there if ends[trial.trial_id] is None]
    colours = _colour_range(telling)
    traces = [] if plane is None else [_contours(sweep, plane, colours)]
    for status in Status:
        if same := [trial for trial in unknown if trial.status is status]:
            traces.append(_marks(pair, status, same))
    if known:
        traces.append(_dots(sweep, pair, known, [ends[trial.trial_id] for trial in known], colours))
    mark = {"symbol": "circle-open", "size": 17, "color": "@select", "line": {"width": 3}}
    return {
        "data": [*traces, selected_trace() | {"mode": "markers", "marker": mark}],
        "layout": layout(
            parameter_axis(pair.x.parameter),
            parameter_axis(pair.y.parameter),
            height=380,
            showlegend=bool(unknown),
        ),
    }


def plane_notes(sweep: SweepData, plane: Plane | None) -> list[str]:
    what = f"Each dot is a trial, in the colour of its {metric_title(sweep)} at the end."
    if plane is None:
        return [what]
    return [
        f"{what} The contours are what the surface through all of them expects, the other settings "
        "as at the winner: where no dot is near, a guess."
    ]


def _end(telling: Telling | None, trial: TrialData) -> float | None:
    """Where it ended or is surely enough forecast to; a value on the way is no like of these."""
    if trial.status is Status.COMPLETED:
        return trial.value
    end = trial.forecast
    if end is None or telling is None or not telling.is_told(end.mean, end.deviation):
        return None
    return end.mean


def _colour_range(telling: Telling | None) -> list[float]:
    """From the best that was measured; what lies beyond an end has the colour of that end."""
    if telling is None:
        return [0.0, 1.0]
    worst = telling.best + (telling.reach or 1.0)
    return sorted((telling.sign * telling.best, telling.sign * worst))


def _contours(sweep: SweepData, plane: Plane, colours: Sequence[float]) -> Trace:
    low, high = colours
    step = (high - low) / 10
    return {
        "type": "contour",
        "name": "expected",
        "x": [short(x, 4) for x in plane.xs],
        "y": [short(y, 4) for y in plane.ys],
        "z": [[short(value, 5) for value in row] for row in plane.values],
        "zmin": short(low),
        "zmax": short(high),
        "contours": {"start": short(low), "end": short(high), "size": short(step)},
        "colorscale": SCALE,
        "reversescale": sweep.mode == "max",
        "line": {"width": 0.6, "color": "@muted"},
        "opacity": 0.85,
        "showscale": False,
        "hovertemplate": "expected %{z:.4f}<extra></extra>",
    }


def _dots(
    sweep: SweepData,
    pair: Pair,
    trials: Sequence[TrialData],
    ends: Sequence[float | None],
    colours: Sequence[float],
) -> Trace:
    """In the contours' colours, so that a dot which the surface does not explain stands out."""
    return {
        "type": "scatter",
        "mode": "markers",
        "meta": "trials",
        "name": "trials",
        **_places(pair, trials),
        "text": [_story(sweep, trial) for trial in trials],
        "hovertemplate": "<b>%{customdata}</b> %{text}<br>%{x}, %{y}<extra></extra>",
        "marker": {
            "symbol": "circle",
            "size": 11 if len(trials) < 200 else 6,
            "color": [short(end) for end in ends],
            "colorscale": SCALE,
            "reversescale": sweep.mode == "max",
            "cmin": short(colours[0]),
            "cmax": short(colours[1]),
            "showscale": True,
            "colorbar": {"thickness": 10, "outlinewidth": 0, "title": {"text": ""}},
            "line": {"color": "@ink", "width": 1.2 if len(trials) < 200 else 0.4},
        },
        "showlegend": False,
    }


def _marks(pair: Pair, status: Status, trials: Sequence[TrialData]) -> Trace:
    """What has no end to be coloured by."""
    return {
        "type": "scatter",
        "mode": "markers",
        "meta": "trials",
        "name": str(status),
        **_places(pair, trials),
        "hovertemplate": f"<b>%{{customdata}}</b> {status}<br>%{{x}}, %{{y}}<extra></extra>",
        "marker": {
            "symbol": "x" if status in (Status.DIVERGED, Status.FAILED) else "circle-open",
            "size": 9 if len(trials) < 200 else 6,
            "color": COLOURS[status],
        },
    }


def _places(pair: Pair, trials: Sequence[TrialData]) -> Trace:
    x, y = pair.x.parameter, pair.y.parameter
    return {
        "x": [coordinate(x, trial.point[x.name]) for trial in trials],
        "y": [coordinate(y, trial.point[y.name]) for trial in trials],
        "customdata": [trial.trial_id for trial in trials],
    }


def _story(sweep: SweepData, trial: TrialData) -> str:
    end = number(trial.value) if trial.forecast is None else f"likely {likely(trial.forecast)}"
    return f"{trial.status}, {metric_title(sweep)} {end}"
