"""`trials/ID/metrics.jsonl`: what a trial has measured, a line a step, written and read here."""

import contextlib
import json
from pathlib import Path

from sweeper.errors import RunFolderError
from sweeper.record.journal import cut_torn_line
from sweeper.record.progress import carried_metrics
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.watcher import Watcher
from sweeper.status import Status
from trainable.atomic_file import write_atomically
from trainable.loop.metrics import Metrics


class MetricsFiles(Watcher):
    """Writes each step once, even if a trial went back and did it again; and the errors of trials
    that failed."""

    keeps_the_record = True

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._last_step: dict[str, int] = {}

    def started(self, trial: Trial) -> None:
        path = self.folder.trial_metrics(trial.trial_id)
        cut_torn_line(path)  # or what comes next would be appended to half a line
        rows = read_metrics(path)
        last = self._last_step[trial.trial_id] = rows[-1].step if rows else 0
        # A kill came between the journal and this file, and a checkpoint landed all the same.
        checkpoints = self.folder.checkpoint_folders(trial.trial_id)
        self.measured(trial, [row for row in carried_metrics(checkpoints) if row.step > last])

    def measured(self, trial: Trial, rows: list[Metrics]) -> None:
        if not rows:
            return
        if trial.trial_id not in self._last_step:
            self.started(trial)
        path = self.folder.trial_metrics(trial.trial_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        if rows[0].step <= self._last_step[trial.trial_id]:
            write_metrics(path, [row for row in read_metrics(path) if row.step < rows[0].step])
        with path.open("ab") as file:
            file.write(_lines(rows))
        self._last_step[trial.trial_id] = rows[-1].step

    def ended(self, trial: Trial) -> None:
        path = self.folder.trial_error(trial.trial_id)
        if trial.status is Status.FAILED:
            path.write_text(str(trial.error), encoding="utf-8", errors="backslashreplace")
        else:
            path.unlink(missing_ok=True)  # of a failure before it was tried again

    def close(self, state: SweepState) -> None:
        for trial in state.with_status(Status.FAILED):  # a kill may have come before it
            if not self.folder.trial_error(trial.trial_id).exists():
                self.ended(trial)


def rows_until(folder: RunFolder, trial: Trial, step: int) -> list[Metrics]:
    """All that a trial has measured up to a step, whether its file has it or, after a kill, only
    the journal or a checkpoint."""
    known = [*trial.evaluations, *carried_metrics(folder.checkpoint_folders(trial.trial_id))]
    with contextlib.suppress(RunFolderError):  # it is damaged, and told where it is written
        known += read_metrics(folder.trial_metrics(trial.trial_id))
    by_step = {row.step: row for row in known if row.step <= step}
    return [by_step[at] for at in sorted(by_step)]


def write_metrics(path: Path, rows: list[Metrics]) -> None:
    """Have these rows in a metrics file, and no others."""
    write_atomically(path, lambda file: file.write(_lines(rows)))


def read_metrics(path: Path) -> list[Metrics]:
    """The rows of a metrics file; none if there is no file. A torn last line is left out.

    Raises:
        RunFolderError: another line was not written by a sweep; the message names it.
    """
    if not path.exists():
        return []
    try:
        *whole, _ = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read ({error.strerror}); remove it") from None
    return [_row(line, f"{path}:{number}") for number, line in enumerate(whole, start=1)]


def _row(line: bytes, where: str) -> Metrics:
    try:
        given = json.loads(line)
        if not isinstance(given, dict):
            raise ValueError("no metrics of a step")
        return Metrics.from_mapping(given)
    except (ValueError, TypeError, RecursionError) as error:
        problem = f"damaged line of metrics ({error})"
        raise RunFolderError(f"{where}: {problem}; remove the line, or the file") from None


def _lines(rows: list[Metrics]) -> bytes:
    lines = (json.dumps(row.to_dict(), allow_nan=False) + "\n" for row in rows)
    return "".join(lines).encode()
