"""`wait` and `logs`: what becomes of a sweep that runs elsewhere."""

import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from sweeper.analysis.monitor import Monitor
from sweeper.commands.arguments import Name, NameOrNewest, Runs, named_or_newest
from sweeper.errors import RunFolderError, UnreachableError
from sweeper.record.run_folder import RUNS, RunFolder
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.submission.attempts import read_attempts
from sweeper.record.submission.next_attempt import Act
from sweeper.status import ExitCode
from sweeper.views.console import make_console
from sweeper.views.terminal.summary import print_summary

LOOK_EVERY_SECONDS = 1.0


def wait(name: NameOrNewest = None, runs: Runs = RUNS) -> None:
    monitor = Monitor(named_or_newest(runs, name))
    console, told = make_console(), set[str]()
    while monitor.state_name in ("running", "submitted"):
        if (said := _look(monitor)) is not None and said not in told:
            told.add(said)
            console.print(said, markup=False, soft_wrap=True)
        time.sleep(LOOK_EVERY_SECONDS)
    print_summary(console, monitor.state, monitor.folder)
    if monitor.state.outcome != "finished":
        why = f" ({monitor.next_step.why})" if monitor.standing.attempts else ""
        console.print(f"{monitor.folder.place}: {monitor.state_name}{why}")
    raise typer.Exit(_exit_code(monitor))


def _look(monitor: Monitor) -> str | None:
    """What holds the sweep up, if anything does."""
    try:
        monitor.refresh()
    except UnreachableError as error:
        return f"{error}; looking on"
    if (step := monitor.next_step).act is Act.SUBMIT:
        return (
            f"{monitor.folder.place}: {step.why}; `keep` submits it again, or: "
            f"python -m sweeper submit {monitor.folder.called}"
        )
    return None


def _exit_code(monitor: Monitor) -> ExitCode:
    """As of the command that would have run it here."""
    if monitor.state.outcome == "finished":
        return ExitCode.FAILED if monitor.best is None else ExitCode.DONE
    standing = monitor.standing
    last = standing.attempts[-1] if standing.attempts else None
    if last is None:
        failed = monitor.state.outcome == "failed"
    elif last.end is None:
        failed = not standing.has_spent
    elif (failed := last.end.how == "refused") and standing.sessions == last.sessions:
        return ExitCode.USER_ERROR  # it met a mistake before it began
    return ExitCode.FAILED if failed else ExitCode.INTERRUPTED


def logs(
    name: Name,
    trial_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Of a trial, as 0003.")
    ] = None,
    runs: Runs = RUNS,
) -> None:
    folder = find_run_folder(runs, name)
    path = _driver_log(folder) if trial_id is None else _trial_log(folder, trial_id)
    with path.open(encoding="utf-8", errors="replace") as file:
        shutil.copyfileobj(file, sys.stdout)


def _driver_log(folder: RunFolder) -> Path:
    """
    Raises:
        RunFolderError: there is none.
    """
    attempts = read_attempts(folder)
    written = [path for a in attempts if (path := folder.attempt_log(a.number)).is_file()]
    if written:
        return written[-1]
    if attempts:
        raise RunFolderError(
            f"{folder.place}: job {attempts[-1].job} has said nothing yet; "
            f"what Ray says of it: ray job logs {attempts[-1].job}"
        )
    raise RunFolderError(
        f"{folder.place}: it was not submitted, so what its driver says is where that was started; "
        f"of a trial: python -m sweeper logs {folder.called} ID"
    )


def _trial_log(folder: RunFolder, trial_id: str) -> Path:
    """
    Raises:
        RunFolderError: there is no such trial, or it has said nothing.
    """
    trial = Monitor(folder).trial(trial_id)
    for path in (folder.trial_output(trial.trial_id), folder.trial_error(trial.trial_id)):
        if path.is_file():
            return path
    raise RunFolderError(
        f"{folder.place}: trial {trial.trial_id} has printed nothing; its curve: "
        f"python -m sweeper trial {folder.called} {trial.trial_id}"
    )
