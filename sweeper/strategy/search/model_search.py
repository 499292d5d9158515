"""Points that a model of the loss over the space expects most from (expected improvement, Jones,
Schonlau and Welch 1998). A point that cannot win is never tried, and the search ends when none can.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status
from sweeper.strategy.search.draws import grid_points, random_points
from sweeper.strategy.surface.courses import Courses
from sweeper.strategy.surface.observation import Observation
from sweeper.strategy.surface.surface import Surface

# Between these shares of each axis the first points lie: a run in a corner of the space mostly
# tells that the corner is one.
INNER = (0.3, 0.7)
FEWEST = 3  # known ends, before which the search does not end: how sure of two is not known
MOST_CANDIDATES = 500  # of a large grid, or of a space with ranges, so many are looked at at a time
ALPHA = 0.1  # the chance of a better point at which the search ends
_OUT = (Status.FAILED, Status.STOPPED)  # they cannot win any more
_AT_THEIR_ENDS = (Status.COMPLETED, Status.DIVERGED)


class ModelSearcher:
    """Gives points, the most promising first; none once the chance that any of them, or of those
    under way, beats the best by more than noise is below `alpha`."""

    def __init__(self, spec: SweepSpec, earlier: Sequence[Observation] = ()) -> None:
        self.spec = spec
        self.earlier = list(earlier)
        self.chance: float | None = None
        self._alpha = ALPHA if spec.search.alpha is None else spec.search.alpha
        self._courses = Courses(spec)
        self._axes = self._courses.axes
        self._listed: dict[str, Point] | None = None
        if all(isinstance(domain, Grid | Choice) for domain in spec.space.values()):
            points = grid_points(spec.space, spec.search.seed)
            self._listed = {repr(point): point for point in points if spec.admits(point)}

    def points(self, observations: Sequence[Observation]) -> Iterator[Point]:
        seen = [*self.earlier, *observations]
        if not (candidates := self._candidates(seen)):
            self.chance = 0.0
            return
        finals = self._courses.finals(seen)
        known = [final for final in finals if final is not None]
        if not known:
            yield from self._farthest_first(candidates, seen)
            return
        surface = Surface(self._axes, known)
        pending = [
            observation.point
            for observation, final in zip(seen, finals, strict=True)
            if final is None and observation.status not in _OUT
        ]
        unseen = [*candidates, *pending]
        promise = surface.expected_improvement(unseen)
        self.chance = surface.chance_of_better(unseen, promise)
        if self.chance < self._alpha and len(known) >= FEWEST:
            return
        if pending:
            promise = surface.believing(pending).expected_improvement(candidates)
        for index in np.argsort(-promise, kind="stable"):
            yield candidates[index]

    def _candidates(self, seen: Sequence[Observation]) -> list[Point]:
        """The points to choose from: those that are listed and were not tried; of very many, a part
        that is another one each time. In a range, random ones."""
        tried = {
            repr(observation.point)
            for number, observation in enumerate(seen)
            if number >= len(self.earlier) or observation.status in _AT_THEIR_ENDS
        }
        seed = (self.spec.search.seed, len(seen))
        if self._listed is not None:
            left = [point for key, point in self._listed.items() if key not in tried]
            if len(left) > MOST_CANDIDATES:
                chosen = np.random.default_rng(seed).choice(len(left), MOST_CANDIDATES, False)
                left = [left[i] for i in sorted(chosen)]
            return left
        drawn = islice(random_points(self.spec.space, *seed, self.spec.known), MOST_CANDIDATES)
        points = {repr(point): point for point in drawn}
        return [p for key, p in points.items() if key not in tried and self.spec.admits(p)]

    def _farthest_first(
        self, candidates: Sequence[Point], seen: Sequence[Observation]
    ) -> Iterator[Point]:
        """First the middle of the space, then what is farthest from all that was tried: of the
        inner points while there are any."""
        at = self._axes.coordinates(candidates)
        low, high = at.min(axis=0), at.max(axis=0)
        share = (at - low) / np.where(high > low, high - low, 1.0)
        inner = ((share >= INNER[0]) & (share <= INNER[1]) | (high == low)).all(axis=1)
        if seen:
            tried = self._axes.coordinates([observation.point for observation in seen])
            square = ((at[:, None, :] - tried[None, :, :]) ** 2).sum(axis=2).min(axis=1)
        else:
            square = -((share - 0.5) ** 2).sum(axis=1)
        for index in np.lexsort((-square, ~inner)):
            yield candidates[index]
