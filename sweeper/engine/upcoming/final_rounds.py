"""The finals of a sweep: the points that are tied at its end run with more seeds, until one stands
out or the seeds are used up.

It is a race in rounds (Maron and Moore 1994, Hoeffding Races): each round runs one more seed of
every point that is still tied, so those that are compared have had equally many. Then all is looked
at; who is told from the best runs no more. The looks are at most as many as the spec says
beforehand, and share the error that it allows. What comes next follows from what the journal has.
"""

from collections.abc import Sequence

from sweeper.analysis.noise import noise_in
from sweeper.plan.plan import Plan, PlannedTrial
from sweeper.record.ranking import Ranking, ranking_of
from sweeper.record.results.entrant import Entrant
from sweeper.record.results.point_result import PointResult
from sweeper.record.state.events import FinalsEnded, FinalsStarted, now
from sweeper.record.state.finals import Finals
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.points import Point


class FinalRounds:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._tied: dict[int, Sequence[Point]] = {}  # by the number of rounds that were through

    def next(self, state: SweepState) -> FinalsStarted | FinalsEnded | PlannedTrial | None:
        """What follows, once no other trial is left: they begin or end, or one more seed of a
        point. None: what runs has to end first."""
        assert state.finals is not None, "the spec asks for them"
        if (begun := state.finals.begun) is None:
            return self._begin(state)
        created = {(_point(state, i), state.trials[i].config.seed) for i in state.finals.trials}
        through = max((begun.seeds.index(seed) for _, seed in created), default=0)
        for number in range(through, len(begun.seeds) + 1):
            points = self._still_tied(state, state.finals, number)
            if len(points) < 2 or number == len(begun.seeds):
                break
            seed = begun.seeds[number]
            for point in points:
                if (repr(point), seed) not in created:
                    values = point | {"seed": seed}
                    planned = self.plan.trial_at(len(state.trials), values)
                    assert planned is not None, "no constraint and no check is about the seed"
                    return planned
            if not all(state.trials[i].status.ended for i in state.finals.trials):
                return None
        alone = len(points) == 1 < len(ranking_of(state).points)
        return FinalsEnded(time=now(), winner=points[0] if alone else None)

    def _begin(self, state: SweepState) -> FinalsStarted:
        points = tuple(result.point for result in _tied(ranking_of(state)))
        seeds = tuple(self.plan.spec.fresh_seeds())
        return FinalsStarted(time=now(), points=points[: self._most], seeds=seeds)

    @property
    def _most(self) -> int:
        assert self.plan.spec.finals is not None
        return self.plan.spec.finals.top

    def _still_tied(self, state: SweepState, finals: Finals, rounds: int) -> Sequence[Point]:
        """The finalists that nothing told from the best, at this look or an earlier one, when so
        many rounds were through, the best first."""
        if rounds not in self._tied:
            assert finals.begun is not None
            later = finals.begun.seeds[rounds:]
            to_come = {i for i in finals.trials if state.trials[i].config.seed in later}
            before = self._still_tied(state, finals, rounds - 1) if rounds else finals.points
            tied = _tied(ranking_of(state, without=to_come))
            self._tied[rounds] = [each.point for each in tied if each.point in before]
        return self._tied[rounds]


def _point(state: SweepState, trial_id: str) -> str:
    values = state.trials[trial_id].values
    return repr({name: value for name, value in values.items() if name != "seed"})


def _tied(ranking: Ranking[Entrant]) -> tuple[PointResult[Entrant], ...]:
    """While nothing is known of the noise, nothing can be told apart."""
    noise = noise_in(ranking)
    if noise is None or len(ranking.contenders) < 2:
        return ranking.contenders
    return noise.tied
