"""The trials of a sweep as a table, best first, size by size, on a screen of any width."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

from sweeper.analysis.forecasts import forecasts_of
from sweeper.record.ranking import objective, ranked
from sweeper.record.results.entrant import SEED
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.spec.clock import clock_per_step
from sweeper.spec.model_sizes import sizes_in_order
from sweeper.spec.points import swept_text
from sweeper.spec.trainer.config import num_params
from sweeper.status import Status
from sweeper.views.format import count, duration, likely, number
from sweeper.views.terminal.charts import Scale, sparkline
from sweeper.views.terminal.columns import Column, fitting, table, total

STYLES = {
    Status.RUNNING: "cyan",
    Status.COMPLETED: "green",
    Status.PAUSED: "blue",
    Status.STOPPED: "dim",
    Status.DIVERGED: "magenta",
    Status.FAILED: "red",
    Status.INTERRUPTED: "yellow",
    Status.PENDING: "dim",
}
CURVE_WIDTHS = (24, 16, 10, 6)  # the widest that fits is taken
# What a narrow screen shows first.
DROPPED_FIRST = ("tok/s", "perplexity", "rung", "curve", "likely", "left")


def trial_table(console: Console, state: SweepState, *, shown: int | None = None) -> RenderableType:
    """The trials, best first, of the smallest size before those of a larger one; a narrow screen
    shows fewer columns.

    Args:
        shown: At most this many trials, with those that run among them.
    """
    trials = _by_size(state, _chosen(ranked(state), shown))
    ascii = console.options.ascii_only
    columns = _columns(state, trials, console.width, ascii)
    rows = table(columns, console.width, [STYLES[trial.status] for trial in trials], ascii=ascii)
    hidden = len(state.trials) - len(trials)
    if not hidden:
        return rows
    return Group(rows, Text(f"{'...' if ascii else '…'} and {hidden} more", style="dim"))


def _chosen(trials: list[Trial], shown: int | None) -> list[Trial]:
    """The best trials, and all that run."""
    if shown is None or len(trials) <= shown:
        return trials
    running = [trial for trial in trials if trial.status is Status.RUNNING][:shown]
    others = [trial for trial in trials if trial.status is not Status.RUNNING]
    chosen = {t.trial_id for t in running + others[: shown - len(running)]}
    return [trial for trial in trials if trial.trial_id in chosen]


def _by_size(state: SweepState, trials: list[Trial]) -> list[Trial]:
    sizes = sizes_in_order(state.spec)

    def size(trial: Trial) -> tuple[int, ...]:
        places = (
            of.index(value) if (value := trial.values[name]) in of else len(of)  # as damaged
            for name, of in sizes.items()
            if name in trial.values
        )
        return (num_params(trial.config) or 0, *places)

    return sorted(trials, key=size) if sizes else trials


def _columns(state: SweepState, trials: list[Trial], width: int, ascii: bool) -> list[Column]:
    for curve_width in CURVE_WIDTHS:
        columns = [
            _column(name, cells) for name, cells in _cells(state, trials, curve_width, ascii)
        ]
        if total([column.width for column in columns]) <= width:
            break
    return fitting(columns, width)


def _column(name: str, cells: Sequence[str]) -> Column:
    drop = DROPPED_FIRST.index(name) if name in DROPPED_FIRST else None
    return Column(name, cells, right=name not in {"trial", "state", "curve"}, drop=drop)


def _cells(
    state: SweepState, trials: list[Trial], curve_width: int, ascii: bool
) -> list[tuple[str, list[str]]]:
    """Headings with their cells. Columns that would be empty are left out."""
    last = [trial.last_evaluation for trial in trials]
    newest = [trial.progress or trial.last_evaluation for trial in trials]
    metric = state.spec.objective.metric.removeprefix("val_")
    columns = {
        "trial": [trial.trial_id for trial in trials],
        **{key: [_value_text(trial, key) for trial in trials] for key in state.spec.swept_names()},
        "curve": curves(state, trials, width=curve_width, ascii=ascii),
        "step": [
            f"{metrics.step if metrics else 0}/{trial.config.max_steps}"
            for trial, metrics in zip(trials, newest, strict=True)
        ],
        "rung": [rung_step(state, trial) for trial in trials],
        metric: [number(objective(state, trial)) for trial in trials],
        "perplexity": [number(m.val_perplexity if m else None, 2) for m in last],
        "tok/s": [count(m.tokens_per_second if m else None) for m in newest],
        "state": [trial.status.value + _origin(trial) for trial in trials],
        "left": [
            duration(seconds_left(trial)) if trial.status is Status.RUNNING else ""
            for trial in trials
        ],
    }
    forecasts = forecasts_of(state)
    columns["likely"] = [
        "" if (told := forecasts.get(trial.trial_id)) is None else likely(told, ascii=ascii)
        for trial in trials
    ]
    if metric == "perplexity":
        columns["perplexity"] = [number(objective(state, trial), 2) for trial in trials]
    missable = {"curve", "rung", "left", "likely"}
    if not state.spec.is_ours:  # another trainer may not say
        missable |= {"perplexity", "tok/s"}
    known = {key for key, cells in columns.items() if {*cells} - {"", "-"}}
    return [(key, cells) for key, cells in columns.items() if key in known or key not in missable]


def _origin(trial: Trial) -> str:
    if trial.taken_from is not None:
        return ", taken"
    by_hand = " by hand" if trial.stopped_by_hand and trial.status is Status.STOPPED else ""
    return by_hand + ("" if trial.forked_from is None else f", fork of {trial.forked_from}")


def _value_text(trial: Trial, key: str) -> str:
    """A point's first trial has its seed from `train:`, beside those of the finals."""
    if key == SEED:
        return str(trial.config.seed)
    return swept_text(trial.values[key]) if key in trial.values else ""


def rung_step(state: SweepState, trial: Trial) -> str:
    """The highest rung that the trial has reached, as a step."""
    if trial.rung is None:
        return ""
    return str(-(-trial.rung // clock_per_step(trial.config, state.spec.scheduler.clock)))


def curves(state: SweepState, trials: list[Trial], *, width: int, ascii: bool) -> list[str]:
    """The objective of each trial so far, all on one scale and over the steps of the longest."""
    metric = state.spec.objective.metric
    points = [[(m.step, m.value(metric)) for m in trial.evaluations] for trial in trials]
    values = [value for curve in points for _, value in curve if value is not None]
    scale = Scale.of(values)
    if scale is None:
        return [""] * len(trials)
    end = max(trial.config.max_steps for trial in trials)
    return [sparkline(curve, scale, end=end, width=width, ascii=ascii) for curve in points]


def seconds_left(trial: Trial) -> float | None:
    """The seconds to the end of a trial at the speed that it has had; None before its first
    metrics."""
    newest = trial.progress or trial.last_evaluation
    if newest is None or not newest.step or newest.train_seconds is None:
        return None
    return newest.train_seconds / newest.step * (trial.config.max_steps - newest.step)
