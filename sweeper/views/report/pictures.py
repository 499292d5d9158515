"""Plots of a report and of a backtest as PNGs for papers and chats; `plots/` in the run folder."""

import itertools
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from sweeper.analysis.backtest.backtesting import Backtest
from sweeper.analysis.forecasts import Forecast
from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.summary.costs import Front
from sweeper.analysis.summary.response import Response
from sweeper.analysis.summary.summarising import Summary
from sweeper.errors import RecordingError
from sweeper.spec.points import swept_text
from sweeper.status import Status
from sweeper.views.format import number, optimum_label
from sweeper.views.report.figures.figure import level_title, metric_title
from trainable.atomic_file import write_atomically

Draw = Callable[[Axes], None]

# Okabe and Ito's colours, which colour-blind people can tell apart too.
GROUP_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
COLOURS = {Status.COMPLETED: "#0072B2", Status.STOPPED: "#9aa1aa", Status.DIVERGED: "#D55E00"}
MAX_LINES = 300


def write_pictures(summary: Summary, folder: Path) -> tuple[Path, ...]:
    """Write a PNG of each plot; each file whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    sweep = summary.sweep
    drawings: dict[str, Draw] = {}
    for response in summary.responses:
        if response.curves:
            drawings[f"loss_by_{response.parameter.name}"] = _response(summary, response)
    for front in summary.fronts:
        drawings[f"loss_against_{front.cost.lower()}"] = _front(sweep, front)
    if any(trial.evaluations for trial in sweep.trials):
        drawings["learning_curves"] = _curves(sweep)
    if drawings:
        folder.mkdir(exist_ok=True)
    return tuple(
        write_picture(folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.png", draw)
        for name, draw in drawings.items()
    )


def write_picture(path: Path, draw: Draw) -> Path:
    figure = Figure(figsize=(7, 4.2), dpi=144, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)
    draw(axes)
    write_atomically(path, lambda file: figure.savefig(file, format="png"))
    return path


def _response(summary: Summary, response: Response) -> Draw:
    sweep = summary.sweep
    optima = {o.group: o for o in summary.optima if o.name == response.parameter.name}

    def draw(axes: Axes) -> None:
        parameter = response.parameter
        last = {curve.group: curve for curve in response.curves}
        for index, (group, curve) in enumerate(last.items()):
            colour = GROUP_COLOURS[index % len(GROUP_COLOURS)]
            named = parameter.scale == "category"
            x = [
                swept_text(s.x) if named or not isinstance(s.x, int | float) else s.x
                for s in curve.samples
            ]
            name = "" if group is None else f"{swept_text(group)}, "
            axes.errorbar(
                x,
                [sample.value for sample in curve.samples],
                yerr=[sample.deviation or 0.0 for sample in curve.samples],
                fmt="o" if named else "o-",
                color=colour,
                label=name + level_title(sweep, curve.level),
            )
            if (optimum := optima.get(group)) is not None:
                label = f"{name}optimum {optimum_label(optimum)}"
                axes.axvspan(optimum.low, optimum.high, color=colour, alpha=0.12, linewidth=0)
                taken = optimum.taken if optimum.is_known else math.nan
                axes.plot(taken, optimum.value, "*", ms=14, mfc="white", mec=colour, label=label)
        if parameter.scale == "log":
            _log_axis(axes, [v for v in parameter.options if isinstance(v, int | float)])
        axes.set(xlabel=parameter.name, ylabel=metric_title(sweep))
        axes.legend(frameon=False)

    return draw


def _front(sweep: SweepData, front: Front) -> Draw:
    def draw(axes: Axes) -> None:
        others = [(point.cost, point.value) for point in front.points if not point.on_front]
        best = [(point.cost, point.value) for point in front.points if point.on_front]
        if others:
            axes.plot(
                *zip(*others, strict=True), "o", color="#9aa1aa", markersize=4, label="others"
            )
        step, orange = "steps-post", "#E69F00"
        axes.plot(*zip(*best, strict=True), "o-", drawstyle=step, color=orange, label="front")
        axes.set(xlabel=front.cost, ylabel=metric_title(sweep), xscale="log")
        axes.legend(frameon=False)

    return draw


def _log_axis(axes: Axes, listed: list[float]) -> None:
    axes.set_xscale("log")
    if 1 < len(listed) <= 12:
        axes.set_xticks(listed, [swept_text(value) for value in listed])
        axes.xaxis.set_minor_formatter(NullFormatter())


def _curves(sweep: SweepData) -> Draw:
    def draw(axes: Axes) -> None:
        seen = set[str]()
        for trial in reversed(sweep.trials[:MAX_LINES]):  # the best last, so that it lies on top
            points = [(e.step, e.value) for e in trial.evaluations if e.value is not None]
            if not points:
                continue
            label = str(trial.status) if trial.status not in seen else None
            seen.add(trial.status)
            axes.plot(
                *zip(*points, strict=True),
                color=COLOURS.get(trial.status, "#009E73"),
                alpha=0.4 if trial.status is Status.STOPPED else 0.9,
                linestyle="--" if trial.status is Status.DIVERGED else "-",
                marker="x" if trial.status is Status.DIVERGED else None,
                linewidth=1.4,
                label=label,
            )
            if (at := trial.parted_at) is not None and at.value is not None:
                mark = None if "fork" in seen else "forks from its trunk"
                seen.add("fork")
                axes.plot([at.step], [at.value], "D", color="#1b1e23", markersize=4, label=mark)
            if trial.forecast is not None:
                _draw_likely_end(axes, trial, trial.forecast, points[-1])
        axes.set(xlabel="step", ylabel=metric_title(sweep))
        best = next((t for t in sweep.trials if t.status is Status.COMPLETED), None)
        if best is not None:
            axes.set_title(f"best {number(best.value)}", loc="left", fontsize=10)
        if seen:
            axes.legend(frameon=False)

    return draw


def _draw_likely_end(
    axes: Axes, trial: TrialData, forecast: Forecast, last: tuple[int, float]
) -> None:
    """Dotted from where it is, with a bar of 90 % at its end."""
    grey, end = "#9aa1aa", trial.max_steps or last[0]
    axes.plot([last[0], end], [last[1], forecast.mean], ":", color=grey, alpha=0.6, linewidth=1)
    width = forecast.half_width
    axes.errorbar(end, forecast.mean, yerr=width, capsize=2, color=grey, alpha=0.6, linewidth=1)


def write_backtest(path: Path, found: Sequence[Backtest]) -> None:
    """Write what each strategy of a backtest loses, against what it spends.

    Raises:
        RecordingError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, _regret_against_tokens(found))
    except OSError as error:
        raise RecordingError(f"--plot {path}: cannot be written ({error.strerror})") from None


