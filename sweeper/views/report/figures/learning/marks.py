"""The marks on learning curves: where trials ended or are likely to end, where forks part, and the
rungs."""

from collections.abc import Sequence

from sweeper.analysis.reading.sweep_data import Evaluation, SweepData, TrialData
from sweeper.status import Status
from sweeper.views.format import likely
from sweeper.views.report.figures.figure import COLOURS, Trace, clock_title, metric_title, short
from sweeper.views.report.figures.learning.points import Coordinates, along, finite

MOST_DOTTED = 24  # lines, beyond which they would hide the curves until they are asked for
LABEL = 0.14  # so wide, as a share of the way to the last rung, is a label on a phone


def end_trace(sweep: SweepData, status: Status, trials: Sequence[TrialData]) -> Trace:
    """A mark where each trial was stopped, or was last seen before it diverged."""
    diverged = status is Status.DIVERGED
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "last before diverging" if diverged else "stopped",
        "y": [short(finite(trial)[-1].value) for trial in trials],
        # Without customdata, by which the page finds a trial's points: its line has this one too.
        "marker": {
            "color": COLOURS[status],
            "symbol": "x" if diverged else "circle-open",
            "size": 8 if len(trials) < 200 else 4,
            "opacity": 0.9 if diverged else 0.7,
        },
        "hoverinfo": "skip",
    }


def fork_trace(forks: Sequence[tuple[TrialData, Evaluation]]) -> Trace:
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


def likely_trace(sweep: SweepData, trials: Sequence[TrialData]) -> Trace:
    """From where each trial is, dotted to where it would end, with a bar of 90 % there."""
    ends = [trial.forecast for trial in trials if trial.forecast is not None]
    told = [
        f"<b>{t.trial_id}</b> likely end {likely(e)}" for t, e in zip(trials, ends, strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"likely ends ({len(trials):,})",
        "visible": True if len(trials) <= MOST_DOTTED else "legendonly",
        "y": [
            y
            for trial, end in zip(trials, ends, strict=True)
            for y in (short(finite(trial)[-1].value), short(end.mean), None)
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


def likely_x(axis: str, trials: Sequence[TrialData]) -> Coordinates:
    x: Coordinates = []
    for trial in trials:
        last = finite(trial)[-1]
        step = trial.max_steps or last.step
        seconds = last.seconds * step / last.step if last.seconds and last.step else last.seconds
        end = Evaluation(step=step, value=None, seconds=seconds)
        x += [along(axis, trial, last), along(axis, trial, end), None]
    return x


def rung_shapes(sweep: SweepData) -> list[Trace]:
    """A line at each rung; labels that would touch are left out, the later ones stay."""
    rungs = sorted({arrival.rung for arrival in sweep.arrivals})
    labelled: list[int] = []
    for rung in reversed(rungs):
        if not labelled or labelled[-1] - rung >= LABEL * rungs[-1]:
            labelled.append(rung)
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
                "text": clock_title(sweep, rung) if rung in labelled else "",
                "textposition": "end",
                "textangle": -90,
                "xanchor": "right",
                "yanchor": "bottom",
                "font": {"size": 11, "color": "@muted"},
            },
        }
        for rung in rungs
    ]
