"""One driver's time with a run folder."""

from dataclasses import dataclass
from datetime import datetime

from sweeper.record.state.events import Outcome, SessionStarted, SpendReached


@dataclass
class Session:
    """When a driver ran the sweep, with what, and how that ended."""

    environment: SessionStarted
    ended: datetime | None = None  # until it says that it ends: its newest event
    outcome: Outcome | None = None  # None: it runs, or was killed
    reached: SpendReached | None = None  # the part of `max_spend` that has stopped it

    @property
    def started(self) -> datetime:
        return self.environment.time
