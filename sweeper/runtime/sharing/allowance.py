"""How many trials a sweep may run at a time: as many as there is room for, or its share of that."""

from collections.abc import Callable
from dataclasses import replace

from sweeper.runtime.sharing.accounts import LEASE_SECONDS
from sweeper.runtime.sharing.fairness import Claim, Lease

RENEW_SECONDS = 1.0
FIRST_SECONDS = 10.0  # for the first answer
# Tells the broker what the sweep has and wants. Returns its newest answer, if there is a new one.
Ask = Callable[[Claim], Lease | None]


class Allowance:
    """Knows what the broker has said last. While there is none, or none answers, the sweep does as
    if it were alone: the cluster gives what is free."""

    def __init__(self, slots: int, claim: Claim, ask: Ask | None) -> None:
        """
        Args:
            slots: For which the cluster has room.
            claim: What stays as it is of that.
            ask: None: the cluster is this sweep's own.
        """
        self.slots = slots
        self._claim = claim
        self._ask = ask
        self._lease: Lease | None = None
        self._heard: float | None = None
        self._due = 0.0

    def look(self, now: float, *, live: int, placed: int, more: bool) -> None:
        """Called all the time.

        Args:
            live: Trials that have been handed out.
            placed: Those of them that have a place.
            more: Whether there would be another if there were room.
        """
        if self._ask is None:
            return
        self._heard = self._heard or now
        if now >= self._due:
            self._due = now + RENEW_SECONDS
            wants = max(live, self.slots) if more else live
            owed = self._claim.owed if self._lease is None else self._lease.owed
            told = self._ask(replace(self._claim, wants=wants, holds=placed, owed=owed))
            if told is not None:
                self._lease, self._heard = told, now
        if now - self._heard > (FIRST_SECONDS if self._lease is None else LEASE_SECONDS):
            nobody = Lease(slots=self.slots, contended=False, owed=0.0)
            self._lease = replace(self._lease or nobody, contended=False)

    @property
    def is_denied(self) -> bool:
        """Whether others have all that there is."""
        return self._lease is not None and self.most == 0

    @property
    def most(self) -> int | None:
        """The number of trials that may run now. None: as many as have room."""
        if self._ask is None:
            return None
        if self._lease is None:
            return 0
        return self._lease.slots if self._lease.contended else None
