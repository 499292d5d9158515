"""Where the trials of a response have ended, or are expected to: each a dot with its bar."""

from collections.abc import Sequence

from sweeper.analysis.forecasts import Forecast
from sweeper.analysis.noise import Noise
from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.summary.response import Response
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.points import point_text
from sweeper.status import Status
from sweeper.views.format import number
from sweeper.views.report.figures.colouring import setting_colouring
from sweeper.views.report.figures.figure import (
    COLOURS,
    SYMBOLS,
    Trace,
    coordinate,
    metric_title,
    plain,
    short,
)
from sweeper.views.report.figures.response.beyond import Range, end_of

Z_95 = 1.96  # of a normal distribution, so many deviations on both sides are 95 %
MOST_BARRED = 200  # dots, beyond which their bars would hide them


def trial_dots(
    sweep: SweepData,
    response: Response,
    noise: Noise[TrialData] | None = None,
    shown: Range | None = None,
) -> list[Trace]:
    """Every trial in the range at its end, with the 95 % of it. One that did not come to it stands
    where it is forecast to end, or else at its last evaluation. Such are open circles."""
    traces: list[Trace] = []
    for status in Status:
        trials = [
            trial
            for trial in sweep.trials
            if trial.status is status
            and (end := end_of(trial)) is not None
            and not (shown is not None and shown.is_beyond(end))
            and response.parameter.name in trial.point
        ]
        if trials:
            traces.append(_dots(sweep, response, status, trials, noise, shown))
    return traces


def _dots(
    sweep: SweepData,
    response: Response,
    status: Status,
    trials: Sequence[TrialData],
    noise: Noise[TrialData] | None,
    shown: Range | None,
) -> Trace:
    parameter, colours = response.parameter, _dot_colours(sweep, response, status, trials)
    own = noise.deviation if noise is not None and status is Status.COMPLETED else 0.0
    ends = [trial.forecast or Forecast(trial.value or 0.0, own) for trial in trials]
    return {
        "type": "scatter",
        "mode": "markers",
        "meta": "trials",
        "name": f"{status} trials",
        "x": [coordinate(parameter, trial.point[parameter.name]) for trial in trials],
        "y": [short(end.mean) for end in ends],
        "customdata": [trial.trial_id for trial in trials],
        "text": [
            f"at step {trial.step:,}"
            if trial.forecast is None
            else f"± {short(Z_95 * end.deviation, 2)}, forecast: {number(trial.value)}"
            f" at step {trial.step:,}"
            for trial, end in zip(trials, ends, strict=True)
        ],
        "hovertemplate": (
            f"<b>%{{customdata}}</b> {status}<br>{plain(parameter.name)} %{{x}}"
            f"<br>{metric_title(sweep)} %{{y:.4f}} %{{text}}<extra></extra>"
        ),
        "marker": {
            "color": colours,
            "symbol": SYMBOLS[status],
            "size": 7 if len(trials) < 200 else 5,
            "opacity": 0.9 if status is Status.COMPLETED else 0.7,
        },
        "error_y": _bars(
            [
                end.deviation if trial.forecast is None else _told(end.deviation, shown)
                for trial, end in zip(trials, ends, strict=True)
            ],
            COLOURS[status],
        ),
    }


def expected_dots(summary: Summary, response: Response, shown: Range) -> list[Trace]:
    """The points that have not run, where the surface of the others expects them; what lies off the
    range is in the page's table of them alone."""
    parameter = response.parameter
    ends = [
        end
        for end in summary.expected
        if parameter.name in end.point and not shown.is_beyond(end.value)
    ]
    if not ends:
        return []
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "not run, expected",
        "x": [coordinate(parameter, end.point[parameter.name]) for end in ends],
        "y": [short(end.value) for end in ends],
        "text": [plain(point_text(end.point)) for end in ends],
        "hovertemplate": "%{text}<br>not run, %{y:.4f} expected<extra></extra>",
        "marker": {"color": "@grey", "symbol": "cross-thin-open", "size": 8},
        "error_y": _bars([_told(end.deviation, shown) for end in ends], "@grey"),
    }
    return [trace]


def _told(deviation: float, shown: Range | None) -> float:
    """Of an end that was not measured, for its bar: none beside a bar as long as the plot is high,
    which would say nothing and hide the points. The text of the point, or the table of those that
    have not run, has it."""
    says_nothing = shown is not None and 2 * Z_95 * deviation > shown.height
    return 0.0 if says_nothing else deviation


def _bars(deviations: Sequence[float], colour: str) -> Trace:
    """Of 95 %. None where nothing is known of a deviation, or so many that they hide the points."""
    lengths = [short(Z_95 * deviation) or None for deviation in deviations]
    shown = any(lengths) and len(lengths) <= MOST_BARRED
    return {"type": "data", "array": lengths, "color": colour, "thickness": 1, "visible": shown}


def _dot_colours(
    sweep: SweepData, response: Response, status: Status, trials: Sequence[TrialData]
) -> str | list[str]:
    """The status's colour; where there is a curve for each group, that of the group."""
    by = response.grouped_by
    colouring = None if by is None else setting_colouring(sweep, by)
    if colouring is None:
        return COLOURS[status]
    return [colouring.colour(trial) or COLOURS[status] for trial in trials]
