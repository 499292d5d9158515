"""The loss beside what it costs: every point that came to its end, and the front of those that none
is both cheaper and better than."""

import math
from collections.abc import Sequence
from itertools import pairwise

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.summary.costs import CostName, Front, Priced
from sweeper.spec.points import point_text
from sweeper.views.format import flops
from sweeper.views.report.figures.figure import (
    Figure,
    Trace,
    layout,
    log_ticks,
    metric_title,
    plain,
    selected_trace,
    short,
    titled,
)

HEIGHT = 320
TITLES: dict[CostName, str] = {
    "parameters": "parameters",
    "FLOPs": "FLOPs of training",
    "tokens": "tokens trained on",
    "seconds": "seconds of training",
}


MOST_LABELLED = 8  # points of a front that have room for their names
EDGE = 0.8  # of the way along the axis: beyond it a name stands to the left


def cost_figure(sweep: SweepData, front: Front) -> Figure:
    best = [point for point in front.points if point.on_front]
    others = [point for point in front.points if not point.on_front]
    names = [_label(sweep, point) for point in best]
    # Along the front each is named once, where it begins.
    labels = ["" if name == before else name for before, name in pairwise(("", *names))]
    if len(best) > MOST_LABELLED:
        labels = []
    line = {
        "mode": "lines+markers+text" if any(labels) else "lines+markers",
        "name": "front",
        "line": {"color": "@orange", "width": 2, "shape": "hv"},
        "marker": {"color": "@orange", "size": 10, "line": {"color": "@card", "width": 1}},
        "text": labels,
        "textposition": [_beside(point, front) for point in best],
        "cliponaxis": False,
    }
    dots = {"mode": "markers", "name": "others", "marker": {"color": "@grey", "size": 7}}
    traces = [_trace(sweep, of) | style for of, style in ((others, dots), (best, line)) if of]
    x = titled(TITLES[front.cost], type="log")
    ticks = log_ticks(front.points[0].cost, front.points[-1].cost)
    if len(ticks) > 1:
        x |= {"tickvals": ticks, "ticktext": [flops(tick) for tick in ticks]}
    labels_of = {point.result.best.trial_id: _label(sweep, point) for point in front.points}
    return {
        "data": [*traces, selected_trace()],
        "layout": layout(x, titled(metric_title(sweep)), height=HEIGHT, showlegend=True),
        # For the page, whose filter may leave another front.
        "front": {"sign": sweep.sign, "labels": labels_of, "most": MOST_LABELLED, "edge": EDGE},
    }


def _beside(point: Priced, front: Front) -> str:
    """On the side that has room."""
    low, high = front.points[0].cost, front.points[-1].cost
    return "middle left" if math.log(point.cost / low, high / low) > EDGE else "top right"


def _label(sweep: SweepData, point: Priced) -> str:
    """What makes it cheap or dear: its size, or its length."""
    names = [parameter.name for parameter in sweep.parameters if parameter.is_budget]
    values = (point.result.point[name] for name in names if name in point.result.point)
    return ", ".join(map(plain, values))


def _trace(sweep: SweepData, points: Sequence[Priced]) -> Trace:
    return {
        "type": "scatter",
        "meta": "trials",
        "x": [short(point.cost) for point in points],
        "y": [short(point.value) for point in points],
        "customdata": [point.result.best.trial_id for point in points],
        "hovertext": [plain(point_text(point.result.point)) for point in points],
        "hovertemplate": (
            f"<b>%{{customdata}}</b> %{{hovertext}}<br>%{{x:.3s}}, {metric_title(sweep)} %{{y:.4f}}"
            "<extra></extra>"
        ),
    }
