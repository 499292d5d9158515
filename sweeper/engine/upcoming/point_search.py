"""Which trial is created next: the plan's, or one at a point that a searcher gives.

That depends on the spec, on the trial's number, and on what is known by then of the trials created
before it. All of these are in the journal, so a resumed sweep goes on as it would have done.
"""

from collections.abc import Sequence

from sweeper.engine.upcoming.observing import Observer
from sweeper.plan.plan import Plan, PlannedTrial
from sweeper.record.state.trial import Trial
from sweeper.record.state.warm_start import WarmStart
from sweeper.spec.points import Point, point_of
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.strategy.search.searcher import make_searcher


class PointSearch:
    def __init__(self, plan: Plan, warm_start: WarmStart | None = None) -> None:
        """
        Args:
            warm_start: What another sweep has found out, for a search that learns. One that ends by
                itself begins with the points that need not run again, so that they are among its
                trials; one of so many trials leaves them out.
        """
        self.plan = plan
        self.spec = spec = plan.spec
        earlier = () if warm_start is None else warm_start.observations
        begins = warm_start is not None and spec.search.learns and spec.search.num_trials is None
        self._known = _points(warm_start, spec) if warm_start is not None and begins else []
        new = [seen for seen in earlier if seen.point not in self._known]
        self.searcher = make_searcher(spec, new)
        self.observer = Observer(plan.spec)

    @property
    def chance(self) -> float | None:
        """What the searcher took for the chance that a point it did not give is the best."""
        return None if self.searcher is None else self.searcher.chance

    def next(self, trials: Sequence[Trial]) -> PlannedTrial | None:
        """The trial to create after these, which are all so far; None if the searcher gives no
        point. If it gives none that a run can have, it is the random draw that stood for it in the
        plan."""
        number = len(trials)
        index, repeat = divmod(number, self.spec.num_seeds)
        planned = self.plan.trials[number]
        if self.searcher is None or index < len(self.spec.search.initial or []):
            return planned
        if repeat:  # the same point with another seed
            values = trials[number - repeat].values | {"seed": planned.values["seed"]}
            again = self.plan.trial_at(number, values)
            assert again is not None, "no constraint and no check is about the seed"
            return again
        seed = {} if self.spec.seeds is None else {"seed": self.spec.seeds[0]}
        if (known := index - len(self.spec.search.initial or [])) < len(self._known):
            return self.plan.trial_at(number, self._known[known] | seed)
        stand_in = None
        for point in self.searcher.points(self.observer.observations(trials)):
            if (found := self.plan.trial_at(number, point | seed)) is not None:
                return found
            stand_in = planned
        return stand_in


def _points(warm_start: WarmStart, spec: SweepSpec) -> list[Point]:
    """The points of the trials that need not run again, but for those that are tried first."""
    found = (point_of(spec.space, trial.config, spec.known) for trial in warm_start.trials)
    points = {repr(point): point for point in found if point is not None}
    initial = spec.initial_points()
    return [point for point in points.values() if point not in initial]
