"""A sweep as the pages show it, looked at again and again: only what has changed is read."""

import os
import threading
import time
from datetime import datetime
from pathlib import Path

from sweeper.analysis.monitor import Monitor
from sweeper.record.ranking import ranking_of
from sweeper.record.run_folder import RunFolder
from sweeper.record.runs.finding import list_with_unread
from sweeper.spec.points import point_text
from sweeper.views.format import number
from sweeper.views.report.writing import report_page
from sweeper.views.terminal.live_view import progress_line, utc_now
from trainable.errors import UserError

Shown = dict[str, object]
REPORT_EVERY_SECONDS = 3.0
MOST_OF_THE_TIME = 0.3  # a page of thousands of trials takes a while to make
BEGINNING_BYTES = 512
ONLY_RESULTS = "of its journal nothing is left; the report is made from results.parquet alone"


class Look:
    """One sweep. Several threads may ask."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._monitor: Monitor | None = None
        self._beginning = b""
        self._seen: object = None  # the stamp of the folder that the monitor has read
        self._shown: Shown = {}
        self._page: bytes = b""
        self._page_of: object = None
        self._edition = 0  # of the report: it changes where there is another to fetch
        self._due = 0.0

    def shown(self) -> Shown:
        with self._lock:
            self._look()
            return self._shown

    def page(self) -> bytes:
        """Its report.

        Raises:
            UserError: the folder cannot be read.
        """
        with self._lock:
            self._look()
            if self._page_of != self._edition or not self._page:
                began = time.monotonic()
                self._page = report_page(self.folder)
                self._page_of = self._edition
                taken = time.monotonic() - began
                self._due = time.monotonic() + max(REPORT_EVERY_SECONDS, taken / MOST_OF_THE_TIME)
            return self._page

    def _look(self) -> None:
        stamp = self._stamp()
        is_new = stamp != self._seen
        if is_new or (self._monitor is not None and self._monitor.is_running):
            try:
                self._refresh()
            except UserError as error:
                self._monitor = None
                self._shown = _unreadable(self.folder, error)
                if not self.folder.journal.exists():
                    self._shown |= {"state": "a table", "progress": ONLY_RESULTS}
        if is_new and time.monotonic() >= self._due:
            self._seen = stamp
            self._edition += 1
        self._shown = {
            **self._shown,
            "name": shown_name(self.folder),
            "edition": self._edition,
            "note": self.folder.read_note(),
            "as_of": _now(),
        }

    def _refresh(self) -> None:
        beginning = _first_bytes(self.folder.journal)
        if self._monitor is None or beginning != self._beginning:
            self._monitor, self._beginning = Monitor(self.folder), beginning
        else:
            self._monitor.refresh()
        monitor, ranking = self._monitor, ranking_of(self._monitor.state)
        best = ranking.best
        now = utc_now() if monitor.is_running else None
        so_far = "" if monitor.state_name == "finished" else " so far"
        started = monitor.state.sessions[0].started if monitor.state.sessions else None
        self._shown = {
            "state": monitor.state_name,
            "progress": progress_line(monitor.state, monitor.num_trials, monitor.time_left(), now),
            "best": ""
            if best is None
            else f"{number(ranking.value_of(best))} with {point_text(best.point)}{so_far}",
            "started": f"{started.astimezone():%Y-%m-%d %H:%M}" if started else "",
            "running": [t.trial_id for t in monitor.state.trials.values() if not t.status.ended],
        }

    def _stamp(self) -> object:
        """Another where there may be something new for the report."""
        files = (self.folder.journal, self.folder.results, self.folder.note)
        return self.folder.is_locked, *map(_file_stamp, files)


def _file_stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _first_bytes(journal: Path) -> bytes:
    """What no other sweep begins with, one of the same name neither: the time and the process of
    its first session."""
    try:
        with journal.open("rb") as file:
            return file.read(BEGINNING_BYTES)
    except OSError:
        return b""


def shown_name(folder: RunFolder) -> str:
    """The folder's name as a page and an address can have it: what is not UTF-8 is escaped."""
    return os.fsencode(folder.name).decode("utf-8", "backslashreplace")


def _unreadable(folder: RunFolder, error: UserError) -> Shown:
    return {
        "name": shown_name(folder),
        "state": "unreadable",
        "progress": str(error),
        "best": "",
        "as_of": _now(),
    }


def _now() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"


class Looks:
    """All sweeps of a folder."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._looks: dict[str, Look] = {}
        self._unread: list[Shown] = []

    def named(self, name: str) -> Look | None:
        """A name that is in no address of ours leads nowhere: folders are listed, not joined."""
        self._list()
        return self._looks.get(name)

    def shown(self) -> list[Shown]:
        """The newest first."""
        looks = self._list()
        return [*self._unread, *(look.shown() for look in reversed(looks))]

    def _list(self) -> list[Look]:
        found, old = list_with_unread(self.runs), self._looks
        folders = {shown_name(folder): folder for folder, unread in found if unread is None}
        self._unread = [_unreadable(folder, unread) for folder, unread in found if unread]
        self._looks = {name: old.get(name) or Look(folder) for name, folder in folders.items()}
        return list(self._looks.values())
