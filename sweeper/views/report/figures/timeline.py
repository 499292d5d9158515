"""The slots over time: which trial ran when, and when a slot had none; and how busy the machine was
meanwhile."""

from collections.abc import Callable, Sequence

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.slots import SlotStint, SlotUse, seconds_at_work
from sweeper.record.exhibits.load import Load
from sweeper.status import Status
from sweeper.views.format import duration
from sweeper.views.report.figures.figure import (
    COLOURS,
    Figure,
    Trace,
    layout,
    selected_trace,
    short,
    titled,
)

UNITS = (("hours", 3600.0, 2 * 3600.0), ("minutes", 60.0, 180.0), ("seconds", 1.0, 0.0))

LOAD_HEIGHT = 240
SHARES: tuple[tuple[str, str, Callable[[Load], float | None]], ...] = (
    ("processors", "@blue", lambda load: load.processors),
    ("memory", "@orange", lambda load: load.memory),
    ("GPUs", "@green", lambda load: load.gpus),
    ("GPU memory", "@purple", lambda load: load.gpu_memory),
)
MOST_NOTCHED = 100  # attempts of a slot, beyond which notches would hide them


def time_axis(use: SlotUse) -> tuple[Trace, float]:
    """The axis of the time at work, and how many seconds one of its units has."""
    unit, size = next((name, size) for name, size, least in UNITS if use.seconds >= least)
    return titled(f"{unit} at work", range=[0, short(use.seconds / size, 4)]), size


def timeline_figure(use: SlotUse) -> Figure:
    x, size = time_axis(use)
    height, width = _sizes(use.slots)
    traces = [
        _bars([s for s in use.stints if s.became is status], status, size, width)
        for status in Status
        if any(stint.became is status for stint in use.stints)
    ]
    y = titled(
        "slot",
        range=[use.slots + 0.6, 0.4],
        dtick=1 if use.slots <= 16 else None,
        fixedrange=True,
        showgrid=False,
    )
    if len(use.stints) <= MOST_NOTCHED * use.slots:
        traces.append(_beginnings(use.stints, size, width))
    return {
        "data": [*traces, selected_trace()],
        "layout": layout(
            x,
            y,
            height=height,
            showlegend=True,
            hoverdistance=200,
            shapes=[_session_line(at / size) for at in use.sessions if at],
        ),
    }


def _sizes(slots: int) -> tuple[int, float]:
    """The height of the figure and of a slot's bar, in pixels."""
    each = min(34.0, max(8.0, 420 / slots))
    return round(110 + each * max(2, slots)), round(0.62 * each, 1)


def _bars(stints: Sequence[SlotStint], status: Status, size: float, width: float) -> Trace:
    """Lines as thick as bars, each with its ends and its middle, where a pointer finds it."""

    def places(stint: SlotStint) -> list[float | None]:
        began, ended = stint.began / size, stint.ended / size
        return [short(began), short((began + ended) / 2), short(ended), None]

    return {
        "type": "scatter",
        "mode": "lines",
        "meta": "trials",
        "name": _LABELS.get(status, str(status)),
        "x": [x for stint in stints for x in places(stint)],
        "y": [y for stint in stints for y in (*[stint.slot + 1] * 3, None)],
        "customdata": [n for stint in stints for n in (*[stint.trial_id] * 3, None)],
        "text": [t for stint in stints for t in (*[_story(stint)] * 3, None)],
        "hovertemplate": "<b>%{customdata}</b> %{text}<extra></extra>",
        "line": {"color": COLOURS[status], "width": width},
        "opacity": 0.85,
    }


_LABELS = {Status.FAILED: "attempt failed"}


def _story(stint: SlotStint) -> str:
    what = _LABELS.get(stint.became, str(stint.became))
    return f"{what}, {duration(stint.ended - stint.began)} from {duration(stint.began)}"


def _beginnings(stints: Sequence[SlotStint], size: float, width: float) -> Trace:
    """A notch where each begins, that neighbours of one colour are told apart."""
    return {
        "type": "scatter",
        "mode": "markers",
        "meta": "trials",
        "name": "beginnings",
        "x": [short(stint.began / size) for stint in stints],
        "y": [stint.slot + 1 for stint in stints],
        "customdata": [stint.trial_id for stint in stints],
        "marker": {
            "symbol": "line-ns-open",
            "size": round(width / 1.4, 1),
            "color": "@card",
            "line": {"width": 1.5, "color": "@card"},
        },
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _session_line(at: float) -> Trace:
    return {
        "type": "line",
        "x0": short(at),
        "x1": short(at),
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": "@muted", "width": 1, "dash": "dot"},
        "label": {"text": "resumed", "textposition": "end", "font": {"color": "@muted"}},
    }


def slots_said(use: SlotUse) -> str:
    """`Busy for 83 % of 2m10s. Until a first trial began, 12s passed.`"""
    said = f"Busy for {use.utilisation:.0%} of {duration(use.seconds)}."
    if use.before_first >= 0.05 * use.seconds:
        said += f" Until a first trial began, {duration(use.before_first)} passed."
    if use.slots > 1:
        said += " A journal does not name slots: each trial stands on the first that was free."
    return said


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
        "layout": layout(x, y, height=LOAD_HEIGHT, showlegend=True, hovermode="x"),
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
