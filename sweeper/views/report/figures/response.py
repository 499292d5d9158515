"""Loss against one swept name: a curve for each size, or for each rung if there is one size."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweeper.analysis.reading.parameters import joined
from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.summary.response import Curve, Response
from sweeper.spec.points import swept_text
from sweeper.status import Status
from sweeper.views.format import number
from sweeper.views.report.figures.figure import (
    COLOURS,
    GROUP_COLOURS,
    SYMBOLS,
    Figure,
    Trace,
    coordinate,
    layout,
    level_title,
    lower_range,
    metric_title,
    parameter_axis,
    plain,
    selected_trace,
    short,
    titled,
)


def response_figure(sweep: SweepData, response: Response) -> Figure:
    last = {curve.group: curve for curve in response.curves}  # of each group, at its last level
    final = list(last.values())
    y_range = _y_range(sweep)
    top = y_range[1] if y_range else math.inf
    traces = _trial_dots(sweep, response)
    if response.grouped_by is None:
        traces += [
            _rung_line(sweep, response, curve, top)
            for curve in response.curves
            if curve not in final
        ]
    for index, curve in enumerate(final):
        colour = GROUP_COLOURS[index % len(GROUP_COLOURS)]
        traces.append(_line(sweep, response, curve, colour))
        if curve.optimum is not None and curve.optimum.interpolated:
            traces.append(_optimum(response, curve, colour))
    x = parameter_axis(response.parameter)
    y = titled(metric_title(sweep), range=y_range)
    return {
        "data": [*traces, selected_trace()],
        "layout": layout(x, y, height=400, showlegend=True),
    }


def compared_response_figure(
    sweeps: Mapping[str, SweepData], responses: Mapping[str, Response]
) -> Figure | None:
    """The responses of several sweeps to one name, each sweep in a colour. None if no trial has
    been evaluated."""
    parameter = joined([response.parameter for response in responses.values()])
    traces: list[Trace] = []
    for colour, (name, sweep) in zip(itertools.cycle(GROUP_COLOURS), sweeps.items(), strict=False):
        if name not in responses:
            continue
        response = replace(responses[name], parameter=parameter)
        dots = _trial_dots(sweep, response)
        if not dots:
            continue
        label = f"<extra>{plain(name)}</extra>"
        for trace in dots:
            trace["marker"]["color"] = colour
            trace |= {"name": plain(name), "showlegend": False}
            trace["hovertemplate"] = trace["hovertemplate"].replace("<extra></extra>", label)
        final = response.curves[-1:]
        lines = [_line(sweep, response, curve, colour) | {"name": plain(name)} for curve in final]
        if not lines:
            dots[0]["showlegend"] = True
        stars = [
            _optimum(response, curve, colour, f"{plain(name)}: ")
            for curve in final
            if curve.optimum is not None and curve.optimum.interpolated
        ]
        traces += dots + lines + stars
    if not traces:
        return None
    first = next(iter(sweeps.values()))
    reached = [y for trace in traces for y in trace["y"]]
    shown = None if first.mode == "max" else lower_range(reached, 0.95)
    y = titled(metric_title(first), range=shown)
    return {
        "data": [*traces, selected_trace()],
        "layout": layout(parameter_axis(parameter), y, height=400, showlegend=True),
    }


def _trial_dots(sweep: SweepData, response: Response) -> list[Trace]:
    """Every trial at its last evaluation. Those that were stopped early are open circles."""
    parameter = response.parameter
    traces: list[Trace] = []
    for status in Status:
        trials = [
            trial
            for trial in sweep.trials
            if trial.status is status and trial.value is not None and parameter.name in trial.point
        ]
        if trials:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": f"{status} trials",
                    "x": [coordinate(parameter, trial.point[parameter.name]) for trial in trials],
                    "y": [short(trial.value) for trial in trials],
                    "customdata": [trial.trial_id for trial in trials],
                    "text": [f"step {trial.step:,}" for trial in trials],
                    "hovertemplate": (
                        f"<b>%{{customdata}}</b> {status}<br>{plain(parameter.name)} %{{x}}"
                        f"<br>{metric_title(sweep)} %{{y:.4f}} at %{{text}}<extra></extra>"
                    ),
                    "marker": {
                        "color": _dot_colours(response, status, trials),
                        "symbol": SYMBOLS[status],
                        "size": 7 if len(trials) < 200 else 5,
                        "opacity": 0.9 if status is Status.COMPLETED else 0.7,
                    },
                }
            )
    return traces


def _dot_colours(
    response: Response, status: Status, trials: Sequence[TrialData]
) -> str | list[str]:
    """The status's colour; for completed trials the colour of the curve that they belong to."""
    by = response.grouped_by
    if by is None or status is not Status.COMPLETED:
        return COLOURS[status]
    groups = dict.fromkeys(curve.group for curve in response.curves)
    colours = dict(zip(groups, itertools.cycle(GROUP_COLOURS), strict=False))
    return [colours.get(trial.point.get(by), COLOURS[status]) for trial in trials]


