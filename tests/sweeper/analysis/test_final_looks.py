"""What the finals claim, on data whose truth is known: sweeps of settings that are all alike name a
winner in at most one of twenty, all looks together; and one that is ahead is found."""

import statistics
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from benchmarks.curves.reading import GOOD, families, final_losses, read_family
from sweeper.analysis.noise import noise_in
from sweeper.analysis.reading.sweep_data import TrialData
from sweeper.record.ranking import rank
from sweeper.record.state.events import FinalsStarted
from sweeper.record.state.finals import Finals
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import FinalsSpec
from tests.sweeper.analysis.summary.sweeps import trial

SWEEPS = 1000
Draw = Callable[[int, int], float]  # what a setting comes to with a seed


class Race:
    """A sweep of closed form and its finals, in the rounds of `sweeper.engine.upcoming`."""

    def __init__(self, draw: Draw, num_points: int, num_seeds: int, rules: FinalsSpec) -> None:
        self.draw, self.rules = draw, rules
        self.finals = Finals(rules, num_seeds)
        self.trials: list[TrialData] = []
        for seed in range(num_seeds):
            self._run([{"x": x} for x in range(num_points)], seed)
        points = tuple(self.tied()[: rules.top])
        begun = datetime.now(UTC)
        seeds = tuple(range(num_seeds, num_seeds + rules.seeds))
        self.finals.begun = FinalsStarted(time=begun, points=points, seeds=seeds)
        self.left = self.tied()
        for seed in seeds:
            if len(self.left) > 1:
                self._run(self.left, seed)
                self.left = [point for point in self.tied() if point in self.left]

    def _run(self, points: list[Point], seed: int) -> None:
        for point in points:
            value = self.draw(int(str(point["x"])), seed)
            self.trials.append(trial(f"{len(self.trials):04d}", point, value, seed=seed))

    def tied(self) -> list[Point]:
        ranking = rank(self.trials, "min", repeated=True, finals=self.finals)
        noise = noise_in(ranking)
        return [p.point for p in (ranking.contenders if noise is None else noise.tied)]


KINDS = [  # settings, seeds of each, finals
    (3, 1, FinalsSpec(top=3, seeds=3)),
    pytest.param(24, 1, FinalsSpec(top=3, seeds=3), marks=pytest.mark.slow),
    pytest.param(8, 2, FinalsSpec(top=3, seeds=3), marks=pytest.mark.slow),
    (2, 1, FinalsSpec(top=2, seeds=6)),
]


def drawing(number: int, shared: float, own: float, lead: float = 0.0) -> Draw:
    """A seed shifts all settings alike, and moves each by itself; setting 7 is ahead."""
    rng = np.random.default_rng(number)
    shifts = rng.normal(0, shared, 20)
    return lambda x, seed: 3.0 - lead * (x == 7) + shifts[seed] + rng.normal(0, own)


@pytest.mark.parametrize(("num_points", "num_seeds", "rules"), KINDS)
def test_settings_that_are_all_alike_rarely_have_a_winner(
    num_points: int, num_seeds: int, rules: FinalsSpec
) -> None:
    claims = 0
    for number in range(SWEEPS):
        race = Race(drawing(number, 0.03, 0.01), num_points, num_seeds, rules)
        claims += len(race.left) == 1
    assert claims / SWEEPS <= 1 - rules.confidence


@pytest.mark.slow
def test_nor_have_they_where_the_noise_is_that_of_recorded_runs() -> None:
    """What the seeds of each family's best settings leave over from their means, drawn again."""
    for family in families():
        good = sorted(final_losses(read_family(family)).values(), key=statistics.mean)[:GOOD]
        left_over = [value - statistics.mean(of) for of in good for value in of]
        claims = 0
        for number in range(SWEEPS // 4):
            rng = np.random.default_rng(number)
            race = Race(lambda *_, rng=rng: rng.choice(left_over), 8, 1, FinalsSpec())  # noqa: B023
            claims += len(race.left) == 1
        assert claims / (SWEEPS // 4) <= 0.05, family


@pytest.mark.parametrize("shared", [0.0, 3.0])
def test_one_that_is_ahead_is_found(shared: float) -> None:
    """Of 12 settings one is ahead, by 4 deviations of what a seed does to one alone."""
    found = wrong = spent = 0
    for number in range(SWEEPS // 4):
        race = Race(drawing(number, shared, 1.0, lead=4.0), 12, 1, FinalsSpec())
        found += race.left == [{"x": 7}]
        wrong += len(race.left) == 1 and race.left != [{"x": 7}]
        spent += len(race.trials) - 12
    assert found >= 0.75 * SWEEPS // 4
    assert wrong <= 0.05 * SWEEPS // 4
    assert spent < 9 * SWEEPS // 4  # not all of the budget
