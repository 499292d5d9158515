"""The broker: a detached actor that tells every sweep of a cluster how many slots it may use."""

import time
from typing import Any

import ray
from ray.exceptions import RayError

from sweeper.plan.placement import Node
from sweeper.runtime.ray_tune.shared.nodes import staying_nodes
from sweeper.runtime.sharing.accounts import Accounts
from sweeper.runtime.sharing.fairness import Claim, Lease

LOOK_EVERY_SECONDS = 2.0
NAME, NAMESPACE = "shares-1", "sweeper"  # with the version of what is said


class Broker(Accounts):
    """Runs in its own process. If that dies, Ray starts it again, with nothing in memory."""

    def __init__(self) -> None:
        self._nodes, self._looked = staying_nodes(), time.monotonic()
        super().__init__(self._staying, time.monotonic)

    def _staying(self) -> tuple[Node, ...]:
        if time.monotonic() - self._looked > LOOK_EVERY_SECONDS:
            self._nodes, self._looked = staying_nodes(), time.monotonic()
        return self._nodes


class AskBroker:
    """Asks, and never waits for an answer: the broker may be dead."""

    def __init__(self) -> None:
        self._broker: Any = None  # its handle
        self._asked: ray.ObjectRef | None = None

    def __call__(self, claim: Claim) -> Lease | None:
        """Tell the broker what the sweep has and wants. Returns its answer to what was told before,
        if that has come."""
        told: Lease | None = None
        try:
            if self._asked is not None:
                ready, _ = ray.wait([self._asked], timeout=0)
                if not ready:
                    return None
                asked, self._asked = self._asked, None
                told = ray.get(asked)
            self._broker = self._broker or _broker()
            self._asked = self._broker.renew.remote(claim)
        except (RayError, ValueError):  # it has died, or somebody has ended it
            self._broker = None
        return told

    def leave(self, sweep: str) -> None:
        if self._broker is not None:
            self._broker.leave.remote(sweep)


def _broker() -> Any:
    actor = ray.remote(num_cpus=0, max_restarts=-1)(Broker)
    detached = actor.options(
        name=NAME, namespace=NAMESPACE, lifetime="detached", get_if_exists=True
    )
    return detached.remote()
