"""Failures while a sweep runs, silence among them: what they are, as the sweep is told."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import ray

from sweeper.engine.sweep import Sweep
from sweeper.record.watcher import Watcher
from sweeper.runtime.first_failures import FirstFailures
from sweeper.runtime.ray_tune.failures import (
    Failure,
    failure,
    full_storage,
    hung,
    node_is_lost,
    node_of,
    not_ready,
    not_reused,
)
from sweeper.runtime.ray_tune.interrupt import Interrupt
from sweeper.runtime.signals import tell
from sweeper.status import Status
from sweeper.views.format import headline

# A machine that goes down ends its processes before it is missed.
NODE_GRACE_SECONDS = 5.0
LONGEST_TICK_SECONDS = 5.0
# For a process to come up with a trial made ready in it, before its silence counts: on a busy
# machine, over a slow disk, with data to fetch.
START_SECONDS = 600.0


class Silence:
    """Which trials have not been heard of for too long; who has not begun, for START_SECONDS more.

    It counts only the time in which the driver watches: if the driver itself is suspended or held
    up for an hour, that no trial was heard of in that time is no trial's fault.
    """

    def __init__(self, limit_seconds: float | None) -> None:
        self.limit_seconds = limit_seconds
        self._clock = 0.0
        self._looked_at: float | None = None
        self._heard: dict[str, float] = {}

    def heard(self, trial_id: str, now: float) -> None:
        self._tick(now)
        self._heard[trial_id] = self._clock

    def _tick(self, now: float) -> None:
        if self._looked_at is not None:
            self._clock += min(now - self._looked_at, LONGEST_TICK_SECONDS)
        self._looked_at = now

    def overdue(self, placed: Iterable[str], now: float) -> list[str]:
        """Those of these trials (all that have a process) that have been silent for too long. Each
        is returned once."""
        self._tick(now)
        begins = self._clock + START_SECONDS  # of who is seen here first
        self._heard = {name: self._heard.get(name, begins) for name in placed}
        if self.limit_seconds is None:
            return []
        late = [n for n, at in self._heard.items() if self._clock - at > self.limit_seconds]
        for name in late:
            self._heard[name] = self._clock
        return late


@dataclass(frozen=True)
class Undecided:
    """A trial whose process has died, while it is not known whether its node is dying too."""

    trial_id: str
    exception: Exception
    node: str
    until: float


class Faults:
    """Hears of every failed attempt and of every silent trial."""

    def __init__(
        self, sweep: Sweep, audience: Watcher, interrupt: Interrupt, end: Callable[[], None]
    ) -> None:
        """
        Args:
            end: Ends the sweep early.
        """
        self.sweep = sweep
        self.end = end
        self.in_vain = False  # it has been ended since every trial would fail
        self.first_failures = FirstFailures(len(sweep.plan.trials))
        self.audience = audience
        self.interrupt = interrupt
        self.timeout_s = sweep.plan.spec.trial_timeout_s
        self.silence = Silence(self.timeout_s)
        self._killed: set[str] = set()
        self._undecided: list[Undecided] = []
        self._own_node = ray.get_runtime_context().get_node_id()

    def trains(self, trial_id: str) -> None:
        """The trial has trained for a while."""
        self.first_failures.trains()
        self.heard(trial_id)

    def heard(self, trial_id: str) -> None:
        self.silence.heard(trial_id, time.monotonic())

    def failed(self, trial_id: str, exception: Exception, *, had_process: bool) -> None:
        """An attempt at a trial has ended in an error.

        Args:
            had_process: Whether the trial had begun. Otherwise a process that had run others could
                not be made ready for it, or had died since.

        Raises:
            StorageError: it was a full disk, or the folder is gone, which ends this session.
        """
        if self.sweep.failure is not None:
            raise self.sweep.failure  # Tune takes it for a trial's
        self.sweep.storage.require_in_place()  # else no trial can save itself
        if self.interrupt.requested:
            return  # who stops the driver may have stopped the trial: it is interrupted
        if (problem := full_storage(exception)) is not None:
            self.sweep.storage.failed(f"trial {trial_id}: {problem}")
        if trial_id in self._killed:
            self._killed.remove(trial_id)
            assert self.timeout_s is not None
            begun = self.sweep.trials[trial_id].status is Status.RUNNING
            stack = self.sweep.folder.trial_stack(trial_id)
            seconds = START_SECONDS + self.timeout_s
            self._tell(trial_id, hung(self.timeout_s, stack) if begun else not_ready(seconds))
            return
        if not had_process:
            self._tell(trial_id, not_reused(exception))
            return
        node = node_of(exception)
        if node_is_lost(exception, node):
            self._tell(trial_id, failure(exception, node_is_lost=True))
        elif node is None or node == self._own_node:
            self._tell(trial_id, failure(exception, node_is_lost=False))
        else:
            until = time.monotonic() + NODE_GRACE_SECONDS
            self._undecided.append(Undecided(trial_id, exception, node, until))

    def watch(self, placed: dict[str, Any]) -> None:
        """Called in every turn, with the actors of the trials that have one."""
        self._killed.intersection_update(placed)
        for one in list(self._undecided):
            lost = node_is_lost(one.exception, one.node)
            if lost or time.monotonic() > one.until:
                self._undecided.remove(one)
                self._tell(one.trial_id, failure(one.exception, node_is_lost=lost))
        for trial_id in self.silence.overdue(placed, time.monotonic()):
            self._killed.add(trial_id)
            ray.kill(placed[trial_id])  # which fails what it was asked to do, and so is heard of

    def _tell(self, trial_id: str, what: Failure) -> None:
        self.sweep.attempt_failed(trial_id, what.error, counted=what.counted)
        self.audience.ended(self.sweep.trials[trial_id])
        if what.begun or not what.counted:
            return
        if alike := self.first_failures.failed(trial_id, headline(what.error)):
            before = "a step of theirs was heard of" if what.begun is None else "their first step"
            self._stop_for(alike, f"before {before}:\n\n{what.error}")

    def _stop_for(self, trial_ids: list[str], what: str) -> None:
        """The sweep stops for a mistake that is not the trials': they get their attempts again."""
        self.in_vain = True
        self.sweep.give_attempts_again(trial_ids)
        tell(f"The first {len(trial_ids)} trials have all failed in the same way, {what}\n")
        self.end()
