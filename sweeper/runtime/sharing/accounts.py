"""The broker's memory: what each sweep has said last, and what it is owed."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sweeper.plan.placement import Node, num_at_once
from sweeper.runtime.sharing.fairness import Claim, Lease, after, leases

LEASE_SECONDS = 15.0  # that a sweep may be silent before its slots are others'


class Accounts:
    """Nothing of it is kept on storage: sweeps tell all of it again, with what they are owed."""

    def __init__(self, nodes: Callable[[], Sequence[Node]], clock: Callable[[], float]) -> None:
        self.nodes = nodes
        self.clock = clock
        self._claims: dict[str, tuple[Claim, float]] = {}  # with when it came
        self._at = clock()

    @property
    def unused_seconds(self) -> float:
        """Since anybody claimed anything."""
        return self.clock() - self._at

    def claims(self) -> list[Claim]:
        """Of the sweeps that are there now."""
        now = self.clock()
        return [claim for claim, at in self._claims.values() if now - at < LEASE_SECONDS]

    def renew(self, claim: Claim) -> Lease:
        now, nodes = self.clock(), self.nodes()
        came = {name: at for name, (_, at) in self._claims.items() if now - at < LEASE_SECONDS}
        there = [self._claims[name][0] for name in came]
        known = {each.sweep: each for each in after(there, nodes, now - self._at)}
        owed = known[claim.sweep].owed if claim.sweep in known else claim.owed
        known[claim.sweep], came[claim.sweep] = replace(claim, owed=owed), now
        self._claims = {name: (each, came[name]) for name, each in known.items()}
        self._at = now
        given = leases(list(known.values()), nodes)
        unmet = any(given[name] < each.wants for name, each in known.items())
        # Alone, or where none of its trials fits a node, what Ray says is what counts.
        contended = unmet and len(known) > 1 and num_at_once([claim.share], nodes, 1) > 0
        return Lease(slots=given[claim.sweep], contended=contended, owed=owed)

    def leave(self, sweep: str) -> None:
        """Its slots are free at once."""
        self._claims.pop(sweep, None)
