"""What happens when a cluster has lost every node on which a sweep could go on, or its head."""

import contextlib
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from sweeper.engine.sweep import Sweep
from sweeper.plan.placement import Node, Placement
from sweeper.runtime.signals import tell

LOOK_EVERY_SECONDS = 1.0
# For a node to come: one that was started for this sweep alone will hardly, but a cluster may be
# about to get another.
OWN_WAIT_SECONDS = 30.0
CLUSTER_WAIT_SECONDS = 600.0
# Without the server at the cluster's head nothing of Ray works: who talks to it waits, and is ended
# by Ray after a minute of that, without a word of what to do.
HEAD_WAIT_SECONDS = 30.0
HEAD_LOOK_SECONDS = 2.0
HEAD_ANSWER_SECONDS = 5.0


class Nodes:
    """Ends the sweep, as a signal does, when for some time no node has room for a trial."""

    def __init__(
        self,
        sweep: Sweep,
        placement: Placement,
        living: Callable[[], Collection[Node]],
        end: Callable[[], None],
        *,
        wait_seconds: float,
        say: Callable[[str], None] = tell,
    ) -> None:
        """
        Args:
            living: Asks the cluster for the nodes that it has.
            end: Ends the sweep.
            wait_seconds: For how long a node is waited for.
        """
        self.sweep = sweep
        self.placement = placement
        self.living = living
        self.end = end
        self.wait_seconds = wait_seconds
        self.say = say
        self._look_at = 0.0
        self._missed_since: float | None = None

    def watch(self, live: Collection[str], placed: Collection[str], now: float) -> None:
        """Called all the time.

        Args:
            live: The trials that have been handed out.
            placed: Those of them that have a process.
        """
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_SECONDS
        if placed or not live or self._has_room(live):
            if self._missed_since is not None:
                self.say("There is a node again.")
            self._missed_since = None
        elif self._missed_since is None:
            self._missed_since = now
            self.say(
                f"{self._problem()}. Waiting {self.wait_seconds:g} s for one; "
                "then the sweep ends here, and can be resumed."
            )
        elif now - self._missed_since >= self.wait_seconds:
            self.say("No node has come.")
            self.end()

    def _has_room(self, live: Collection[str]) -> bool:
        shares = {self.placement.share(self.sweep.trials[name].values) for name in live}
        return any(
            node.cpus >= share.cpu and node.gpus >= share.gpu
            for node in self.living()
            for share in shares
        )

    def _problem(self) -> str:
        if not self.living():
            return "The nodes of the cluster are lost: none is alive"
        return "No node that is left in the cluster has room for a trial that waits"


@contextmanager
def watching_head(
    address: str, end: Callable[[], None], say: Callable[[str], None] = tell
) -> Iterator[None]:
    """End the sweep, as a signal does, when the head does not answer for some time. It is watched
    by a thread of its own: the main one may be in a call of Ray's that waits.

    Args:
        address: HOST:PORT.
    """
    over = threading.Event()
    watcher = threading.Thread(target=_watch_head, args=(address, end, say, over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch_head(
    address: str, end: Callable[[], None], say: Callable[[str], None], over: threading.Event
) -> None:
    missed = 0.0
    while not over.wait(HEAD_LOOK_SECONDS):
        if _answers(address):
            if missed:
                say("The head of the cluster answers again.")
            missed = 0.0
            continue
        if not missed:
            say(
                f"The head of the Ray cluster, {address}, does not answer. Waiting "
                f"{HEAD_WAIT_SECONDS:g} s for it; then the sweep ends here, and can be resumed."
            )
        missed += HEAD_LOOK_SECONDS
        if missed > HEAD_WAIT_SECONDS:
            say("It has not come back.")
            return end()


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError):
        where = (host.strip("[]"), int(port))
        socket.create_connection(where, timeout=HEAD_ANSWER_SECONDS).close()
        return True
    return False
