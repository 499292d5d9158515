"""`wait` and `logs`: what becomes of a sweep that runs elsewhere."""

import codecs
import sys
import time
from collections.abc import Callable
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
        if (said := _news(monitor, told)) is not None:
            console.print(said, markup=False, soft_wrap=True)
        time.sleep(LOOK_EVERY_SECONDS)
    print_summary(console, monitor.state, monitor.folder)
    if monitor.state.outcome != "finished":
        why = f" ({monitor.next_step.why})" if monitor.standing.attempts else ""
        console.print(f"{monitor.folder.place}: {monitor.state_name}{why}")
    raise typer.Exit(_exit_code(monitor))


def _news(monitor: Monitor, told: set[str]) -> str | None:
    """As `_look`, once."""
    said = _look(monitor)
    if said is None or said in told:
        return None
    told.add(said)
    return said


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
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the sweep has ended.")
    ] = False,
    runs: Runs = RUNS,
) -> None:
    folder = find_run_folder(runs, name)
    if trial_id is None and not follow:  # a damaged journal is no hindrance
        Tail(_driver_logs(folder)[-1]).print()
        return
    monitor = Monitor(folder)

    def logs() -> list[Path]:
        return _driver_logs(folder) if trial_id is None else [_trial_log(monitor, trial_id)]

    if follow:
        _follow(monitor, logs)
    else:
        Tail(logs()[-1]).print()


def _follow(monitor: Monitor, logs: Callable[[], list[Path]]) -> None:
    """Print the newest and what comes; of another attempt, from its beginning. What holds the sweep
    up is no part of a log."""
    old: list[Path] = []
    tails: dict[Path, Tail] = {}
    told = set[str]()
    goes_on = True
    while goes_on:
        goes_on = monitor.state_name in ("running", "submitted")  # first: then all is there
        try:
            paths = logs()
            old = old if tails else paths[:-1]
            for path in paths:
                if path not in old:
                    tails.setdefault(path, Tail(path)).print(is_whole=not goes_on)
        except RunFolderError:  # nothing yet
            if not goes_on:
                raise
        if goes_on:
            time.sleep(LOOK_EVERY_SECONDS)
            if (said := _news(monitor, told)) is not None:
                print(said, file=sys.stderr)


class Tail:
    """Prints what a file has, and then what has come to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def print(self, *, is_whole: bool = True) -> None:
        """
        Args:
            is_whole: False: more may come, of a letter too.
        """
        with self._path.open("rb") as file:
            file.seek(self._end)
            sys.stdout.write(self._decoder.decode(file.read(), is_whole))
            sys.stdout.flush()
            self._end = file.tell()


def _driver_logs(folder: RunFolder) -> list[Path]:
    """In order.

    Raises:
        RunFolderError: there is none.
    """
    attempts = read_attempts(folder)
    written = [path for a in attempts if (path := folder.attempt_log(a.number)).is_file()]
    if written:
        return written
    if attempts:
        raise RunFolderError(
            f"{folder.place}: job {attempts[-1].job} has said nothing yet; "
            f"what Ray says of it: ray job logs {attempts[-1].job}"
        )
    raise RunFolderError(
        f"{folder.place}: it was not submitted, so what its driver says is where that was started; "
        f"of a trial: python -m sweeper logs {folder.called} ID"
    )


def _trial_log(monitor: Monitor, trial_id: str) -> Path:
    """
    Raises:
        RunFolderError: there is no such trial, or it has said nothing.
    """
    trial, folder = monitor.trial(trial_id), monitor.folder
    for path in (folder.trial_output(trial.trial_id), folder.trial_error(trial.trial_id)):
        if path.is_file():
            return path
    raise RunFolderError(
        f"{folder.place}: trial {trial.trial_id} has printed nothing; its curve: "
        f"python -m sweeper trial {folder.called} {trial.trial_id}"
    )