def _line(sweep: SweepData, response: Response, curve: Curve, colour: str) -> Trace:
    parameter = response.parameter
    where = level_title(sweep, curve.level)
    name = where if curve.group is None else f"{plain(curve.group)}, {where}"
    deviations = [sample.deviation for sample in curve.samples]
    trace: Trace = {
        "type": "scatter",
        "mode": "markers" if parameter.scale == "category" else "lines+markers",
        "name": name,
        "x": [coordinate(parameter, sample.x) for sample in curve.samples],
        "y": [short(sample.value) for sample in curve.samples],
        "customdata": [sample.trial_id for sample in curve.samples],
        "line": {"color": colour, "width": 2.5},
        "marker": {"color": colour, "size": 10 if parameter.scale == "category" else 8},
        "hovertemplate": f"{name}<br>%{{x}}: %{{y:.4f}}<extra></extra>",
    }
    if any(deviations):
        spread = [short(deviation or 0.0) for deviation in deviations]
        trace["error_y"] = {"type": "data", "array": spread, "color": colour, "thickness": 1.5}
    return trace


def _rung_line(sweep: SweepData, response: Response, curve: Curve, top: float) -> Trace:
    """All trials that got to a rung, compared there: fair, but early."""
    parameter = response.parameter
    name = level_title(sweep, curve.level)
    inside = [index for index, sample in enumerate(curve.samples) if sample.value <= top]
    label_at = inside[-1] if inside else None
    return {
        "type": "scatter",
        "mode": "markers" if parameter.scale == "category" else "lines+text",
        "name": name,
        "text": [f" {name}" if i == label_at else "" for i in range(len(curve.samples))],
        "textposition": "top left",
        "textfont": {"size": 11, "color": "@muted"},
        "showlegend": False,
        "x": [coordinate(parameter, sample.x) for sample in curve.samples],
        "y": [short(sample.value) for sample in curve.samples],
        "line": {"color": "@grey", "width": 1.2, "dash": "dot"},
        "marker": {"color": "@grey", "size": 5, "symbol": "line-ew-open"},
        "hovertemplate": f"{name}<br>%{{x}}: %{{y:.4f}}<extra></extra>",
    }


def _optimum(response: Response, curve: Curve, colour: str, of_sweep: str = "") -> Trace:
    assert curve.optimum is not None
    of = "" if curve.group is None else f" of {plain(curve.group)}"
    label = f"{of_sweep}optimum{of} ≈ {swept_text(_rounded(curve.optimum.x))}"
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": label,
        "x": [curve.optimum.x],
        "y": [short(curve.optimum.value)],
        "text": ["" if of_sweep or curve.group is not None else label],
        "textposition": "bottom center",
        "marker": {
            "symbol": "star-diamond",
            "size": 13,
            "color": "@card",
            "line": {"color": colour, "width": 2},
        },
        "hovertemplate": f"{label}: {number(curve.optimum.value)} expected<extra></extra>",
        "cliponaxis": False,
    }


def _rounded(x: object) -> float:
    assert isinstance(x, int | float)
    return float(f"{x:.3g}")


def _y_range(sweep: SweepData) -> list[float] | None:
    """A range from the best value to the median and half as far again, since beside the worst the
    rest would look flat."""
    values = sorted(trial.value for trial in sweep.trials if trial.value is not None)
    if len(values) < 4 or sweep.mode == "max":
        return None
    low, middle, high = values[0], values[len(values) // 2], values[-1]
    top = min(high, low + 1.5 * max(middle - low, 1e-9))
    pad = 0.08 * (top - low) or 0.1
    return [low - 1.5 * pad, top + pad]
