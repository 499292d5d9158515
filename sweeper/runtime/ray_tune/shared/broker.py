"""The broker: a detached actor that tells every sweep of a cluster how many slots it may use."""

import contextlib
import threading
import time
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweeper.plan.placement import Node
from sweeper.runtime.ray_tune.shared.nodes import staying_nodes
from sweeper.runtime.sharing.accounts import LEASE_SECONDS, Accounts
from sweeper.runtime.sharing.fairness import Claim, Lease

LOOK_EVERY_SECONDS = 2.0
UNUSED_SECONDS = 300.0  # without a claim, after which it ends; whoever comes makes another
ANSWER_SECONDS = 10.0
HEAD = "node:__internal_head__"  # what Ray marks the head with: the node that stays
NAME, NAMESPACE = "shares-1", "sweeper"  # with the version of what is said


class Broker(Accounts):
    """Runs in its own process. If that dies, Ray starts it again, with nothing in memory."""

    def __init__(self, most_unused_seconds: float = UNUSED_SECONDS) -> None:
        self._nodes, self._looked = staying_nodes(), time.monotonic()
        super().__init__(self._staying, time.monotonic)
        own = ray.get_runtime_context().current_actor
        waits = threading.Thread(target=self._end, args=(own, most_unused_seconds), daemon=True)
        waits.start()

    def _end(self, own: Any, most_unused_seconds: float) -> None:
        while (left := most_unused_seconds - self.unused_seconds) > 0:
            time.sleep(left)
        ray.kill(own)  # to leave by itself would be a death, after which Ray starts it again

    def _staying(self) -> tuple[Node, ...]:
        if time.monotonic() - self._looked > LOOK_EVERY_SECONDS:
            self._nodes, self._looked = staying_nodes(), time.monotonic()
        return self._nodes


class AskBroker:
    """Asks, and never waits for an answer: the broker may be dead."""

    def __init__(self) -> None:
        self._broker: Any = None  # its handle
        self._asked: ray.ObjectRef | None = None
        self._again_at: float | None = None  # it has died before

    def __call__(self, claim: Claim) -> Lease | None:
        """Tell the broker what the sweep has and wants. Returns its answer to what was told before,
        if that has come. Who has to make the broker finds nobody that shares the cluster, and
        waits for no answer."""
        told: Lease | None = None
        try:
            if self._asked is not None:
                ready, _ = ray.wait([self._asked], timeout=0)
                if not ready:
                    return None
                asked, self._asked = self._asked, None
                told = ray.get(asked)
            if self._broker is None:
                if self._again_at is not None and time.monotonic() < self._again_at:
                    return told
                self._broker, is_new = _broker()
                if is_new and self._again_at is None:
                    told = Lease(slots=claim.wants, contended=False, owed=claim.owed)
            self._asked = self._broker.renew.remote(claim)
        except (RayError, ValueError):  # it has died, or somebody has ended it
            self._broker, self._again_at = None, time.monotonic() + LEASE_SECONDS
        return told

    def leave(self, sweep: str) -> None:
        if self._broker is not None:
            self._broker.leave.remote(sweep)


def claims_now() -> list[Claim] | None:
    """What the sweeps on the cluster that one has joined claim. Without a broker there are none;
    None: the broker does not answer."""
    try:
        broker = ray.get_actor(NAME, namespace=NAMESPACE)
    except ValueError:
        return []
    try:
        told: list[Claim] = ray.get(broker.claims.remote(), timeout=ANSWER_SECONDS)
    except (RayError, AttributeError):  # the last: one of an earlier version
        return None
    return told


def _broker() -> tuple[Any, bool]:
    """The broker, and whether it had to be made."""
    with contextlib.suppress(ValueError):
        return ray.get_actor(NAME, namespace=NAMESPACE), False
    actor = ray.remote(num_cpus=0, max_restarts=-1)(Broker)
    head = [node["NodeID"] for node in ray.nodes() if HEAD in node["Resources"]]
    at = NodeAffinitySchedulingStrategy(head[0], soft=True) if head else "DEFAULT"
    detached = actor.options(
        name=NAME, namespace=NAMESPACE, lifetime="detached", scheduling_strategy=at
    )
    try:
        return detached.remote(), True
    except ValueError:  # another sweep has made it meanwhile
        return ray.get_actor(NAME, namespace=NAMESPACE), False
