"""`status NAME --watch`: the screen of a sweep that another process runs, until it ends."""

import time

from rich.console import Console

from sweeper.analysis.monitor import Monitor
from sweeper.record.state.trial import Trial
from sweeper.spec.points import point_text
from sweeper.views.terminal.live_view import (
    SteadyTable,
    live_view,
    metrics_line,
    progress_line,
    utc_now,
)
from sweeper.views.terminal.trial_table import trial_table

EVERY_SECONDS = 1.0


def watch(console: Console, monitor: Monitor) -> None:
    """Show a sweep until no driver runs it any more: a table that stays in its place or, if there
    is no terminal, a line for each evaluation from now on."""
    if console.is_terminal:
        _watch_table(console, monitor)
    elif monitor.is_running:
        _watch_lines(console, monitor)
    show(console, monitor)


def show(console: Console, monitor: Monitor) -> None:
    """Print a sweep as it stands."""
    path, left = monitor.folder.path, monitor.time_left()
    line = progress_line(
        monitor.state, monitor.num_trials, left, utc_now() if monitor.is_running else None
    )
    console.print(f"{path}/: {monitor.state_name}, {line}")
    if monitor.standing.attempts and not monitor.is_running:
        console.print(monitor.next_step.why)
    console.print(trial_table(console, monitor.state))


def _watch_table(console: Console, monitor: Monitor) -> None:
    with SteadyTable(console) as table:
        while monitor.is_running:
            view = live_view(
                console, monitor.state, monitor.num_trials, monitor.time_left(), utc_now()
            )
            table.show(view)
            time.sleep(EVERY_SECONDS)
            monitor.refresh()


def _watch_lines(console: Console, monitor: Monitor) -> None:
    told = {trial.trial_id: (trial.step, trial.status) for trial in monitor.state.trials.values()}
    while monitor.is_running:
        time.sleep(EVERY_SECONDS)
        monitor.refresh()
        for trial in monitor.state.trials.values():
            step, status = told.get(trial.trial_id, (0, None))
            for line in _news(trial, step):
                console.print(line)
            if trial.status is not status and trial.status.ended:
                console.print(f"{_name(trial)}  {trial.status}")
            told[trial.trial_id] = (trial.step, trial.status)


def _news(trial: Trial, step: int) -> list[str]:
    new = (seen for seen in trial.evaluations if seen.step > step)
    return [f"{_name(trial)}  {metrics_line(trial, seen)}" for seen in new]


def _name(trial: Trial) -> str:
    return f"{trial.trial_id}  {point_text(trial.values)}"
