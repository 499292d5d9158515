"""The page of a comparison: one file with its tables and plots, which opens without a network."""

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from sweeper.analysis.comparison import Comparison, Contender, curve, merit
from sweeper.errors import RunFolderError
from sweeper.record.ranking import best_trial
from sweeper.record.state.sweep_state import Trial
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import swept_text
from sweeper.status import Status
from sweeper.views.format import number
from sweeper.views.terminal.comparison_tables import outcome_table, setting_text, verdict_text
from trainable.atomic_file import write_atomically

# Told apart by people who are colour-blind too (Okabe and Ito).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
TEMPLATE = "comparison_page.html"
LOG_RATIO = 10.0  # of the largest value to the least, from which on an axis is logarithmic
SHOWN_SHARE = 0.95  # of the values; the rest, as of the first steps, is above the plot

Figure = dict[str, Any]


def write_page(path: Path, contenders: Sequence[Contender], comparison: Comparison) -> None:
    """Write it, whole or not at all.

    Raises:
        RunFolderError: it cannot be written there.
    """
    page = render_page(contenders, comparison)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: file.write(page.encode()))
    except OSError as error:
        raise RunFolderError(f"--html {path}: cannot be written ({error.strerror})") from None


def render_page(contenders: Sequence[Contender], comparison: Comparison) -> str:
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent / "assets")
    template = jinja2.Environment(loader=loader, autoescape=True).get_template(TEMPLATE)
    figures = [curves_figure(contenders, comparison.metric)]
    names = [name for c in contenders for name in c.state.spec.swept_names()]
    figures += [
        parameter_figure(contenders, name, comparison.metric) for name in dict.fromkeys(names)
    ]
    return template.render(
        comparison=comparison,
        names=[contender.name for contender in contenders],
        colours=dict(zip((c.name for c in contenders), _colours(len(contenders)), strict=True)),
        outcomes=outcome_table(comparison),
        verdict=verdict_text(comparison),
        number=number,
        swept_text=swept_text,
        setting_text=setting_text,
        figures=[figure for figure in figures if figure["data"]],
        plotlyjs=import_module("plotly.offline").get_plotlyjs(),
        as_script=as_script,
    )


def as_script(value: Any) -> str:
    """JSON that is safe inside a <script>."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _colours(number: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(number)]


def curves_figure(contenders: Sequence[Contender], metric: str) -> Figure:
    """Every trial's curve over the tokens it has seen, each sweep's winner on top."""
    faint, bold, values = [], [], []
    for contender, colour in zip(contenders, _colours(len(contenders)), strict=True):
        best = best_trial(contender.state)
        others = [t for t in contender.state.trials.values() if t is not best]
        drawn = [points for trial in others if (points := curve(trial, metric))]
        values += [y for points in drawn for _, y in points]
        broken = [point for points in drawn for point in [*points, (None, None)]]
        faint.append(_line(contender.name, broken, colour, {"width": 1}, opacity=0.35))
        if best is not None:
            points = curve(best, metric)
            values += [y for _, y in points]
            name = f"{contender.name}: trial {best.trial_id}"
            bold.append(_line(name, points, colour, {"width": 3}, showlegend=True))
    return {
        "title": "Learning curves",
        "note": "Each sweep's winner in bold, its other trials faint.",
        "data": [trace for trace in faint + bold if trace["x"]],
        "layout": {
            "xaxis": {"title": {"text": "tokens"}},
            "yaxis": {"title": {"text": metric}, **_range(values)},
        },
    }


def _line(
    name: str, points: Sequence[tuple[Any, Any]], colour: str, line: Figure, **more: Any
) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "line": {"color": colour, **line},
        "showlegend": False,
        **more,
    }


def parameter_figure(contenders: Sequence[Contender], name: str, metric: str) -> Figure:
    """What each trial has reached against a swept value; open: it was not trained to its end."""
    traces, values, reached = [], [], []
    for contender, colour in zip(contenders, _colours(len(contenders)), strict=True):
        trials = [t for t in merit(contender.state) if name in t.values and curve(t, metric)]
        if not trials:
            continue
        traces.append(_dots(contender.name, trials, name, metric, colour))
        values += [trial.values[name] for trial in trials]
        reached += traces[-1]["y"]
    return {
        "title": name,
        "note": "The last evaluation of each trial; open dots were not trained to their end.",
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": name}, "type": _axis_type(values)},
            "yaxis": {"title": {"text": metric}, **_range(reached)},
        },
    }


def _dots(sweep: str, trials: Sequence[Trial], name: str, metric: str, colour: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": sweep,
        "showlegend": True,
        "x": [_coordinate(trial.values[name]) for trial in trials],
        "y": [curve(trial, metric)[-1][1] for trial in trials],
        "text": [f"trial {t.trial_id}, {t.status}, step {t.step}" for t in trials],
        "hovertemplate": f"%{{x}}: %{{y:.4f}}<br>%{{text}}<extra>{_plain(sweep)}</extra>",
        "marker": {
            "color": colour,
            "size": 9,
            "symbol": [
                "circle" if trial.status is Status.COMPLETED else "circle-open" for trial in trials
            ],
        },
    }


def _plain(text: str) -> str:
    """Plotly would read tags out of a name."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _coordinate(value: Scalar) -> Scalar:
    return value if _is_number(value) else _plain(swept_text(value))


def _axis_type(values: Sequence[Scalar]) -> str:
    numbers = [float(value) for value in values if _is_number(value)]  # type: ignore[arg-type]
    if len(numbers) < len(values):
        return "category"
    is_wide = bool(numbers) and min(numbers) > 0 and max(numbers) / min(numbers) >= LOG_RATIO
    return "log" if is_wide else "linear"


def _range(values: Sequence[float]) -> Figure:
    """What matters in full: from the least value up, the few highest left out."""
    if len(values) < 2:
        return {}
    ordered = sorted(values)
    low, high = ordered[0], ordered[int(SHOWN_SHARE * (len(ordered) - 1))]
    room = 0.05 * (high - low) or 0.1
    return {"range": [low - room, high + room]}
