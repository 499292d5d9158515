"""Submitted sweeps whose driver is lost are submitted again. All that is known of them is in their
folders, so whoever keeps them can be ended and started anew, anywhere, and two do no harm."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from sweeper.analysis.monitor import Monitor
from sweeper.record.run_folder import RunFolder, reached
from sweeper.record.runs.finding import list_run_folders
from sweeper.record.submission.attempts import read_attempts
from sweeper.record.submission.next_attempt import Act, next_step
from sweeper.runtime.ray_jobs.attempting import start_attempt
from sweeper.runtime.ray_jobs.client import Jobs
from trainable.errors import UserError

ALL_EVERY_SECONDS = 60.0
ASKED_AT_ONCE = 16


class Keeper:
    """Looks after the sweeps of one storage.

    Args:
        address: Of the dashboard of the cluster on which they are to go on.
        say: Is told of each sweep that is not its own affair, once for each change.
    """

    def __init__(self, runs: Path, address: str, say: Callable[[str], None]) -> None:
        self.runs = runs
        self.address = address
        self.say = say
        # Those that need nothing: not submitted, finished, stopped. For a while, since they may be
        # submitted, and another sweep may get the name of one that was deleted.
        self._left: set[str] = set()
        self._heard: dict[str, RunFolder] = {}  # others, each with what was heard of its driver
        self._left_until = 0.0
        self._said: dict[str, str] = {}

    def look(self) -> bool:
        """Look at each sweep once, and submit those that are to go on. Whether a driver is lost is
        known by listening, which takes some looks. Returns whether one is listened to.

        Raises:
            UnreachableError: the bucket does not answer.
        """
        if time.monotonic() > self._left_until:
            self._left.clear()
            self._left_until = time.monotonic() + ALL_EVERY_SECONDS
        asked = [each for name, each in self._heard.items() if name not in self._left]
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            heard = dict(zip((each.name for each in asked), pool.map(_silence, asked), strict=True))
        live = {name for name, silence in heard.items() if silence is not True}
        folders = list_run_folders(self.runs, self._left | live, self._tell_unread)
        there = {folder.name for folder in folders}
        self._heard = {name: each for name, each in self._heard.items() if name in there}
        is_listening = False
        for folder in folders:
            if folder.name not in self._left and not read_attempts(folder):
                self._left.add(folder.name)
            if folder.name in self._left:
                continue
            if self._heard.setdefault(folder.name, folder) is folder:
                heard[folder.name] = _silence(folder)
            is_listening |= heard[folder.name] is not True
            try:  # the others are not to wait for this one
                self._tell(folder.name, self._keep(folder, heard[folder.name]))
            except UserError as error:
                self._tell(folder.name, str(error))
        return is_listening

    def _keep(self, folder: RunFolder, silence: bool | UserError) -> str | None:
        if silence is not True:
            return str(silence) if silence else None
        monitor = Monitor(folder)
        standing = replace(monitor.standing, is_live=False)
        step = next_step(standing, time.time())
        if step.act in (Act.LEAVE, Act.GIVE_UP):
            self._left.add(folder.name)
        if standing.has_finished or step.act is Act.WAIT:
            return None  # nobody need know
        if step.act is not Act.SUBMIT:
            return step.why
        # Before anything is recorded: a cluster that is away is no fault of the sweep's.
        jobs = Jobs(self.address)
        if _silence(self._heard[folder.name]) is not True:  # a job that was late has begun by now
            return None
        attempt = start_attempt(monitor, jobs, by_hand=False)
        if attempt is None:
            return None
        return f"{step.why}: attempt {attempt.number} is job {attempt.job}"

    def _tell_unread(self, name: str, error: UserError) -> None:
        self._tell(name, str(error))

    def _tell(self, name: str, said: str | None) -> None:
        if said is not None and self._said.get(name) != said:
            self._said[name] = said
            self.say(f"{name}: {said}")


def _silence(folder: RunFolder) -> bool | UserError:
    """Whether no driver is heard, or why that cannot be known."""
    try:
        with reached(folder.path.parent):
            return folder.store.is_silent()
    except UserError as error:
        return error
