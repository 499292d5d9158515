"""What ran where and when, and how much of the time the slots were busy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sweeper.record.state.session import Session
from sweeper.record.state.stints import Stint
from sweeper.status import Status

HANDOVER_SECONDS = 2.0  # the next trial may be noted to begin before the last is noted to end


@dataclass(frozen=True, kw_only=True)
class SlotStint:
    """A trial's attempt on a slot; seconds of the sweep's time at work, in which what lies between
    its sessions does not count."""

    trial_id: str
    slot: int
    began: float
    ended: float
    became: Status


@dataclass(frozen=True, kw_only=True)
class SlotUse:
    """All attempts. A journal does not say which slot a trial had: each is laid on the first that
    was free, which says as much of how busy they were."""

    slots: int
    seconds: float  # at work, all sessions
    busy: float  # slot-seconds in which a trial ran
    before_first: float  # of each session until a trial began, summed
    stints: tuple[SlotStint, ...]
    sessions: tuple[float, ...]  # when each began

    @property
    def utilisation(self) -> float:
        """The busy share of all slots' time."""
        return self.busy / (self.slots * self.seconds)


def seconds_at_work(sessions: Sequence[Session], moments: Sequence[datetime]) -> list[float]:
    """The sweep's time at work at each moment."""
    clock = _Clock(sessions)
    return [clock.at(moment) for moment in moments]


def slot_use_of(sessions: Sequence[Session], ran: Sequence[Stint]) -> SlotUse | None:
    """None where nothing has run, or where the journal cannot be read."""
    clock = _Clock(sessions)
    if not ran or clock.seconds <= 0:
        return None
    placements = [session.environment.placement for session in sessions]
    known = max((given.slots for given in placements if given is not None), default=1)
    free: list[float] = []  # when each slot's last trial ended
    stints, busy = [], 0.0
    for stint in ran:
        began, ended = clock.at(stint.began), clock.at(stint.ended or clock.newest)
        slot = _slot(free, began, known)
        if slot == len(free):
            free.append(began)
        busy += max(0.0, ended - max(began, free[slot]))
        free[slot] = max(free[slot], ended)
        stints.append(_placed(stint, slot, began, ended))
    return SlotUse(
        slots=max(known, len(free)),
        seconds=clock.seconds,
        busy=busy,
        before_first=sum(clock.until_first(ran)),
        stints=tuple(stints),
        sessions=tuple(clock.begins),
    )


def _placed(stint: Stint, slot: int, began: float, ended: float) -> SlotStint:
    return SlotStint(
        trial_id=stint.trial_id, slot=slot, began=began, ended=ended, became=stint.became
    )


def _slot(free: Sequence[float], began: float, known: int) -> int:
    """The first slot that is free; a new one where there is one, or where none is about to be."""
    for slot, at in enumerate(free):
        if at <= began:
            return slot
    if len(free) < known:
        return len(free)
    soonest = min(range(len(free)), key=lambda slot: free[slot])
    return soonest if free[soonest] - began <= HANDOVER_SECONDS else len(free)


class _Clock:
    """The time at work: sessions one after the other."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = [session for session in sessions if session.ended is not None]
        self.begins: list[float] = []
        self.seconds = 0.0
        for session in self.sessions:
            self.begins.append(self.seconds)
            self.seconds += max(0.0, (self._end(session) - session.started).total_seconds())

    @property
    def newest(self) -> datetime:
        """The last that was heard of the sweep."""
        return self._end(self.sessions[-1])

    def at(self, moment: datetime) -> float:
        """A clock that was set back leaves a moment at its session's end or beginning."""
        for session, begins in reversed(list(zip(self.sessions, self.begins, strict=True))):
            if moment >= session.started:
                last = min(moment, self._end(session))
                return begins + max(0.0, (last - session.started).total_seconds())
        return 0.0

    def until_first(self, stints: Sequence[Stint]) -> list[float]:
        found = []
        for session in self.sessions:
            inside = [s.began for s in stints if session.started <= s.began <= self._end(session)]
            if inside:
                found.append((min(inside) - session.started).total_seconds())
        return found

    @staticmethod
    def _end(session: Session) -> datetime:
        return session.ended or session.started
