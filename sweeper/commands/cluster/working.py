"""`work`: what the job of a submitted sweep runs. It begins the sweep, or goes on with it."""

import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

import typer

from sweeper.commands.arguments import Name, Runs
from sweeper.commands.sweeping import conclude
from sweeper.errors import InUseError, ResourceError, StorageError, UnreachableError
from sweeper.record.run_folder import RUNS, RunFolder
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.submission.attempts import Attempt, End, end_of, read_attempts, record_end
from sweeper.running import resume_sweep
from sweeper.runtime.session.ending import SessionResult
from sweeper.runtime.session.preparation import Options
from sweeper.status import ExitCode
from sweeper.views.console import make_console
from trainable.errors import UserError

# What may pass by itself: these end an attempt, and no sweep.
PASSING = (InUseError, ResourceError, StorageError, UnreachableError)


class OverError(UserError):
    """A job that is not wanted any more."""


def work(name: Name, number: int, runs: Runs = RUNS) -> None:
    folder = find_run_folder(runs, name)
    attempt = read_attempts(folder)[number - 1]
    log, before = folder.attempt_log(number), (sys.stdout, sys.stderr)
    with log.open("a", encoding="utf-8") as file:
        sys.stdout, sys.stderr = Both(sys.stdout, file), Both(sys.stderr, file)
        try:
            code = _carried_on(folder, attempt)
        finally:
            sys.stdout, sys.stderr = before
    with suppress(OSError):  # the bucket has what was there some seconds ago
        folder.store.put(log)
    raise typer.Exit(code)


def _carried_on(folder: RunFolder, attempt: Attempt) -> ExitCode:
    def require_wanted() -> None:
        if (end := end_of(folder, attempt.number)) is not None:
            raise OverError(f"{folder.place}: {end.how} before it began: {end.said}")

    def resumed() -> SessionResult:
        require_wanted()
        return resume_sweep(
            folder.name, console, options, require_wanted=require_wanted,
            ended=lambda how: _record(folder, attempt, how),
        )  # fmt: skip

    console = make_console()
    options = Options(runs=folder.path.parent, wandb=attempt.wandb, owns_process=True)
    try:
        with options.deadline:
            return conclude(console, _waited(resumed))
    except OverError as over:
        print(over)
        return ExitCode.INTERRUPTED
    except UserError as error:
        print(error, file=sys.stderr)
        return ExitCode.FAILED if isinstance(error, PASSING) else ExitCode.USER_ERROR
    except Exception:
        traceback.print_exc()
        return ExitCode.FAILED


def _waited(resumed: Callable[[], SessionResult]) -> SessionResult:
    """By this machine's clock a lost driver may be believed to be at work a while longer."""
    try:
        return resumed()
    except InUseError as error:
        if error.left is None:
            raise
        print(error)
        time.sleep(error.left + 1)
    return resumed()


def _record(folder: RunFolder, attempt: Attempt, how: SessionResult | UserError) -> None:
    """What no other attempt would mend. Once nobody is at work, `keep` goes by it."""
    if isinstance(how, SessionResult):
        if how.outcome != "failed":
            return
        said = "its trials failed from the start; python -m sweeper logs tells how"
    elif isinstance(how, (OverError, *PASSING)):
        return
    else:
        said = str(how)
    record_end(folder, attempt, End(how="refused", said=said))


class Both:
    """A stream whose text goes into a file as well, for those who do not see the stream."""

    def __init__(self, stream: TextIO, file: TextIO) -> None:
        self._stream = stream
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with suppress(OSError):  # a full disk is told by who needs it
            self._file.write(text)
            self._file.flush()
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()
