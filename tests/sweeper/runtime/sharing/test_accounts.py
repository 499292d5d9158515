"""The broker and the sweeps that ask it, without a cluster: what each is told, and what is done
where it does not answer."""

from dataclasses import replace

from sweeper.plan.placement import Node, Share
from sweeper.runtime.sharing.accounts import LEASE_SECONDS, Accounts
from sweeper.runtime.sharing.allowance import FIRST_SECONDS, Allowance
from sweeper.runtime.sharing.fairness import Claim, Lease


class Cluster:
    """Four CPUs, a broker that can die, and a clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.broker: Accounts | None = None
        self.start()

    def start(self) -> None:
        self.broker = Accounts(lambda: [Node(4, 0)], lambda: self.now)

    def ask(self, claim: Claim) -> Lease | None:
        return None if self.broker is None else self.broker.renew(claim)

    def sweep(self, name: str, weight: float = 1.0) -> "Sweep":
        return Sweep(self, Claim(sweep=name, share=Share(1, 0), wants=0, holds=0, weight=weight))


class Sweep:
    """Hands out trials, and takes back what is too many, as its allowance says."""

    def __init__(self, cluster: Cluster, claim: Claim) -> None:
        self.cluster = cluster
        self.allowance = Allowance(4, claim, cluster.ask)
        self.live = 0

    def turn(self, *, more: bool = True) -> int:
        allowance = self.allowance
        allowance.look(self.cluster.now, live=self.live, placed=self.live, more=more)
        most = allowance.slots if allowance.most is None else allowance.most
        self.live = most if more else min(self.live, most)
        return self.live


def turns(cluster: Cluster, *sweeps: Sweep, seconds: int = 3) -> list[int]:
    for _ in range(seconds):
        cluster.now += 1.0
        live = [each.turn() for each in sweeps]
    return live


def test_who_comes_gets_its_share_and_what_it_leaves_is_taken() -> None:
    cluster = Cluster()
    first, second = cluster.sweep("first"), cluster.sweep("second", weight=3)
    assert turns(cluster, first) == [4]
    assert first.allowance.most is None, "nobody else wants any"
    assert turns(cluster, first, second) == [1, 3]
    second.turn(more=False)
    second.live = 0
    cluster.now += LEASE_SECONDS + 1  # it was killed
    assert turns(cluster, first) == [4]


def test_a_broker_that_comes_back_is_told_all_again_and_its_death_stops_nobody() -> None:
    cluster = Cluster()
    first, second = cluster.sweep("first"), cluster.sweep("second")
    assert turns(cluster, first, second) == [2, 2]
    cluster.broker = None
    assert turns(cluster, first, second) == [2, 2], "a lease is for a while"
    cluster.start()
    assert turns(cluster, first, second) == [2, 2]
    cluster.broker = None
    assert turns(cluster, first, second, seconds=20) == [4, 4], "then Ray gives what is free"


def test_what_a_sweep_is_owed_is_told_to_a_broker_that_has_forgotten_it() -> None:
    cluster = Cluster()
    claim = Claim(sweep="a", share=Share(1, 0), wants=4, holds=0)
    other = replace(claim, sweep="b", holds=4, weight=2)
    for _ in range(5):
        cluster.now += 1.0
        told = [cluster.ask(claim), cluster.ask(other)]
    assert told[0] is not None and told[0].owed > 0
    cluster.start()
    again = cluster.ask(replace(claim, owed=told[0].owed))
    assert again is not None and again.owed == told[0].owed


def test_the_first_answer_is_waited_for_but_not_for_ever() -> None:
    cluster = Cluster()
    cluster.broker = None
    alone = cluster.sweep("alone")
    assert turns(cluster, alone, seconds=5) == [0]
    assert turns(cluster, alone, seconds=int(FIRST_SECONDS)) == [4]
    assert Allowance(4, Claim(sweep="x", share=Share(1, 0), wants=0, holds=0), None).most is None


def test_whose_trials_fit_no_node_is_not_held_back() -> None:
    """It hands one out, so that it is told that no node has room for it."""
    cluster = Cluster()
    fits = Claim(sweep="fits", share=Share(1, 0), wants=9, holds=4)
    large = Claim(sweep="large", share=Share(1, 1), wants=1, holds=0)
    for _ in range(2):
        told = [cluster.ask(fits), cluster.ask(large)]
    assert [each.contended for each in told if each] == [True, False]
