"""The laws over sizes: what each size has found, the law with its bands, and what it predicts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sweeper.analysis.scaling.laws import Interval, Predicted
from sweeper.analysis.scaling.predicting import Prediction
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from sweeper.views.format import title_of
from sweeper.views.report.figures.figure import (
    Figure,
    Trace,
    layout,
    selected_trace,
    short,
    titled,
)

FLOPS = 6  # of training, for each parameter and token
HEIGHT = 380


@dataclass(frozen=True)
class _Told:
    """How one law is read off a prediction."""

    value: Callable[[Predicted], float]
    bands: Callable[[Predicted], tuple[Interval, Interval]]  # 95 %, 80 %
    measured: Callable[[SizeOptimum], float]
    around: Callable[[SizeOptimum], Interval] | None  # of what was measured, 95 %


RATE = _Told(
    lambda at: at.learning_rate,
    lambda at: (at.learning_rate_95, at.learning_rate_80),
    lambda size: size.optimum.taken,
    lambda size: (size.optimum.low, size.optimum.high),
)
LOSS = _Told(lambda at: at.loss, lambda at: (at.loss_95, at.loss_80), lambda size: size.loss, None)


def rate_figure(found: Prediction) -> Figure:
    """The best learning rate against parameters."""
    return _figure(found, RATE, _params, "parameters", "learning_rate")


def loss_figures(found: Prediction) -> tuple[Figure, Figure]:
    """The loss at it, against parameters and against FLOPs."""
    title = title_of(found.metric)
    return (
        _figure(found, LOSS, _params, "parameters", title),
        _figure(found, LOSS, _flops, "FLOPs (6 × parameters × tokens)", title),
    )


def _params(at: Predicted | SizeOptimum) -> float:
    return float(at.params)


def _flops(at: Predicted | SizeOptimum) -> float:
    return FLOPS * float(at.params) * at.tokens


def _figure(
    found: Prediction,
    told: _Told,
    across: Callable[[Predicted | SizeOptimum], float],
    x_title: str,
    y_title: str,
) -> Figure:
    line = found.line
    x = [short(across(at)) for at in line]
    bands = [
        _band(x, [told.bands(at)[index] for at in line], name)
        for index, name in enumerate(("95 %", "80 %"))
    ]
    law = {
        "type": "scatter",
        "name": "law",
        "mode": "lines",
        "x": x,
        "y": [short(told.value(at)) for at in line],
        "line": {"color": "@blue", "width": 2},
        "hoverinfo": "skip",
    }
    measured = _points(
        "measured",
        found.sizes,
        across,
        [told.measured(size) for size in found.sizes],
        [told.around(size) for size in found.sizes] if told.around else None,
    )
    predicted = _points(
        "predicted", [found.at], across, [told.value(found.at)], [told.bands(found.at)[0]]
    )
    measured["marker"] = {"color": "@ink", "size": 9}
    predicted["marker"] = {"color": "@orange", "size": 12, "symbol": "diamond"}
    return {
        "data": [*bands[0], *bands[1], law, measured, predicted, selected_trace()],
        "layout": layout(
            titled(x_title, type="log"),
            titled(y_title, type="log", nticks=4),
            height=HEIGHT,
            showlegend=True,
        ),
    }


def _band(x: Sequence[float | None], intervals: Sequence[Interval], name: str) -> list[Trace]:
    """Two traces, the area between which is filled."""
    edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        edge | {"y": [short(low) for low, _ in intervals], "showlegend": False},
        edge
        | {
            "y": [short(high) for _, high in intervals],
            "name": name,
            "fill": "tonexty",
            "fillcolor": "rgba(86,180,233,0.22)",
        },
    ]


def _points(
    name: str,
    sizes: Sequence[Predicted | SizeOptimum],
    across: Callable[[Predicted | SizeOptimum], float],
    values: Sequence[float],
    around: Sequence[Interval] | None,
) -> Trace:
    trace: Trace = {
        "type": "scatter",
        "name": name,
        "mode": "markers",
        "x": [short(across(size)) for size in sizes],
        "y": [short(value) for value in values],
        "text": [f"{size.params:,} parameters, {size.tokens:,} tokens" for size in sizes],
        "hovertemplate": "%{text}<br>%{y:.4g}<extra></extra>",
    }
    if around is not None:
        pairs = list(zip(values, around, strict=True))
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [short(high - value) for value, (_, high) in pairs],
            "arrayminus": [short(value - low) for value, (low, _) in pairs],
            "thickness": 1.5,
        }
    return trace
