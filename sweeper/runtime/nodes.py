"""What happens when a cluster has lost every node on which a sweep could go on."""

from collections.abc import Callable, Collection

from sweeper.engine.sweep import Sweep
from sweeper.plan.placement import Node, Placement
from sweeper.runtime.signals import tell

LOOK_EVERY_SECONDS = 1.0
# For a node to come: one that was started for this sweep alone will hardly, but a cluster may be
# about to get another.
OWN_WAIT_SECONDS = 30.0
CLUSTER_WAIT_SECONDS = 600.0


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
