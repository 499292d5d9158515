"""How each trial learned. All lines of a status are one trace, so that a thousand open at once."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from sweeper.analysis.reading.sweep_data import Evaluation, SweepData, TrialData
from sweeper.status import Status
from sweeper.views.format import likely
from sweeper.views.report.figures.figure import (
    COLOURS,
    GROUP_COLOURS,
    Figure,
    Trace,
    clock_title,
    layout,
    lower_range,
    metric_title,
    plain,
    selected_trace,
    short,
    titled,
)

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
T = TypeVar("T")
Coordinates = list[float | None]


def curves_figure(sweep: SweepData) -> Figure | None:
    """None if no trial was evaluated. The key `axes` has the x of every trace, for each axis that
    the page offers."""
    trials = [trial for trial in sweep.trials if any(_finite(trial))]
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
    ends = [(_end_trace(sweep, s, of), of) for s, of in groups if of and s in STYLES]
    foretold = [trial for trial in trials if trial.forecast is not None]
    forks = [(trial, at) for trial in trials if (at := trial.parted_at) is not None]
    branches = [_fork_trace(forks)] if forks else []
    ways = [(_likely_trace(sweep, foretold), foretold)] if foretold else []
    axes = {
        name: {
            "title": AXES[name],
            "x": [_line_x(name, of, limit) for _, of in lines]
            + [_end_x(name, of) for _, of in ends]
            + ([[_coordinate(name, *fork) for fork in forks]] if forks else [])
            + [_likely_x(name, of) for _, of in ways],
            "shapes": _rung_shapes(sweep) if name == sweep.clock else [],
        }
        for name in _known_axes(trials)
    }
    traces = [trace for trace, _ in lines + ends]
    traces += [*branches, *(trace for trace, _ in ways)]
    return _along_step(traces, axes, [sweep], trials)


def compared_curves_figure(sweeps: Mapping[str, SweepData]) -> Figure | None:
    """Several sweeps by their names, each in a colour: the winner's line bold, the others faint."""
    there = {name: [t for t in s.trials if any(_finite(t))] for name, s in sweeps.items()}
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
    return [a for a in AXES if all(_coordinate(a, t, _finite(t)[-1]) is not None for t in trials)]


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


def _finite(trial: TrialData) -> list[Evaluation]:
    return [evaluation for evaluation in trial.evaluations if evaluation.value is not None]


def _own(trial: TrialData) -> list[Evaluation]:
    """What is drawn of a trial: a fork's line leaves its trunk's where the two part."""
    begins = 0 if (at := trial.parted_at) is None else at.step
    return [evaluation for evaluation in _finite(trial) if evaluation.step >= begins]


def thinned(evaluations: Sequence[Evaluation], limit: int) -> list[Evaluation]:
    """At most `limit` of them, evenly spread, with the first and the last."""
    if len(evaluations) <= limit:
        return list(evaluations)
    last = len(evaluations) - 1
    return [evaluations[round(index * last / (limit - 1))] for index in range(limit)]


def _gapped(
    trials: Sequence[TrialData], limit: int, of: Callable[[TrialData, Evaluation], T]
) -> list[T | None]:
    """`of` every point of every trial, with a gap (None) after each trial."""
    return [
        item
        for trial in trials
        for item in [*(of(trial, e) for e in thinned(_own(trial), limit)), None]
    ]


def _line_x(axis: str, trials: Sequence[TrialData], limit: int) -> Coordinates:
    return _gapped(trials, limit, lambda trial, e: _coordinate(axis, trial, e))


def _end_x(axis: str, trials: Sequence[TrialData]) -> Coordinates:
    return [_coordinate(axis, trial, _finite(trial)[-1]) for trial in trials]


def _coordinate(axis: str, trial: TrialData, evaluation: Evaluation) -> float | None:
    match axis:
        case "seconds":
            return short(evaluation.seconds, 4)
        case "tokens":
            pace = trial.tokens_per_step
            return None if pace is None else evaluation.step * pace
        case "flops":
            pace = trial.flops_per_step
            return None if pace is None else short(evaluation.step * pace, 5)
    return evaluation.step


