"""Loss against one swept name: a curve for each size, or for each rung if there is one size."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweeper.analysis.reading.parameters import joined
from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.summary.optimum import OptimumInterval
from sweeper.analysis.summary.response import Curve, Response
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.domains.values import Scalar
from sweeper.views.format import number, optimum_label
from sweeper.views.report.figures.colouring import Colouring, setting_colouring
from sweeper.views.report.figures.figure import (
    GROUP_COLOURS,
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
from sweeper.views.report.figures.response.beyond import Range, beyond_traces
from sweeper.views.report.figures.response.dots import expected_dots, trial_dots

LABEL = 0.1  # so high, as a share of the plot, is a label


def response_figure(summary: Summary, response: Response) -> Figure:
    sweep = summary.sweep
    last = {curve.group: curve for curve in response.curves}  # of each group, at its last level
    final = list(last.values())
    shown = Range.of(sweep)
    noise = summary.winner.noise if summary.winner else None
    traces = trial_dots(sweep, response, noise, shown)
    traces += expected_dots(summary, response, shown)
    by = response.grouped_by
    colouring = None if by is None else setting_colouring(sweep, by)
    colours = [_colour_of(colouring, curve.group, index) for index, curve in enumerate(final)]
    by_group = dict(zip(last, colours, strict=True))
    traces += [
        _rung_line(sweep, response, curve, shown, by_group[curve.group])
        for curve in response.curves
        if curve not in final
    ]
    traces += beyond_traces(sweep, response, shown)
    bands = []
    optima = {o.group: o for o in summary.optima if o.name == response.parameter.name}
    for colour, curve in zip(colours, final, strict=True):
        traces.append(_line(sweep, response, curve, colour))
        if (optimum := optima.get(curve.group)) is not None:
            traces.append(_optimum(optimum, colour))
            bands.append(_band(optimum, colour))
    x = parameter_axis(response.parameter)
    y = titled(metric_title(sweep), range=[shown.low, shown.high])
    return {
        "data": [*traces, selected_trace()],
        "layout": layout(x, y, height=400, showlegend=True, shapes=bands),
    }


def compared_response_figure(
    sweeps: Mapping[str, SweepData],
    responses: Mapping[str, Response],
    optima: Mapping[str, Sequence[OptimumInterval]],
) -> Figure | None:
    """The responses of several sweeps to one name, each sweep in a colour. None if no trial has
    been evaluated."""
    parameter = joined([response.parameter for response in responses.values()])
    traces: list[Trace] = []
    bands: list[Trace] = []
    for colour, (name, sweep) in zip(itertools.cycle(GROUP_COLOURS), sweeps.items(), strict=False):
        if name not in responses:
            continue
        response = replace(responses[name], parameter=parameter)
        dots = trial_dots(sweep, response)
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
        own = [optimum for optimum in optima[name] if optimum.name == parameter.name]
        traces += dots + lines + [_optimum(optimum, colour, f"{plain(name)}: ") for optimum in own]
        bands += [_band(optimum, colour) for optimum in own]
    if not traces:
        return None
    first = next(iter(sweeps.values()))
    reached = [y for trace in traces for y in trace["y"]]
    shown = None if first.mode == "max" else lower_range(reached, 0.95)
    y = titled(metric_title(first), range=shown)
    return {
        "data": [*traces, selected_trace()],
        "layout": layout(parameter_axis(parameter), y, height=400, showlegend=True, shapes=bands),
    }


def _colour_of(colouring: Colouring | None, group: Scalar, index: int) -> str:
    if colouring is not None:
        for label, colour in colouring.groups:
            if label == plain(group):
                return colour
    return GROUP_COLOURS[index % len(GROUP_COLOURS)]


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


def _rung_line(
    sweep: SweepData, response: Response, curve: Curve, shown: Range, colour: str
) -> Trace:
    """All trials that got to a rung, compared there: fair, but early. One of several groups has the
    colour of its group, and no text beside it."""
    parameter, alone = response.parameter, curve.group is None
    where = level_title(sweep, curve.level)
    name = where if alone else f"{plain(curve.group)}, {where}"
    colour = "@grey" if alone else colour
    inside = [index for index, sample in enumerate(curve.samples) if sample.value <= shown.high]
    label_at = inside[-1] if inside else None
    # At the top there is no room above the line.
    is_high = inside and curve.samples[inside[-1]].value > shown.high - LABEL * shown.height
    return {
        "type": "scatter",
        "mode": "markers" if parameter.scale == "category" else "lines+text" if alone else "lines",
        "name": name,
        "opacity": 1 if alone else 0.55,
        "text": [f" {name}" if i == label_at else "" for i in range(len(curve.samples))],
        "textposition": "bottom left" if is_high else "top left",
        "textfont": {"size": 11, "color": "@muted"},
        "showlegend": False,
        "x": [coordinate(parameter, sample.x) for sample in curve.samples],
        "y": [short(sample.value) for sample in curve.samples],
        "line": {"color": colour, "width": 1.2, "dash": "dot"},
        "marker": {"color": colour, "size": 5, "symbol": "line-ew-open"},
        "hovertemplate": f"{name}<br>%{{x}}: %{{y:.4f}}<extra></extra>",
    }


def _optimum(optimum: OptimumInterval, colour: str, of_sweep: str = "") -> Trace:
    """The value to take, where it is expected to come to."""
    of = "" if optimum.group is None else f" of {plain(optimum.group)}"
    label = f"{of_sweep}optimum{of}: {optimum_label(optimum)}"
    return {
        "type": "scatter",
        "mode": "markers",
        "meta": "optimum",
        "name": label,
        "x": [optimum.taken if optimum.is_known else None],
        "y": [short(optimum.value)],
        "marker": {
            "symbol": "star-diamond",
            "size": 13,
            "color": "@card",
            "line": {"color": colour, "width": 2},
        },
        "hovertemplate": f"{label}<br>{number(optimum.value)} expected<extra></extra>",
        "cliponaxis": False,
    }


def _band(optimum: OptimumInterval, colour: str) -> Trace:
    """The interval that the best value lies in."""
    return {
        "type": "rect",
        "layer": "below",
        "xref": "x",
        "yref": "paper",
        "x0": optimum.low,
        "x1": optimum.high,
        "y0": 0,
        "y1": 1,
        "fillcolor": colour,
        "opacity": 0.12,
        "line": {"width": 0},
    }
