"""When which trial ran: a fold over the journal's events."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sweeper.record.state.events import (
    AttemptFailed,
    Event,
    GaveWay,
    TrialEnded,
    TrialPaused,
    TrialStarted,
)
from sweeper.status import Status


@dataclass(frozen=True, kw_only=True)
class Stint:
    """One attempt of a trial. `became`: what it was after that; running while it goes on."""

    trial_id: str
    began: datetime
    ended: datetime | None = None
    became: Status = Status.RUNNING


class Stints:
    """All of a sweep, in the order of their beginnings."""

    def __init__(self) -> None:
        self._stints: list[Stint] = []
        self._open: dict[str, int] = {}  # the trials that run -> their places
        self._newest: datetime | None = None  # the time of the last event

    def __iter__(self) -> Iterator[Stint]:
        return iter(self._stints)

    @property
    def any_open(self) -> bool:
        """Whether a trial runs."""
        return bool(self._open)

    def take(self, event: Event) -> None:
        """Take an event into account; those that concern no running trial only tell the time."""
        self._newest = event.time
        match event:
            case TrialStarted():
                self._end(event.trial, event.time, Status.INTERRUPTED)  # a kill had no time to say
                self._open[event.trial] = len(self._stints)
                self._stints.append(Stint(trial_id=event.trial, began=event.time))
            case TrialPaused():
                self._end(event.trial, event.time, Status.PAUSED)
            case GaveWay():
                self._end(event.trial, event.time, Status.INTERRUPTED)
            case AttemptFailed():
                self._end(event.trial, event.time, Status.FAILED)
            case TrialEnded():
                self._end(event.trial, event.time, event.status)

    def interrupt(self) -> None:
        """Nothing runs any more, and nothing was heard since the last event."""
        for trial_id in tuple(self._open):
            self._end(trial_id, self._newest, Status.INTERRUPTED)

    def _end(self, trial_id: str, ended: datetime | None, became: Status) -> None:
        place = self._open.pop(trial_id, None)
        if place is not None:
            self._stints[place] = replace(self._stints[place], ended=ended, became=became)
