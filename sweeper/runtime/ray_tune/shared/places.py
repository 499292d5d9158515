"""Which trials have to leave their places: to another sweep, or since their node goes."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from sweeper.engine.sweep import Sweep
from sweeper.plan.placement import Placement, num_at_once
from sweeper.record.watcher import Watcher
from sweeper.runtime.ray_tune.shared.broker import AskBroker
from sweeper.runtime.ray_tune.shared.nodes import going_nodes, staying_nodes
from sweeper.runtime.sharing.allowance import Allowance
from sweeper.runtime.sharing.fairness import TURN_SECONDS
from sweeper.runtime.sharing.queueing import claim_of
from sweeper.runtime.sharing.waits import Waits
from sweeper.spec.trainer.section import FunctionSpec
from sweeper.status import Status

LOOK_EVERY_SECONDS = 2.0


@contextmanager
def sharing(sweep: Sweep, placement: Placement) -> Iterator[Allowance]:
    """A sweep's part of the cluster, where others may be on it: on one that it has joined."""
    name = _claimant(sweep)
    claim = claim_of(name, sweep.plan, placement, wants=0)
    ask = AskBroker() if os.environ.get("RAY_ADDRESS") else None
    try:
        yield Allowance(placement.slots, claim, ask)
    finally:
        if ask is not None:
            ask.leave(name)


def _claimant(sweep: Sweep) -> str:
    """No other driver's, and the same in a resume: what a session that was killed has claimed
    stands for a while, and the next one would wait for itself."""
    first, now = (sweep.state.sessions[at].environment for at in (0, -1))
    return f"{sweep.folder.path.resolve()} on {now.host} since {first.time}"


class Places:
    """Looks all the time at what the sweep may have, and every other second at the nodes."""

    def __init__(
        self,
        sweep: Sweep,
        placement: Placement,
        allowance: Allowance,
        audience: Watcher,
        say: Callable[[str], None],
    ) -> None:
        self.sweep = sweep
        self.placement = placement
        self.allowance = allowance
        self.audience = audience
        self.say = say
        self.leaving: set[str] = set()
        self._waits = Waits(sweep, placement, say)
        self._nodes = staying_nodes()
        # Of an attempt that was heard of: the id of its node, and since when it trains there.
        self._trains: dict[str, tuple[str, float]] = {}
        self._going: set[str] = set()  # ids of nodes
        self._been: set[str] = set()  # on which there were trials of this sweep
        self._live = 0
        self._due = 0.0

    @property
    def may_idle(self) -> int:
        """How many processes may be kept though no trial has them."""
        if self._going & self._been:  # Tune would give what is idle there to the next trial
            return 0
        most = self.allowance.most
        return self.allowance.slots if most is None else max(0, most - self._live)

    def starts(self, trial_id: str) -> None:
        self._trains.pop(trial_id, None)

    def runs_on(self, trial_id: str, node: str, now: float) -> None:
        self._trains.setdefault(trial_id, (node, now))
        self._been.add(node)

    def left(self, trial_id: str) -> None:
        """It has saved itself and left its process, or had none yet."""
        self.leaving.discard(trial_id)
        self._trains.pop(trial_id, None)
        trial = self.sweep.trials[trial_id]
        ran = trial.status is Status.RUNNING
        self.sweep.gave_way(trial_id)
        if ran:
            self.audience.ended(trial)

    def watch(
        self, live: Sequence[str], placed: Collection[str], now: float, *, more: bool
    ) -> None:
        """Called all the time.

        Args:
            live: The trials that have been handed out, in that order.
            placed: Those of them that have a process.
            more: Whether another would be handed out if there were room.
        """
        self._live = len(live)
        self.allowance.look(now, live=len(live), placed=len(placed), more=more)
        self.leaving.intersection_update(live)
        if (most := self.allowance.most) is not None:
            self._give_way(live, placed, most, now)
        if now < self._due:
            return
        self._due = now + LOOK_EVERY_SECONDS
        self._look_at_nodes()
        on = {name: self._trains[name][0] for name in placed if name in self._trains}
        leave = {name for name, node in on.items() if node in self._going}
        if self._can_save and leave - self.leaving:
            self.leaving |= leave
            self.say(
                "A node of the cluster is about to go: trials there save themselves and leave."
            )
        waiting = [name for name in live if name not in placed]
        self._waits.tell_misfits(waiting, self._nodes)
        denied = more and self.allowance.is_denied
        if placed and self.placement.resources.cases:
            waiting = []  # one waits all the time, to see whether it fits
        self._waits.look(waiting, now, denied=denied)

    def _give_way(
        self, live: Sequence[str], placed: Collection[str], most: int, now: float
    ) -> None:
        """Who has more than its lease gives back what was handed out last: first what has no place
        yet. A trial that cannot save itself when it is asked to goes on to its end. One that takes
        long to start trains for a turn all the same, or it would come no further."""
        over = len(live) - len(self.leaving) - most
        newest = [name for name in reversed(live) if name not in self.leaving]
        without = [name for name in newest if name not in placed]
        placed = {name for name in placed if self._has_had_its_turn(name, now)}
        running = [name for name in newest if name in placed] if self._can_save else []
        self.leaving |= set([*without, *running][: max(0, over)])

    def _has_had_its_turn(self, trial_id: str, now: float) -> bool:
        return trial_id in self._trains and now - self._trains[trial_id][1] >= TURN_SECONDS

    @property
    def _can_save(self) -> bool:
        trainer = self.sweep.plan.spec.trainer
        return trainer is None or (isinstance(trainer, FunctionSpec) and trainer.checkpoints)

    def _look_at_nodes(self) -> None:
        going = going_nodes()
        nodes = staying_nodes(going)
        self._going = going
        if nodes != self._nodes:
            self._nodes = nodes
            trials = self.sweep.plan.trials
            shares = (self.placement.share(trial.values) for trial in trials)
            most = self.sweep.plan.spec.max_concurrent or len(trials)
            # One is handed out though it fits no node: `Nodes` tells that, and waits for one.
            self.allowance.slots = max(1, num_at_once(shares, nodes, most))
