"""Two swept names at a time: the best loss in each cell."""

import math
from collections.abc import Sequence
from itertools import pairwise

from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.summary.pairs import Axis, Cell, Pair
from sweeper.status import Status
from sweeper.views.format import number
from sweeper.views.report.figures.figure import (
    Figure,
    layout,
    metric_title,
    plain,
    selected_trace,
    short,
    titled,
)

MAX_LABELLED = 80  # up to so many cells have their value written in them
GLYPHS = {Status.STOPPED: "○", Status.DIVERGED: "×", Status.FAILED: "×"}


def pair_figure(sweep: SweepData, pair: Pair) -> Figure:
    columns, rows = _labels(pair.x), _labels(pair.y)
    cells = {(cell.x, cell.y): cell for cell in pair.cells}
    grid = [[cells.get((x, y)) for x in range(pair.x.size)] for y in range(pair.y.size)]
    heat = {
        "type": "heatmap",
        "x": columns,
        "y": rows,
        "z": [[short(cell.value) if cell else None for cell in row] for row in grid],
        "customdata": [[cell.trial_id if cell else None for cell in row] for row in grid],
        "colorscale": [[0, "@heat0"], [0.5, "@heat1"], [1, "@heat2"]],
        "reversescale": sweep.mode == "max",
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        "hovertemplate": "%{x}, %{y}<br>best %{z:.4f}, trial %{customdata}<extra></extra>",
        "colorbar": {"thickness": 10, "outlinewidth": 0, "title": {"text": ""}},
    }
    if len(pair.cells) <= MAX_LABELLED:
        heat["texttemplate"] = "%{z:.3f}"
    empty = [cell for cell in pair.cells if cell.value is None]
    by_id = {trial.trial_id: trial for trial in sweep.trials}
    return {
        "data": [
            heat,
            _places(pair.cells, columns, rows),
            _unfinished(empty, by_id, columns, rows),
            selected_trace() | {"mode": "markers", "marker": _MARK},
        ],
        "layout": layout(
            titled(plain(pair.x.parameter.name), type="category", categoryarray=columns),
            titled(plain(pair.y.parameter.name), type="category", categoryarray=rows),
            height=max(260, 90 + 42 * pair.y.size),
        ),
    }


def pair_notes(sweep: SweepData, pair: Pair) -> list[str]:
    what = f"The best {metric_title(sweep)} at the end."
    if all(cell.value is not None for cell in pair.cells):
        return [what]
    return [f"{what} ○ was stopped before, × diverged or failed, … is not at its end."]


_MARK = {"symbol": "square-open", "size": 26, "color": "@select", "line": {"width": 3}}


def _places(cells: Sequence[Cell], columns: Sequence[str], rows: Sequence[str]) -> Figure:
    """Invisible marks, from which the page knows the cell of a trial."""
    places = [(columns[c.x], rows[c.y], name) for c in cells for name in c.trial_ids]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [x for x, _, _ in places],
        "y": [y for _, y, _ in places],
        "customdata": [name for _, _, name in places],
        "marker": {"opacity": 0, "size": 1},
        "hoverinfo": "skip",
    }


def _unfinished(
    cells: Sequence[Cell],
    trials: dict[str, TrialData],
    columns: Sequence[str],
    rows: Sequence[str],
) -> Figure:
    """For each cell without a completed trial, a sign of what became of its best."""
    return {
        "type": "scatter",
        "mode": "text",
        "x": [columns[cell.x] for cell in cells],
        "y": [rows[cell.y] for cell in cells],
        "text": [GLYPHS.get(trials[cell.trial_id].status, "…") for cell in cells],
        "textfont": {"size": 14, "color": "@grey"},
        "customdata": [cell.trial_id for cell in cells],
        "hovertext": [_story(trials[cell.trial_id]) for cell in cells],
        "hovertemplate": "%{x}, %{y}<br>%{hovertext}<extra></extra>",
    }


def _story(trial: TrialData) -> str:
    at = f" at step {trial.step:,}: {number(trial.value)}" if trial.step else ""
    return f"trial {trial.trial_id} {trial.status}{at}"


def _labels(axis: Axis) -> list[str]:
    if axis.values:
        return [plain(value) for value in axis.values]
    ends = [math.exp(e) if axis.parameter.scale == "log" else e for e in axis.edges]
    return [f"{low:.2g}–{high:.2g}" for low, high in pairwise(ends)]