def _regret_against_tokens(found: Sequence[Backtest]) -> Draw:
    """A look of its own for each strategy; where there are several recordings, each by its name."""
    looks = list(itertools.product("os^D", GROUP_COLOURS))
    titles = list(dict.fromkeys(row.title for one in found for row in one.rows))

    def draw(axes: Axes) -> None:
        for index, title in enumerate(titles):
            marker, colour = looks[index % len(looks)]
            at = [(one, row) for one in found for row in one.rows if row.title == title]
            x = [100 * row.tokens for _, row in at]
            y = [row.regret_percent for _, row in at]
            axes.plot(x, y, marker, color=colour, label=title)
            for (one, _), point in zip(at, zip(x, y, strict=True), strict=True):
                name = one.truth.recording.name if len(found) > 1 else ""
                axes.annotate(name, point, (5, 3), textcoords="offset points", fontsize=6)
        for one in found:
            if one.truth.deviation is not None:
                sd = 100 * one.truth.deviation / abs(one.truth.value)
                axes.axhline(sd, color="#9aa1aa", linewidth=0.8, linestyle="--")
        axes.set(xlabel="tokens, % of the whole grid's", ylabel="mean regret, %", ylim=(0, None))
        axes.set_title("dashed: one sd of the seeds", loc="left", fontsize=9)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)

    return draw
