"""What gives the points of a search that learns: it takes observations and gives points."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.strategy.surface.observation import Observation


class Searcher(Protocol):
    @property
    def chance(self) -> float | None:
        """How likely it is, as far as the searcher knew when it was asked last, that any point that
        was not tried is the best. None: it does not say."""

    def points(self, observations: Sequence[Observation]) -> Iterator[Point]:
        """Points to try after these, which are all that the sweep has so far. The first that a run
        can have is tried. If there is none, the sweep ends with what is under way."""


def make_searcher(spec: SweepSpec, earlier: Sequence[Observation]) -> Searcher | None:
    """The searcher that the spec asks for; None if every point is known up front.

    Args:
        earlier: What another sweep has found out.
    """
    if not spec.search.learns:
        return None
    if spec.search.algorithm == "model":
        from sweeper.strategy.search.model_search import ModelSearcher  # scipy takes a moment

        return ModelSearcher(spec, earlier)
    from sweeper.strategy.search.optuna_search import OptunaSearcher  # takes a second to import

    return OptunaSearcher(spec, earlier)
