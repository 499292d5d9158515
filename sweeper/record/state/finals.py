"""The finals of a sweep, as its journal tells them: the best points, each with more seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sweeper.record.state.events import FinalsEnded, FinalsStarted
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import FinalsSpec


@dataclass
class Finals:
    """Of a sweep whose spec asks for them, whether they have begun or not."""

    rules: FinalsSpec
    num_seeds: int  # of every point before them
    begun: FinalsStarted | None = None
    trials: list[str] = field(default_factory=list)  # created for them, in their order
    ended: FinalsEnded | None = None

    @property
    def looks(self) -> int:
        """How often it is looked, at most, whether one stands out: after each round, and before the
        first where points have seeds enough to tell."""
        return self.rules.seeds + (self.num_seeds > 1)

    @property
    def confidence_of_a_look(self) -> float:
        """Bonferroni: the chances to be wrong at one look or another add up to that of all."""
        return 1 - (1 - self.rules.confidence) / self.looks

    @property
    def are_on(self) -> bool:
        return self.begun is not None and self.ended is None

    @property
    def points(self) -> tuple[Point, ...]:
        """Those that came into them, best first."""
        return () if self.begun is None else self.begun.points

    def among(self, points: Sequence[Point]) -> "Finals | None":
        """What of them is about these points; None if none of these came into them."""
        own = tuple(point for point in self.points if point in points)
        if self.begun is None or not own:
            return None
        return replace(self, begun=replace(self.begun, points=own))

    @property
    def most_trials(self) -> int:
        """How many they have; until they end, at most."""
        if self.ended is not None:
            return len(self.trials)
        points = self.rules.top if self.begun is None else len(self.points)
        return points * self.rules.seeds
