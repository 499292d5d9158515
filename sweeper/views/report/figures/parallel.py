"""Parallel coordinates: each trial is a line across all swept names and the objective.

They are ordinary lines: Plotly's own `parcoords` needs WebGL, cannot be clicked, and cannot show a
chosen trial.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.summary.levels import Level
from sweeper.analysis.summary.response import on_scale
from sweeper.spec.domains.scale import Scale
from sweeper.spec.points import swept_text
from sweeper.views.format import number
from sweeper.views.report.figures.figure import (
    Figure,
    Trace,
    layout,
    level_title,
    metric_title,
    plain,
    selected_trace,
    short,
)

# By rank: the best tenth, the rest of the best third, everyone else.
BANDS = ((0.1, "best tenth", "@blue", 2.2, 0.95), (0.34, "best third", "@orange", 1.3, 0.7))
OUTLYING = (
    3.0  # so many times as far from the best as the median is: beside it the rest is squashed
)
REST = ("the others", "@grey", 0.8, 0.35)


def parallel_figure(sweep: SweepData, level: Level | None) -> Figure | None:
    """All trials that got to a level, compared there. None if only one name is swept: its own plot
    shows as much. `names` has what the page needs to know of each axis."""
    if len(sweep.parameters) < 2 or level is None:
        return None
    reached = [trial for trial in sweep.trials if trial.trial_id in level.values]
    trials = sorted(reached, key=lambda trial: sweep.sign * level.values[trial.trial_id])
    axes = [_parameter_axis(parameter, trials) for parameter in sweep.parameters]
    axes.append(_value_axis(sweep, level))
    bands: list[tuple[str, str, float, float, list[TrialData]]] = []
    start = 0
    for share, name, colour, width, opacity in BANDS:
        end = max(start + 1, round(share * len(trials)))
        bands.append((name, colour, width, opacity, trials[start:end]))
        start = end
    bands.append((*REST, trials[start:]))
    traces = [_band(axes, *band) for band in reversed(bands) if band[-1]]
    return {
        "data": [*traces, selected_trace()],
        "layout": _layout(axes),
        "names": [axis.as_json() for axis in axes],
    }


def _layout(axes: Sequence["_Axis"]) -> Figure:
    places = list(range(len(axes)))
    x = {"tickvals": places, "ticktext": [axis.title for axis in axes], "side": "top"}
    x |= {"range": [-0.35, len(axes) - 0.45], "showgrid": True, "fixedrange": True}
    x |= {"autotickangles": [0, 90]}  # aslant, the first would lie outside
    y = {"visible": False, "range": [-0.06, 1.06], "fixedrange": True}
    labels = [label for place, axis in enumerate(axes) for label in axis.labels(place)]
    figure = layout(x, y, height=420, showlegend=True, annotations=labels, dragmode="select")
    figure["legend"] |= {"y": -0.02, "yanchor": "top"}
    return figure


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """A vertical axis: where each trial crosses it, from 0 to 1, and the labels beside it."""

    name: str  # as the page's filter has it
    title: str
    place: Callable[[TrialData], float | None]
    ticks: Sequence[tuple[float, str]]
    low: float = 0.0  # the values at its ends
    high: float = 1.0
    scale: Scale = "linear"
    options: Sequence[str] = ()
    values: Mapping[str, float] | None = None  # by trial, where no column of the table has them

    def as_json(self) -> Figure:
        ends = {"low": short(self.low), "high": short(self.high), "scale": self.scale}
        values = {trial: short(value) for trial, value in (self.values or {}).items()} or None
        return {"name": self.name, "options": list(self.options) or None, "values": values, **ends}

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
        return _Axis(
            name=parameter.name,
            title=plain(parameter.name),
            place=place_name,
            ticks=ticks,
            scale="category",
            options=[swept_text(name) for name in names],
        )
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
    return _Axis(
        name=parameter.name,
        title=plain(parameter.name),
        place=place,
        ticks=ticks,
        low=low,
        high=high,
        scale=parameter.scale,
    )


def _value_axis(sweep: SweepData, level: Level) -> _Axis:
    """The objective at the level. Values far worse than most cross at the end, which says so."""
    values = sorted(sweep.sign * value for value in level.values.values())
    best, middle, worst = values[0], values[len(values) // 2], values[-1]
    last = min(worst, best + OUTLYING * (middle - best)) if middle > best else worst
    span = last - best or 1.0

    def place(trial: TrialData) -> float | None:
        return min(1.0, (sweep.sign * level.values[trial.trial_id] - best) / span)

    beyond = "" if last == worst else "<br>and worse"
    ticks = [(0.0, number(sweep.sign * best)), (1.0, number(sweep.sign * last) + beyond)]
    where = "end" if level.is_end else level.step if level.rung is None else level.rung
    return _Axis(
        name=f"{sweep.metric.removeprefix('val_')}@{where}",
        values=level.values,
        title=f"{metric_title(sweep)}<br>{level_title(sweep, level)}",
        place=place,
        ticks=ticks,
        low=sweep.sign * best,
        high=sweep.sign * last,
    )


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
        "meta": "trials",
        "name": name,
        "x": x,
        "y": y,
        "customdata": ids,
        "opacity": opacity,
        "line": {"color": colour, "width": width},
        "hovertemplate": "<b>%{customdata}</b><extra></extra>",
    }
