"""Parallel coordinates: each trial is a line across all swept names and the objective.

They are ordinary lines: Plotly's own `parcoords` needs WebGL, cannot be clicked, and cannot show a
chosen trial.
"""

from collections.abc import Callable, Sequence

from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.summary.response import on_scale
from sweeper.views.format import number
from sweeper.views.report.figures.figure import (
    Figure,
    Trace,
    layout,
    metric_title,
    plain,
    selected_trace,
    short,
)

# By rank: the best tenth, the rest of the best third, everyone else.
BANDS = ((0.1, "best tenth", "@blue", 2.2, 0.95), (0.34, "best third", "@orange", 1.3, 0.7))
REST = ("the others", "@grey", 0.8, 0.35)


def parallel_figure(sweep: SweepData) -> Figure | None:
    """None if only one name is swept: its own plot shows as much."""
    trials = [trial for trial in sweep.trials if trial.value is not None]
    if len(sweep.parameters) < 2 or not trials:
        return None
    axes = [_parameter_axis(parameter, trials) for parameter in sweep.parameters]
    axes.append(_value_axis(sweep, trials))
    bands: list[tuple[str, str, float, float, list[TrialData]]] = []
    start = 0
    for share, name, colour, width, opacity in BANDS:
        end = max(start + 1, round(share * len(trials)))
        bands.append((name, colour, width, opacity, trials[start:end]))
        start = end
    bands.append((*REST, trials[start:]))
    traces = [_band(axes, *band) for band in reversed(bands) if band[-1]]
    places = list(range(len(axes)))
    x = {"tickvals": places, "ticktext": [axis.title for axis in axes], "side": "top"}
    x |= {"range": [-0.35, len(axes) - 0.65], "showgrid": True, "fixedrange": True}
    y = {"visible": False, "range": [-0.06, 1.06], "fixedrange": True}
    labels = [label for place, axis in enumerate(axes) for label in axis.labels(place)]
    more = {"height": 420, "showlegend": True, "annotations": labels}
    figure = layout(x, y, **more)
    figure["legend"] |= {"y": -0.02, "yanchor": "top"}
    return {"data": [*traces, selected_trace()], "layout": figure}


class _Axis:
    """A vertical axis: where each trial crosses it, from 0 to 1, and the labels beside it."""

    def __init__(
        self,
        title: str,
        place: Callable[[TrialData], float | None],
        ticks: Sequence[tuple[float, str]],
    ) -> None:
        self.title = title
        self.place = place
        self.ticks = ticks

    def labels(self, x: int) -> list[Trace]:
        return [
            {
                "x": x,
                "y": y,
                "text": text,
                "showarrow": False,
                "xanchor": "left",
                "xshift": 5,
                "font": {"size": 11, "color": "@muted"},
                "bgcolor": "@card",
                "opacity": 0.85,
            }
            for y, text in self.ticks
        ]


def _parameter_axis(parameter: Parameter, trials: Sequence[TrialData]) -> _Axis:
    tried = [t.point[parameter.name] for t in trials if parameter.name in t.point]
    if parameter.scale == "category":
        names = list(dict.fromkeys((*parameter.options, *tried)))
        last = max(1, len(names) - 1)

        def place_name(trial: TrialData) -> float | None:
            name = trial.point.get(parameter.name)
            return names.index(name) / last if parameter.name in trial.point else None

        ticks = [(index / last, plain(name)) for index, name in enumerate(names)]
        return _Axis(plain(parameter.name), place_name, ticks)
    numbers = [float(value) for value in tried if isinstance(value, int | float)]
    ends = [end for end in (parameter.low, parameter.high) if end is not None]
    low, high = min(numbers + ends, default=0.0), max(numbers + ends, default=1.0)
    start, span = on_scale(parameter, low), on_scale(parameter, high) - on_scale(parameter, low)

    def place(trial: TrialData) -> float | None:
        value = trial.point.get(parameter.name)
        if not isinstance(value, int | float):
            return None
        return (on_scale(parameter, value) - start) / (span or 1.0)

    middle = (low * high) ** 0.5 if parameter.scale == "log" else (low + high) / 2
    ticks = [(0.0, f"{low:.3g}"), (0.5, f"{middle:.3g}"), (1.0, f"{high:.3g}")]
    return _Axis(plain(parameter.name), place, ticks)


def _value_axis(sweep: SweepData, trials: Sequence[TrialData]) -> _Axis:
    """The objective at the last evaluation. Values far worse than most all cross at the end."""
    values = sorted(sweep.sign * t.value for t in trials if t.value is not None)
    best, worst = values[0], values[int(0.95 * (len(values) - 1))]
    span = worst - best or 1.0

    def place(trial: TrialData) -> float | None:
        value = trial.value
        return None if value is None else min(1.0, (sweep.sign * value - best) / span)

    ticks = [(0.0, number(sweep.sign * best)), (1.0, number(sweep.sign * worst))]
    return _Axis(metric_title(sweep), place, ticks)


def _band(
    axes: Sequence[_Axis],
    name: str,
    colour: str,
    width: float,
    opacity: float,
    trials: Sequence[TrialData],
) -> Trace:
    x: list[int | None] = []
    y: list[float | None] = []
    ids: list[str | None] = []
    for trial in trials:
        for index, axis in enumerate(axes):
            place = axis.place(trial)
            x.append(index)
            y.append(short(place, 4))
            ids.append(trial.trial_id)
        x.append(None)
        y.append(None)
        ids.append(None)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "customdata": ids,
        "opacity": opacity,
        "line": {"color": colour, "width": width},
        "hovertemplate": "<b>%{customdata}</b><extra></extra>",
    }
