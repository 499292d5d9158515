"""Trials that could run, and wait for CPUs or GPUs: that is said, once, and is in the journal."""

from collections.abc import Callable, Collection, Sequence
from typing import Literal

from sweeper.engine.sweep import Sweep
from sweeper.plan.placement import Node, Placement, num_at_once

PATIENCE_SECONDS = 3.0  # a place that has just come free is taken within a moment


class Waits:
    def __init__(self, sweep: Sweep, placement: Placement, say: Callable[[str], None]) -> None:
        self.sweep = sweep
        self.placement = placement
        self.say = say
        self._since: float | None = None
        self._told: set[str] = set()  # trials that fit no node

    def look(self, waiting: Collection[str], now: float, *, denied: bool) -> None:
        """Called every other second.

        Args:
            waiting: The trials that have been handed out and have no place.
            denied: All that the sweep may have is others'.
        """
        if not waiting and not denied:
            self._since = None
            self.sweep.waits_for(None)
        elif self._since is None:
            self._since = now
        elif now - self._since >= PATIENCE_SECONDS and not self.sweep.state.sessions[-1].waits_for:
            what: Literal["CPUs", "GPUs"] = "GPUs" if self.placement.share({}).gpu else "CPUs"
            self.sweep.waits_for(what)
            self.say(f"Waiting for {what}: none that this sweep may use are free.")

    def tell_misfits(self, waiting: Collection[str], nodes: Sequence[Node]) -> None:
        """Say once which trials fit no node. Where none is there at all, `Nodes` tells that."""
        for trial_id in set(waiting) - self._told if nodes else ():
            share = self.placement.share(self.sweep.trials[trial_id].values)
            if not num_at_once([share], nodes, 1):
                self._told.add(trial_id)
                gpus = f" and {share.gpu:g} GPUs" if share.gpu else ""
                self.say(
                    f"Trial {trial_id} waits for a node: none that is there now has the "
                    f"{share.cpu:g} CPUs{gpus} that it needs."
                )
