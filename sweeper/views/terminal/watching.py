"""`status NAME --watch`: the screen of a sweep that another process runs, until it ends."""

import time

from rich.console import Console
from rich.live import Live

from sweeper.analysis.monitor import Look
from sweeper.record.state.sweep_state import Trial
from sweeper.views.terminal.live_view import live_view, progress_line, utc_now
from sweeper.views.terminal.screen import report_line, settings
from sweeper.views.terminal.trial_table import trial_table

EVERY_SECONDS = 1.0


def watch(console: Console, look: Look) -> None:
    """Show a sweep until nobody runs it any more: a table that stays in its place, or, where there
    is no terminal, a line of each evaluation from now on."""
    if console.is_terminal:
        _watch_table(console, look)
    elif look.is_running:
        _watch_lines(console, look)
    show(console, look)


def show(console: Console, look: Look) -> None:
    """A sweep as it stands."""
    path, left = look.folder.path, look.time_left()
    line = progress_line(look.state, look.num_trials, left, utc_now() if look.is_running else None)
    console.print(f"{path}/: {look.state_name}, {line}")
    console.print(trial_table(console, look.state))


def _watch_table(console: Console, look: Look) -> None:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while look.is_running:
            view = live_view(console, look.state, look.num_trials, look.time_left(), utc_now())
            live.update(view, refresh=True)
            time.sleep(EVERY_SECONDS)
            look.refresh()


def _watch_lines(console: Console, look: Look) -> None:
    told = {trial.trial_id: (trial.step, trial.status) for trial in look.state.trials.values()}
    while look.is_running:
        time.sleep(EVERY_SECONDS)
        look.refresh()
        for trial in look.state.trials.values():
            step, status = told.get(trial.trial_id, (0, None))
            for line in _news(trial, step):
                console.print(line, markup=False)
            if trial.status is not status and trial.status.ended:
                console.print(f"{_name(trial)}  {trial.status}", markup=False)
            told[trial.trial_id] = (trial.step, trial.status)


def _news(trial: Trial, step: int) -> list[str]:
    new = (report for report in trial.reports if report["step"] > step)
    return [f"{_name(trial)}  {report_line(trial, report)}" for report in new]


def _name(trial: Trial) -> str:
    return f"{trial.trial_id}  {settings(trial)}"
