"""Who looks on while a sweep runs: the metrics files, the screen, Weights & Biases."""

import json
import math
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sweeper.engine.sweep import Sweep
from sweeper.errors import is_storage_error
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.trial import Trial
from sweeper.record.tables import write_tables
from sweeper.status import Status
from trainable.loop.metrics import Metrics


class Watcher(Protocol):
    """Told of what has happened, after it is in the journal."""

    def started(self, trial: Trial) -> None:
        """An attempt at the trial begins."""

    def measured(self, trial: Trial, rows: list[Metrics]) -> None:
        """What the trial has measured since, in order of step; evaluations and what lies
        between."""

    def ended(self, trial: Trial) -> None:
        """The trial has left its actor: it is paused, waits for another attempt, or is at its
        end."""

    def refresh(self, sweep: Sweep) -> None:
        """Called several times a second."""

    def close(self, sweep: Sweep) -> None:
        """The session ends."""


class Audience:
    """Several watchers as one. One that fails is left out from then on, and the journal says so:
    a full W&B quota or a closed terminal must not end a sweep."""

    def __init__(self, sweep: Sweep, watchers: list[Watcher]) -> None:
        self.sweep = sweep
        self.watchers = watchers

    def started(self, trial: Trial) -> None:
        self._tell(lambda watcher: watcher.started(trial))

    def measured(self, trial: Trial, rows: list[Metrics]) -> None:
        self._tell(lambda watcher: watcher.measured(trial, rows))

    def ended(self, trial: Trial) -> None:
        self._tell(lambda watcher: watcher.ended(trial))

    def refresh(self, sweep: Sweep) -> None:
        self._tell(lambda watcher: watcher.refresh(sweep))

    def close(self, sweep: Sweep) -> None:
        self._tell(lambda watcher: watcher.close(sweep))

    def _tell(self, what: Callable[[Watcher], None]) -> None:
        for watcher in list(self.watchers):
            try:
                what(watcher)
            except Exception as error:  # recorded, with its traceback
                self.watchers.remove(watcher)
                if self.sweep.failure is not None:
                    continue  # all is at an end anyway
                if is_storage_error(error) and isinstance(watcher, MetricsFiles | Tables):
                    self.sweep.storage_failed(f"{type(watcher).__name__}: {error}")
                self.sweep.watcher_failed(type(watcher).__name__, traceback.format_exc())


class MetricsFiles:
    """Keeps `trials/ID/metrics.jsonl`: every step once, also when a trial went back."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._last_step: dict[str, int] = {}

    def started(self, trial: Trial) -> None:
        path = self.folder.trial_metrics(trial.trial_id)
        rows = read_metrics(path)
        self._last_step[trial.trial_id] = rows[-1].step if rows else 0

    def measured(self, trial: Trial, rows: list[Metrics]) -> None:
        if not rows:
            return
        path = self.folder.trial_metrics(trial.trial_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        if rows[0].step <= self._last_step.get(trial.trial_id, 0):
            kept = [row for row in read_metrics(path) if row.step < rows[0].step]
            path.write_text(_lines(kept), encoding="utf-8")
        with path.open("a", encoding="utf-8") as file:
            file.write(_lines(rows))
        self._last_step[trial.trial_id] = rows[-1].step

    def ended(self, trial: Trial) -> None:
        path = self.folder.trial_error(trial.trial_id)
        if trial.status is Status.FAILED:
            path.write_text(str(trial.error), encoding="utf-8", errors="backslashreplace")
        else:
            path.unlink(missing_ok=True)  # of a failure before it was tried again

    def refresh(self, sweep: Sweep) -> None: ...

    def close(self, sweep: Sweep) -> None:
        for trial in sweep.state.with_status(Status.FAILED):  # a kill may have come before it
            if not self.folder.trial_error(trial.trial_id).exists():
                self.ended(trial)


class Tables:
    """Keeps the Parquet tables fresh enough to watch, and exact at the end."""

    EVERY_SECONDS = 10.0
    MOST_OF_THE_TIME = 0.02  # thousands of trials take a while to write

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._due = -math.inf

    def started(self, trial: Trial) -> None: ...

    def measured(self, trial: Trial, rows: list[Metrics]) -> None: ...

    def ended(self, trial: Trial) -> None: ...

    def refresh(self, sweep: Sweep) -> None:
        if time.monotonic() > self._due:
            self.close(sweep)

    def close(self, sweep: Sweep) -> None:
        began = time.monotonic()
        write_tables(sweep.state, self.folder)
        now = time.monotonic()
        self._due = now + max(self.EVERY_SECONDS, (now - began) / self.MOST_OF_THE_TIME)


def read_metrics(path: Path) -> list[Metrics]:
    """The rows of a metrics file; none if there is no file. A torn last row is left out."""
    if not path.exists():
        return []
    *whole, _ = path.read_text(encoding="utf-8").split("\n")
    return [Metrics.from_mapping(json.loads(line)) for line in whole]


def _lines(rows: list[Metrics]) -> str:
    return "".join(json.dumps(row.to_dict(), allow_nan=False) + "\n" for row in rows)
