"""What a sweep does next when a slot is free. It follows from the plan and from what the journal
has; nothing is done here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sweeper.engine.upcoming.final_rounds import FinalRounds
from sweeper.engine.upcoming.forking import Beginning, Forking
from sweeper.engine.upcoming.point_search import PointSearch
from sweeper.plan.plan import Plan, PlannedTrial
from sweeper.record.state.events import FinalsEnded, FinalsStarted, SearchEnded, now
from sweeper.record.state.sweep_state import SweepState
from sweeper.status import Status
from sweeper.strategy.next_step import Step, next_step
from sweeper.strategy.schedulers.scheduler import Promotion

# Trials that are handed out or will be; an interrupted trial is interrupted until it starts again.
_UNDER_WAY = (Status.PENDING, Status.INTERRUPTED, Status.RUNNING)


@dataclass(frozen=True)
class Losers:
    """Trials that are paused and end so: no other comes."""

    trials: tuple[str, ...]


class Upcoming:
    def __init__(self, plan: Plan, state: SweepState, has_any: Callable[[str], object]) -> None:
        """
        Args:
            has_any: Looks whether a trial's checkpoints are where they were.
        """
        self._plan = plan
        self._state = state
        self.search = PointSearch(plan, state.warm_start)
        self._forking = Forking(plan, state, has_any)
        self._finals = FinalRounds(plan)

    @property
    def is_nothing(self) -> bool:
        """Whether no trial will be handed out any more. While one runs, it may fail and be tried
        again, so then one may."""
        return self._has_nothing_under_way and not self._state.has_finals_left

    @property
    def _has_nothing_under_way(self) -> bool:
        return not self._more and not self._state.any_of(*_UNDER_WAY, Status.PAUSED)

    @property
    def _more(self) -> bool:
        """Whether the search may give another trial."""
        return self._state.may_have_more(len(self._plan.trials))

    def next(
        self,
    ) -> Promotion | Beginning | Losers | SearchEnded | FinalsStarted | FinalsEnded | None:
        """A promotion that has been earned, or the plan's next trial, or one of the finals; or what
        has to happen before there is any. None if there is none, or not yet."""
        paused = self._state.of_status[Status.PAUSED].keys()
        step = next_step(
            self._state.scheduler,
            paused,
            more=self._more,
            busy=(busy := self._state.any_of(*_UNDER_WAY)),
            completed=self._state.any_of(Status.COMPLETED),
        )
        match step:
            case Promotion():
                return step
            case Step.END:
                return Losers(tuple(sorted(paused)))
            case Step.CREATE:
                if (beginning := self._next_beginning()) is not None:
                    return beginning
                if not busy:  # what runs may still change what is expected of other points
                    return SearchEnded(time=now(), chance=self.search.chance)
        return self._next_of_finals() if self._state.has_finals_left else None

    def _next_beginning(self) -> Beginning | None:
        if self._forking:
            return self._forking.next()
        planned = self.search.next(list(self._state.trials.values()))
        return None if planned is None else Beginning(planned)

    def _next_of_finals(self) -> Beginning | FinalsStarted | FinalsEnded | None:
        """They begin when all else has ended. Their own trials may run beside one another."""
        assert self._state.finals is not None, "they are left"
        if not (self._state.finals.are_on or self._has_nothing_under_way):
            return None
        found = self._finals.next(self._state)
        return Beginning(found) if isinstance(found, PlannedTrial) else found
