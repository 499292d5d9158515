"""How each trial learned. All lines of a status are one trace, so that a thousand open at once; the
page parts them by the colours of the setting that is chosen there."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweeper.analysis.reading.sweep_data import Evaluation, SweepData, TrialData
from sweeper.status import Status
from sweeper.views.format import title_of
from sweeper.views.report.figures.colouring import colourings
from sweeper.views.report.figures.figure import (
    COLOURS,
    GROUP_COLOURS,
    Figure,
    Trace,
    layout,
    lower_range,
    metric_title,
    plain,
    selected_trace,
    short,
    titled,
)
from sweeper.views.report.figures.learning.marks import (
    end_trace,
    fork_trace,
    likely_trace,
    likely_x,
    rung_shapes,
)
from sweeper.views.report.figures.learning.points import Coordinates, along, finite, gapped

MANY_POINTS = 50
FAR_OFF = 20.0  # times as far from the best as the middle of the points
MAX_POINTS = 20_000  # of all lines together
AXES = {
    "step": "step",
    "tokens": "tokens",
    "seconds": "seconds of training",
    "flops": "FLOPs",
}
STYLES: dict[Status, Trace] = {
    Status.STOPPED: {"opacity": 0.4},
    Status.DIVERGED: {"dash": "dash"},
}
MEASURES = (
    "train_loss",
    "grad_norm",
    "learning_rate",
)  # beside the objective


def curves_figure(sweep: SweepData) -> Figure | None:
    """None if no trial was evaluated. `axes` has the x of every trace, for each axis that the page
    offers; `measures` the y of the lines, the first traces; `colourings` who has which colour."""
    trials = [trial for trial in sweep.trials if any(finite(trial))]
    if not trials:
        return None
    limit = max(3, MAX_POINTS // len(trials))
    groups = [
        (status, [trial for trial in trials if trial.status is status])
        for status in reversed(Status)  # the completed trials last, so that they lie on top
    ]
    lines = [(_curve_trace(sweep, s, of, limit), of) for s, of in groups if of]
    if trials[0].status is Status.COMPLETED:
        best = replace(trials[0], forked_at=0)  # its whole way, its trunk's part of it too
        lines.append((_best_trace(sweep, best, limit), [best]))
    ends = [(end_trace(sweep, s, of), of) for s, of in groups if of and s in STYLES]
    foretold = [trial for trial in trials if trial.forecast is not None]
    forks = [(trial, at) for trial in trials if (at := trial.parted_at) is not None]
    branches = [fork_trace(forks)] if forks else []
    ways = [(likely_trace(sweep, foretold), foretold)] if foretold else []
    axes = {
        name: {
            "title": AXES[name],
            "x": [_line_x(name, of, limit) for _, of in lines]
            + [_end_x(name, of) for _, of in ends]
            + ([[along(name, *fork) for fork in forks]] if forks else [])
            + [likely_x(name, of) for _, of in ways],
            "shapes": rung_shapes(sweep) if name == sweep.clock else [],
        }
        for name in _known_axes(trials)
    }
    traces = [trace for trace, _ in lines + ends]
    traces += [*branches, *(trace for trace, _ in ways)]
    names = (*MEASURES, *sweep.set_metrics)
    measures = {name: found for name in names if (found := _measure(name, lines, limit))}
    return _along_step(traces, axes, [sweep], trials) | {
        "measures": {sweep.metric: {"title": metric_title(sweep)}} | measures,
        "colourings": [colouring.as_json() for colouring in colourings(sweep)],
    }


def _measure(
    name: str, lines: Sequence[tuple[Trace, Sequence[TrialData]]], limit: int
) -> Figure | None:
    """Another y of the lines; None where it was never measured. A norm spans powers of ten."""

    def value(_: TrialData, e: Evaluation) -> float | None:
        return short(getattr(e, name) if name in MEASURES else e.set_losses.get(name), 4)

    y = [gapped(of, limit, value) for _, of in lines]
    if all(value is None for line in y for value in line):
        return None
    return {"title": title_of(name), "y": y, "log": name == "grad_norm"}


def compared_curves_figure(sweeps: Mapping[str, SweepData]) -> Figure | None:
    """Several sweeps by their names, each in a colour: the winner's line bold, the others faint."""
    there = {name: [t for t in s.trials if any(finite(t))] for name, s in sweeps.items()}
    trials = [trial for of in there.values() for trial in of]
    if not trials:
        return None
    limit = max(3, MAX_POINTS // len(trials))
    faint, bold = [], []
    for colour, (name, sweep) in zip(itertools.cycle(GROUP_COLOURS), sweeps.items(), strict=False):
        best = [trial for trial in there[name][:1] if trial.status is Status.COMPLETED]
        others = there[name][len(best) :]
        style = {"name": plain(name), "showlegend": not best, "mode": "lines", "opacity": 0.35}
        trace = _curve_trace(sweep, Status.COMPLETED, others, limit, plain(name)) | style
        faint.append((trace | {"line": {"color": colour, "width": 1}}, others))
        for trial in best:
            line = {"color": colour, "width": 3}
            style = {"name": f"{plain(name)}: trial {trial.trial_id}", "line": line}
            bold.append((_best_trace(sweep, trial, limit, plain(name)) | style, [trial]))
    lines = [(trace, of) for trace, of in faint + bold if of]
    axes: dict[str, Figure] = {
        axis: {"title": AXES[axis], "x": [_line_x(axis, of, limit) for _, of in lines]}
        for axis in _known_axes(trials)
    }
    return _along_step([trace for trace, _ in lines], axes, list(sweeps.values()), trials)


def _known_axes(trials: Sequence[TrialData]) -> list[str]:
    """Those on which every trial has a place."""
    return [a for a in AXES if all(along(a, t, finite(t)[-1]) is not None for t in trials)]


def _along_step(
    traces: Sequence[Trace],
    axes: dict[str, Figure],
    sweeps: Sequence[SweepData],
    trials: Sequence[TrialData],
) -> Figure:
    for trace, x in zip(traces, axes["step"]["x"], strict=True):
        trace["x"] = x
    x = titled("step", rangemode="tozero")
    y = titled(metric_title(sweeps[0]), range=_y_range(sweeps[0], trials))
    shapes = axes["step"].setdefault("shapes", [])
    return {
        "data": [*traces, selected_trace()],
        "layout": layout(x, y, height=460, showlegend=True, shapes=shapes),
        "axes": axes,
    }


def _line_x(axis: str, trials: Sequence[TrialData], limit: int) -> Coordinates:
    return gapped(trials, limit, lambda trial, e: along(axis, trial, e))


def _end_x(axis: str, trials: Sequence[TrialData]) -> Coordinates:
    return [along(axis, trial, finite(trial)[-1]) for trial in trials]


def _curve_trace(
    sweep: SweepData, status: Status, trials: Sequence[TrialData], limit: int, of: str = ""
) -> Trace:
    style = STYLES.get(status, {})
    return {
        "type": "scatter",
        "meta": "trials",
        "mode": "lines+markers" if len(trials) == 1 else "lines",
        "name": f"{status} ({len(trials):,})",
        "y": gapped(trials, limit, lambda _, e: short(e.value)),
        "customdata": gapped(trials, limit, lambda trial, _: trial.trial_id),
        "opacity": style.get("opacity", 0.85),
        "line": {
            "color": COLOURS[status],
            "width": 1 if len(trials) > 60 else 1.8,
            "dash": style.get("dash", "solid"),
        },
        "marker": {"size": 5},
        "hovertemplate": (
            f"<b>%{{customdata}}</b> {of or status}<br>{metric_title(sweep)} %{{y:.4f}}"
            "<extra></extra>"
        ),
    }


def _best_trace(sweep: SweepData, trial: TrialData, limit: int, of: str = "") -> Trace:
    """The best trial's line once more, on top of all."""
    trace = _curve_trace(sweep, trial.status, [trial], limit, of)
    line = {"color": "@ink", "width": 2.5}
    return trace | {"name": f"the best, {trial.trial_id}", "line": line, "opacity": 1}


def _y_range(sweep: SweepData, trials: Sequence[TrialData]) -> list[float] | None:
    """A range without the worst fiftieth of all points, beside which the rest would look flat; of
    few points without the worst quarter, where one of them is that far off."""
    values = sorted(e.value for t in trials for e in t.evaluations if e.value is not None)
    if not values or sweep.mode == "max":
        return None
    if len(values) >= MANY_POINTS:
        return lower_range(values, 0.98)
    low, middle, high = values[0], values[len(values) // 2], values[-1]
    return lower_range(values, 0.75) if high - low > FAR_OFF * (middle - low) > 0 else None
