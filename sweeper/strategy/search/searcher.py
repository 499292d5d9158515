"""What a sweep tries next: the plan's next trial, or one that a searcher suggests from results.

A suggestion is a function of the spec, of its number, and of what is known by then of the trials
created before it. All of these are in the journal, so a resumed sweep goes on as it would have.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sweeper.plan.plan import Plan, PlannedTrial
from sweeper.strategy.search.observation import Observation

if TYPE_CHECKING:
    from sweeper.record.state.trial import Trial


class Searcher(Protocol):
    def next(self, trials: "Sequence[Trial]") -> PlannedTrial:
        """The trial to create after these, which are all so far."""


class Listed:
    """Every trial is known up front."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def next(self, trials: "Sequence[Trial]") -> PlannedTrial:
        return self.plan.trials[len(trials)]


def make_searcher(plan: Plan, earlier: Sequence[Observation]) -> Searcher:
    """
    Args:
        earlier: What another sweep has found out, for a search that learns.
    """
    if not plan.has_stand_ins:
        return Listed(plan)
    from sweeper.strategy.search.optuna_search import OptunaSearcher  # takes a second to import

    return OptunaSearcher(plan, earlier)
