"""How busy the driver's machine was, over the same time as the slots."""

from collections.abc import Callable

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.slots import SlotUse, seconds_at_work
from sweeper.record.load import Load
from sweeper.views.report.figures.figure import (
    Figure,
    Trace,
    layout,
    selected_trace,
    short,
    titled,
)
from sweeper.views.report.figures.timeline import time_axis

HEIGHT = 240
SHARES: tuple[tuple[str, str, Callable[[Load], float | None]], ...] = (
    ("processors", "@blue", lambda load: load.processors),
    ("memory", "@orange", lambda load: load.memory),
    ("GPUs", "@green", lambda load: load.gpus),
    ("GPU memory", "@purple", lambda load: load.gpu_memory),
)


def load_figure(sweep: SweepData, use: SlotUse) -> Figure | None:
    """None where it was measured less than twice."""
    if len(sweep.loads) < 2:
        return None
    x, size = time_axis(use)
    at = seconds_at_work(sweep.sessions, [load.time for load in sweep.loads])
    places = [short(moment / size, 5) for moment in at]
    y = titled("in use", range=[0, 1.02], tickformat=".0%", fixedrange=True)
    traces = [
        _line(name, colour, places, [of(load) for load in sweep.loads])
        for name, colour, of in SHARES
        if any(of(load) is not None for load in sweep.loads)
    ]
    return {
        "data": [*traces, selected_trace()],
        "layout": layout(x, y, height=HEIGHT, showlegend=True, hovermode="x"),
    }


def _line(name: str, colour: str, x: list[float | None], shares: list[float | None]) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": [short(share, 3) for share in shares],
        "line": {"color": colour, "width": 1.5},
        "hovertemplate": "%{y:.0%}",
    }
