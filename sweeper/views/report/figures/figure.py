"""What all figures share.

A figure is Plotly's own JSON. Its colours are names (`@blue`) that the page looks up in its theme,
light or dark.
"""

import math
from collections.abc import Sequence
from typing import Any

from sweeper.analysis.reading.sweep_data import Parameter, SweepData
from sweeper.analysis.summary.levels import Level
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import swept_text
from sweeper.status import Status
from sweeper.views.format import count, flops, title_of

Figure = dict[str, Any]
Trace = dict[str, Any]

# Okabe and Ito's colours, which colour-blind people can tell apart too; the symbols help them.
COLOURS = {
    Status.COMPLETED: "@blue",
    Status.RUNNING: "@green",
    Status.PAUSED: "@sky",
    Status.INTERRUPTED: "@orange",
    Status.PENDING: "@grey",
    Status.STOPPED: "@grey",
    Status.DIVERGED: "@red",
    Status.FAILED: "@purple",
}
SYMBOLS = {
    Status.COMPLETED: "circle",
    Status.RUNNING: "circle-dot",
    Status.PAUSED: "square",
    Status.INTERRUPTED: "diamond-open",
    Status.PENDING: "circle-open",
    Status.STOPPED: "circle-open",
    Status.DIVERGED: "x",
    Status.FAILED: "triangle-up",
}
GROUP_COLOURS = ("@blue", "@orange", "@green", "@purple", "@red", "@sky")


def metric_title(sweep: SweepData) -> str:
    return title_of(sweep.metric)


def level_title(sweep: SweepData, level: Level) -> str:
    """`at step 75`, `at 1.2M tokens`, `at the end`."""
    if level.is_end:
        return "at the end"
    if level.rung is None:
        return f"at step {level.step:,}"
    return f"at {clock_title(sweep, level.rung)}"


def clock_title(sweep: SweepData, rung: int) -> str:
    """A rung as people say it: `step 75`, `1.2M tokens`."""
    if sweep.clock == "step":
        return f"step {rung:,}"
    return f"{flops(rung)} FLOPs" if sweep.clock == "flops" else f"{count(rung)} tokens"


def short(value: float | None, digits: int = 6) -> float | None:
    """A number with no more digits than an eye can see in a plot."""
    return None if value is None else float(f"{value:.{digits}g}")


def plain(text: Scalar) -> str:
    """A swept value as a label, escaped: Plotly would take `<b>` in a name for a tag."""
    return swept_text(text).replace("&", "&amp;").replace("<", "&lt;")


def layout(x: Trace, y: Trace, **more: object) -> Trace:
    axis = {"gridcolor": "@line", "zeroline": False, "linecolor": "@line", "automargin": True}
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "@ink"},
        "margin": {"l": 12, "r": 12, "t": 12, "b": 12},
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "@card", "bordercolor": "@line", "font": {"color": "@ink"}},
        "showlegend": False,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": axis | x,
        "yaxis": axis | y,
        **more,
    }


def titled(text: str, **more: object) -> Trace:
    """Of an axis. What is None is left to Plotly."""
    given = {name: value for name, value in more.items() if value is not None}
    return {"title": {"text": text, "standoff": 8}, **given}


def selected_trace() -> Trace:
    """The last trace of each figure, empty: the page draws the chosen trial in it."""
    return {
        "type": "scatter",
        "name": "selected",
        "mode": "lines+markers",
        "x": [],
        "y": [],
        "line": {"color": "@select", "width": 3},
        "marker": {"color": "@select", "size": 11, "line": {"color": "@card", "width": 2}},
        "hoverinfo": "skip",
        "showlegend": False,
        "cliponaxis": False,
    }


def parameter_axis(parameter: Parameter) -> Trace:
    """The axis of a swept name, on the scale of its space, marked at its listed values."""
    axis = titled(plain(parameter.name))
    if parameter.scale == "category":
        names = [plain(option) for option in parameter.options]
        return axis | {"type": "category", "categoryorder": "array", "categoryarray": names}
    axis["type"] = parameter.scale
    listed = [value for value in parameter.options if isinstance(value, int | float)]
    if 1 < len(listed) <= 12:
        return axis | {"tickvals": listed, "ticktext": [plain(value) for value in listed]}
    if parameter.scale == "log" and parameter.low and parameter.high:
        ticks = log_ticks(parameter.low, parameter.high)
        axis |= {"tickvals": ticks, "ticktext": [plain(value) for value in ticks]}
    return axis


def lower_range(values: Sequence[float], share: float) -> list[float] | None:
    """The range of an axis that shows this share of the values, the lowest."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[int(share * (len(ordered) - 1))]
    pad = 0.04 * (high - low)
    return [low - pad, high + pad] if pad else None


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten from low to high."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [float(f"{digit}e{exponent}") for exponent in exponents for digit in (1, 2, 5)]
    return [tick for tick in every if low <= tick <= high]


def coordinate(parameter: Parameter, x: Scalar) -> Scalar:
    return plain(x) if parameter.scale == "category" else x
