"""Which of the plan's trials is created next where some fork from others, and from what it goes on.
It follows from the plan and the journal: when a trunk is created, it promises a checkpoint to each
of its forks; a promise is kept, or void, once that trial is created.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sweeper.plan.branching import Branching
from sweeper.plan.plan import Plan, PlannedTrial
from sweeper.record.state.checkpoints import Stored
from sweeper.record.state.sweep_state import SweepState


@dataclass(frozen=True)
class Beginning:
    """A trial to create."""

    planned: PlannedTrial
    forks: Mapping[str, int] = field(default_factory=dict)  # who forks from it, and at which step
    source: Stored | None = None  # the checkpoint that it forks from


class Forking:
    def __init__(self, plan: Plan, state: SweepState, has_any: Callable[[str], object]) -> None:
        """
        Args:
            has_any: Looks whether a trial's checkpoints are where they were.
        """
        earlier = state.warm_start
        spared = [
            trial.trial_id
            for trial in plan.trials
            if earlier is not None and earlier.trial_with(trial.config.to_dict()) is not None
        ]
        self._branching = Branching(plan, spared)
        self._plan = plan
        self._state = state
        self._account = state.checkpoints
        self._has_any = has_any

    def __bool__(self) -> bool:
        """Whether any trials fork."""
        return bool(self._branching)

    def next(self) -> Beginning | None:
        """The first of the plan's trials that has nothing to wait for, or its trunk; None if all
        that are left wait."""
        for trunk in {promise.trunk for promise in self._account.promised.values()}:
            self._has_any(trunk)  # somebody may have deleted what it promised
        left = [t for t in self._plan.trials if t.trial_id not in self._state.trials]
        for planned in left:
            if not self._is_promised(planned.trial_id):
                is_open = {t.trial_id for t in left if not self._is_promised(t.trial_id)}
                return Beginning(*self._branching.trunk_and_forks(planned, is_open))
            if (source := self._account.promised_to(planned.trial_id)) is not None:
                return Beginning(planned, source=source)
        return None

    def _is_promised(self, fork: str) -> bool:
        """Whether a checkpoint for it is there or may yet come."""
        if fork not in self._account.promised:
            return False
        trunk, step = self._account.promised[fork]
        if self._account.promised_to(fork) is not None:
            return True
        newest = self._account.newest(trunk)
        is_past = newest is not None and (newest.step or 0) > step
        return not (is_past or self._state.trials[trunk].status.ended)
