"""Shares of sweeps whose trials take time to start, to end their turn and to save themselves: by
the broker's accounts and each sweep's allowance, with a clock that only the test moves."""

from dataclasses import dataclass, field, replace

import pytest

from sweeper.plan.placement import Node, Share
from sweeper.runtime.sharing.accounts import Accounts
from sweeper.runtime.sharing.allowance import Allowance
from sweeper.runtime.sharing.fairness import TURN_SECONDS, Claim, after

START_SECONDS, SAVE_SECONDS = 6.0, 2.0
CPU = Share(1, 0)


class Cluster:
    def __init__(self, cpus: int) -> None:
        self.now = 100.0
        self.cpus = self.free = cpus
        self.accounts = Accounts(lambda: [Node(cpus, 0)], lambda: self.now)


@dataclass
class Slot:
    """A trial that never ends, in a process of its own."""

    placed: float
    leaves: float | None = None


@dataclass
class Sweep:
    """Hands out what it may, and takes back what is too much, as `Places` does."""

    cluster: Cluster
    name: str
    weight: float
    slots: list[Slot] = field(default_factory=list)
    slot_seconds: float = 0.0

    def __post_init__(self) -> None:
        claim = Claim(sweep=self.name, share=CPU, wants=0, holds=0, weight=self.weight)
        self.allowance = Allowance(self.cluster.cpus, claim, self.cluster.accounts.renew)

    def turn(self, seconds: float) -> None:
        cluster, now = self.cluster, self.cluster.now
        for slot in [slot for slot in self.slots if slot.leaves is not None and slot.leaves <= now]:
            self.slots.remove(slot)
            cluster.free += 1
        self.allowance.look(now, live=len(self.slots), placed=len(self.slots), more=True)
        most = cluster.cpus if self.allowance.most is None else self.allowance.most
        while cluster.free and len(self.slots) < most:
            self.slots.append(Slot(now))
            cluster.free -= 1
        stay = [slot for slot in reversed(self.slots) if slot.leaves is None]
        for slot in stay[: max(0, len(stay) - most)]:
            if now - slot.placed >= START_SECONDS + TURN_SECONDS:
                slot.leaves = now + SAVE_SECONDS
        self.slot_seconds += len(self.slots) * seconds


@pytest.mark.parametrize("cpus, minutes", [(4, 2), (8, 2), (2, 10), (5, 10)])
def test_who_was_there_first_has_its_share_too(cpus: int, minutes: int) -> None:
    """The others wait until its trials have had their turn. It is not made to leave altogether for
    that afterwards: from half a minute on, each has what its weight says."""
    cluster = Cluster(cpus)
    sweeps = [Sweep(cluster, name, weight) for name, weight in (("a", 1), ("b", 1), ("c", 2))]
    begin, end = 160.0, 160.0 + 60 * minutes
    while cluster.now < end:
        cluster.now += 1.0
        for number, sweep in enumerate(sweeps):
            if cluster.now == begin:
                sweep.slot_seconds = 0.0
            if cluster.now >= 100.0 + 2 * number:
                sweep.turn(1.0)
    whole = sum(sweep.slot_seconds for sweep in sweeps)
    assert whole > 0.95 * cpus * (end - begin)
    for sweep in sweeps:
        assert sweep.slot_seconds / whole == pytest.approx(sweep.weight / 4, rel=0.05)


def test_what_nobody_had_is_owed_to_nobody() -> None:
    """Or all would be owed as much as is remembered, and none more than another."""
    three = [Claim(sweep=name, share=CPU, wants=9, holds=1) for name in "abc"]
    idle = after(three, [Node(5, 0)], 60.0)
    assert [claim.owed for claim in idle] == [0, 0, 0]
    had = after([replace(three[0], holds=2), *three[1:]], [Node(5, 0)], 3.0)
    assert [claim.owed for claim in had] == pytest.approx([-0.2, 0.1, 0.1])
