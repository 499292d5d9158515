"""How a session has ended, and the page that a sweep ends with."""

import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sweeper.record.exhibits.texts import write_texts
from sweeper.record.ranking import best_trial
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import Outcome
from sweeper.record.state.sweep_state import SweepState
from sweeper.runtime.exhibits.writing import texts_by, writers_of
from sweeper.runtime.signals import REPORT_FIRST, ending_by_signals
from sweeper.status import ExitCode


@dataclass(frozen=True, kw_only=True)
class SessionResult:
    """How a session has ended."""

    folder: RunFolder
    state: SweepState
    outcome: Outcome
    had_work: bool = True  # False: the sweep had finished before

    @property
    def exit_code(self) -> ExitCode:
        if self.outcome == "interrupted":
            return ExitCode.INTERRUPTED
        failed = self.outcome == "failed" or best_trial(self.state) is None
        return ExitCode.FAILED if failed else ExitCode.DONE


def written_report(console: Console, result: SessionResult) -> Path | str:
    """Have the best write some text, and write the report. Returns where it is, or why it could not
    be written: whatever goes wrong here, the sweep has ended well. The folder's log has the
    traceback. The first signal skips the text, the second ends the process. After an interrupted
    session there is no text, and the first ends it."""
    folder, skipped = result.folder, threading.Event()
    asked = result.outcome == "interrupted"
    with ending_by_signals(skipped.set, folder, REPORT_FIRST, "report", asked=asked):
        if result.outcome == "finished":
            _write_texts(console, folder, result.state, skipped)
        try:
            from sweeper.views.report import write_report  # takes a second

            path = write_report(folder, state=result.state).path
            folder.store.put(path)
            return path
        except Exception as error:
            log_traceback(folder)
            return str(error)


def _write_texts(
    console: Console, folder: RunFolder, state: SweepState, skipped: threading.Event
) -> None:
    try:
        if not (writers := writers_of(state, folder)):
            return
        best = "best two" if len(writers) > 1 else "best"
        console.print(f"Writing some text with the {best}… (Ctrl-C skips it)")
        texts = texts_by(writers, folder, skipped)
        if skipped.is_set():
            console.print("Skipped.")
        elif texts is not None:
            write_texts(folder, texts)
            folder.store.put(folder.texts)
    except Exception:
        log_traceback(folder)


def log_traceback(folder: RunFolder) -> None:
    """Of the exception that is handled, into the folder's log."""
    with suppress(OSError), folder.log.open("a", encoding="utf-8") as log:
        log.write(traceback.format_exc())
