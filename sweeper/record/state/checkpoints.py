"""Which checkpoints are on storage, and which of them can go: those that no resume and no promotion
needs.

All of it is pure: the account follows from the journal, and what goes follows from the account.
"""

import itertools
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sweeper.status import Status

CHECKPOINT_NAME = r"^checkpoint_[0-9]{6,}$"  # of a checkpoint's folder
PROGRESS_FILE = "progress.json"  # in it; written last
# In a bucket two drivers may be at work for a moment, each with processes that save: from one
# session to the next the numbers of checkpoints leave a gap that no session fills.
SESSION_STRIDE = 10**6


def checkpoint_name(number: int) -> str:
    """The name that Tune gives to a trial's checkpoint of this number, from 0 on."""
    return f"checkpoint_{number:06d}"


def checkpoint_number(name: str) -> int:
    return int(name.removeprefix("checkpoint_"))


def is_checkpoint_name(name: str) -> bool:
    return re.match(CHECKPOINT_NAME, name) is not None


def checkpoint_folders(trial: Path) -> list[Path]:
    """The checkpoint folders of a trial, newest first: their numbers grow."""
    named = [path for path in trial.glob("checkpoint_*") if is_checkpoint_name(path.name)]
    return sorted(named, key=lambda path: checkpoint_number(path.name), reverse=True)


class Stored(NamedTuple):
    """A checkpoint on storage."""

    trial_id: str
    name: str  # of its folder; names of a trial grow, and none is used twice
    size: int  # bytes
    step: int | None = None  # at which it was made; None: not known


class Promise(NamedTuple):
    """The checkpoint from which a trial that has not been created will begin."""

    trunk: str  # the trial that makes it
    step: int


class CheckpointAccount:
    """What each trial has on storage, and how many bytes there were at most."""

    def __init__(self) -> None:
        self.of_trial: dict[str, list[Stored]] = {}  # oldest first; only trials that have any
        self.last_name: dict[str, str] = {}  # the newest that a trial ever had
        self.found: set[str] = set()  # trials whose newest may be half-written
        self.promised: dict[str, Promise] = {}  # by the trial that it is for
        self.total = 0
        self.high_water = 0
        self.bytes_per_param = 0.0  # at most
        self.first_number = 0  # that this session gives

    def add(self, stored: Stored, num_params: int, *, found: bool) -> None:
        """
        Args:
            num_params: Of the trial's model, which is what its size depends on.
            found: Nobody saw it land: it was there when a session began.
        """
        self.of_trial.setdefault(stored.trial_id, []).append(stored)
        self.last_name[stored.trial_id] = stored.name
        (self.found.add if found else self.found.discard)(stored.trial_id)
        self.total += stored.size
        self.high_water = max(self.high_water, self.total)
        self.bytes_per_param = max(self.bytes_per_param, stored.size / num_params)

    def remove(self, trial_id: str, name: str) -> None:
        gone = [stored for stored in self.of_trial.get(trial_id, ()) if stored.name == name]
        left = [stored for stored in self.of_trial.pop(trial_id, ()) if stored.name != name]
        if left:
            self.of_trial[trial_id] = left
        self.total -= sum(stored.size for stored in gone)

    def next_number(self, trial_id: str) -> int:
        last = self.last_name.get(trial_id)
        return max(self.first_number, 0 if last is None else checkpoint_number(last) + 1)

    def next_name(self, trial_id: str) -> str:
        return checkpoint_name(self.next_number(trial_id))

    def skip_name(self, trial_id: str) -> None:
        """Do not use the next name. The process of an attempt that was cut off may live a while yet
        and save once more, under this name; that must not be taken for a newer checkpoint."""
        self.last_name[trial_id] = self.next_name(trial_id)

    def promised_steps(self, trial_id: str) -> set[int]:
        """The steps of the trial at which others are yet to fork from it."""
        return {promise.step for promise in self.promised.values() if promise.trunk == trial_id}

    def promised_to(self, trial_id: str) -> Stored | None:
        """The checkpoint that was promised to a trial, once it is there."""
        trunk, step = self.promised[trial_id]
        of_trunk = reversed(self.of_trial.get(trunk, ()))
        return next((stored for stored in of_trunk if stored.step == step), None)

    def newest(self, trial_id: str) -> Stored | None:
        of_trial = self.of_trial.get(trial_id)
        return of_trial[-1] if of_trial else None

    def next_size(self, trial_id: str, num_params: int) -> int:
        """The bytes that a trial's next checkpoint will have; 0 while there is none to judge by."""
        newest = self.newest(trial_id)
        return newest.size if newest else math.ceil(self.bytes_per_param * num_params)

    def strange(self, trial_id: str, on_disk: Iterable[str]) -> tuple[list[str], list[str]]:
        """The names on disk that are not in the account, oldest first: those that have landed
        unseen, and those that are to be removed."""
        known = {stored.name for stored in self.of_trial.get(trial_id, ())}
        next_number = checkpoint_number(self.last_name.get(trial_id, "-1")) + 1
        names = sorted((name for name in on_disk if name not in known), key=checkpoint_number)
        landed = [name for name in names if checkpoint_number(name) >= next_number]
        return landed, [name for name in names if checkpoint_number(name) < next_number]


def unneeded(account: CheckpointAccount, trial_id: str, status: Status, keep: int) -> list[Stored]:
    """The checkpoints of a trial that no resume, no promotion and no fork will need, oldest
    first."""
    of_trial = account.of_trial.get(trial_id, [])
    kept = {Status.COMPLETED: 1, Status.STOPPED: 0, Status.DIVERGED: 0}.get(status, keep)
    if kept and trial_id in account.found:
        kept += 1  # in case it is half-written
    promised = account.promised_steps(trial_id)
    older = of_trial[: max(0, len(of_trial) - kept)]
    return [stored for stored in older if stored.step not in promised]


def over_budget(
    account: CheckpointAccount,
    statuses: Mapping[str, Status],
    budget: int,
    standing: Callable[[Collection[str]], Sequence[str]],
    coming: int,
) -> list[Stored]:
    """The checkpoints to remove so that the rest is within the budget, the least needed first.

    First the older ones, which are only needed if the newest is damaged; then the newest of failed
    trials, from which they could be tried again; then those of paused trials, the least likely to
    be promoted first. The newest of a trial that is to run on, the last of a completed trial and
    those from which others will fork stay: if these exceed the budget, it is exceeded.

    Args:
        statuses: Of every trial that has checkpoints.
        standing: Orders paused trials, the most likely to be promoted first.
        coming: Bytes to keep free, for what running trials will write next.
    """
    excess = account.total + coming - budget
    if excess <= 0:
        return []
    paused = {name for name in account.of_trial if statuses[name] is Status.PAUSED}
    failed = [name for name in account.of_trial if statuses[name] is Status.FAILED]
    waiting = [*failed, *reversed(standing(paused))]
    others = [name for name in account.of_trial if name not in {*waiting}]
    older, newest = [], []
    for trial_id in [*waiting, *others]:
        # one that was found may be half-written: then the one before it is the good one
        last = 2 if trial_id in account.found else 1
        older += account.of_trial[trial_id][:-last]
        newest += account.of_trial[trial_id][-last:] if trial_id in waiting else []
    promised = set(account.promised.values())
    candidates = [s for s in [*older, *newest] if (s.trial_id, s.step) not in promised]
    sizes = itertools.accumulate((stored.size for stored in candidates), initial=0)
    return [stored for stored, before in zip(candidates, sizes, strict=False) if before < excess]
