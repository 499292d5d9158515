"""One driver's time with a run folder."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sweeper.record.state.events import Outcome, SessionStarted, SpendReached


@dataclass
class Session:
    """When a driver ran the sweep, with what, and how that ended."""

    environment: SessionStarted
    ended: datetime | None = None  # until it says that it ends: its newest event
    outcome: Outcome | None = None  # None: it runs, or was killed
    reached: SpendReached | None = None  # the part of `max_spend` that has stopped it

    waits_for: str | None = None  # that others of the cluster have
    is_idle: bool = True  # no trial runs
    waited: timedelta = timedelta()  # in which it waited and no trial ran

    def take(self, moment: datetime) -> None:
        """Something has happened: until then all was as it was."""
        self.waited += self._waits(moment)
        self.ended = moment

    def worked(self, now: datetime) -> timedelta:
        """How long it is at work, without what it has waited for others."""
        return now - self.started - self.waited - self._waits(now)

    def _waits(self, until: datetime) -> timedelta:
        since_last = until - (self.ended or self.started)
        return max(timedelta(), since_last) if self.waits_for and self.is_idle else timedelta()

    @property
    def started(self) -> datetime:
        return self.environment.time