def _curve_trace(
    sweep: SweepData, status: Status, trials: Sequence[TrialData], limit: int, of: str = ""
) -> Trace:
    style = STYLES.get(status, {})
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(trials) == 1 else "lines",
        "name": f"{status} ({len(trials):,})",
        "y": _gapped(trials, limit, lambda _, e: short(e.value)),
        "customdata": _gapped(trials, limit, lambda trial, _: trial.trial_id),
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


def _end_trace(sweep: SweepData, status: Status, trials: Sequence[TrialData]) -> Trace:
    """A mark where each trial was stopped, or was last seen before it diverged."""
    diverged = status is Status.DIVERGED
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "last before diverging" if diverged else "stopped at its rung",
        "y": [short(_finite(trial)[-1].value) for trial in trials],
        # Without customdata, by which the page finds a trial's points: its line has this one too.
        "marker": {
            "color": COLOURS[status],
            "symbol": "x" if diverged else "circle-open",
            "size": 8 if len(trials) < 200 else 4,
            "opacity": 0.9 if diverged else 0.7,
        },
        "hoverinfo": "skip",
    }


def _fork_trace(forks: Sequence[tuple[TrialData, Evaluation]]) -> Trace:
    """A mark where each fork leaves its trunk: at the last evaluation that both have."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"forks from a trunk ({len(forks):,})",
        "y": [short(at.value) for _, at in forks],
        # Not customdata, by which the page finds what a trial has measured.
        "text": [
            f"<b>{trial.trial_id}</b> forks from {trial.forked_from} at step {trial.forked_at}"
            for trial, _ in forks
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": "@ink", "symbol": "diamond", "size": 8 if len(forks) < 200 else 4},
    }


def _likely_trace(sweep: SweepData, trials: Sequence[TrialData]) -> Trace:
    """From where each trial is, dotted to where it would end, with a bar of 90 % there."""
    ends = [trial.forecast for trial in trials if trial.forecast is not None]
    told = [
        f"<b>{t.trial_id}</b> likely end {likely(e)}" for t, e in zip(trials, ends, strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"likely ends ({len(trials):,})",
        "y": [
            y
            for trial, end in zip(trials, ends, strict=True)
            for y in (short(_finite(trial)[-1].value), short(end.mean), None)
        ],
        # Not customdata, by which the page finds what a trial has measured.
        "text": [text for each in told for text in ("", each, None)],
        "hovertemplate": f"%{{text}}, {metric_title(sweep)}<extra></extra>",
        "error_y": {
            "type": "data",
            "array": [b for end in ends for b in (None, short(end.half_width, 3), None)],
            "color": "@grey",
            "thickness": 0.7,
            "width": 2,
        },
        "line": {"color": "@muted", "width": 1, "dash": "dot"},
        "opacity": 0.7 if len(trials) < 60 else 0.4,
    }


def _likely_x(axis: str, trials: Sequence[TrialData]) -> Coordinates:
    x: Coordinates = []
    for trial in trials:
        last = _finite(trial)[-1]
        step = trial.max_steps or last.step
        seconds = last.seconds * step / last.step if last.seconds and last.step else last.seconds
        end = Evaluation(step=step, value=None, seconds=seconds)
        x += [_coordinate(axis, trial, last), _coordinate(axis, trial, end), None]
    return x


def _rung_shapes(sweep: SweepData) -> list[Trace]:
    rungs = sorted({arrival.rung for arrival in sweep.arrivals})
    return [
        {
            "type": "line",
            "x0": rung,
            "x1": rung,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": "@grey", "width": 1, "dash": "dot"},
            "label": {
                "text": clock_title(sweep, rung),
                "textposition": "end",
                "textangle": -90,
                "xanchor": "right",
                "yanchor": "bottom",
                "font": {"size": 11, "color": "@muted"},
            },
        }
        for rung in rungs
    ]


def _y_range(sweep: SweepData, trials: Sequence[TrialData]) -> list[float] | None:
    """A range without the worst fiftieth of all points, beside which the rest would look flat."""
    values = [e.value for t in trials for e in t.evaluations if e.value is not None]
    return None if len(values) < 50 or sweep.mode == "max" else lower_range(values, 0.98)
