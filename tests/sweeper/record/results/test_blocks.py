"""Seeds as blocks: against the textbook's sums, and where they tell nothing."""

from dataclasses import replace

import numpy as np
import pytest

from sweeper.analysis.noise import noise_in
from sweeper.analysis.summary.levels import levels_of
from sweeper.analysis.summary.response import _samples
from sweeper.record.results.blocks import blocks_of
from sweeper.record.results.point_result import PointResult
from tests.sweeper.analysis.summary.sweeps import by_rate, seeded, sweep_of, trial

RATES = (1e-4, 1e-3, 1e-2)


def test_where_all_have_the_same_seeds_it_is_the_textbooks_analysis_of_variance() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4))
    points = sweep_of(seeded(dict(zip(RATES, values.tolist(), strict=True)))).ranking.points
    blocks = blocks_of(points, 3)
    assert blocks is not None
    rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    assert blocks.degrees == 6
    assert blocks.deviation == pytest.approx(np.sqrt((rest**2).sum() / 6))
    assert [blocks.level(p) for p in points] == pytest.approx([p.mean for p in points])
    assert blocks.variance(points[2], points[0]) == pytest.approx(2 / 4)


def test_where_seeds_are_missing_it_is_least_squares() -> None:
    """Solved at full size: a column for each point and each seed."""
    values = np.random.default_rng(1).normal(size=(5, 4))
    had = [4, 2, 3, 1, 4]
    points = rank_of({rate: values[rate, :seeds] for rate, seeds in enumerate(had)})
    blocks = blocks_of(points, 5, 2)
    assert blocks is not None
    rows = [(place, *each) for place, p in enumerate(points) for each in p.by_seed.items()]
    design = np.zeros((len(rows), 9))
    for row, (place, seed, _) in enumerate(rows):
        design[row, [place, 5 + int(seed)]] = 1
    ends = np.array([value for *_, value in rows])
    fitted, _, rank, _ = np.linalg.lstsq(design, ends)
    rest = ends - design @ fitted
    assert blocks.degrees == len(rows) - rank
    assert blocks.deviation == pytest.approx(np.sqrt(rest @ rest / (len(rows) - rank)))
    inverse = np.linalg.pinv(design.T @ design)
    for place, point in enumerate(points):
        contrast = np.zeros(9)
        contrast[place] += 1
        contrast[0] -= 1
        apart = blocks.level(point) - blocks.level(points[0])
        assert apart == pytest.approx(contrast @ fitted)
        if place:
            variance = blocks.variance(point, points[0])
            assert variance == pytest.approx(contrast @ inverse @ contrast)


def test_one_with_fewer_seeds_is_compared_by_those_that_it_had() -> None:
    """Seeds 2 and 3 are good for all: who has had them is not better for that."""
    shift = np.array([0.0, 0.1, -1.0, -1.1])
    points = rank_of({1e-4: 3 + shift, 1e-3: 3.05 + shift, 1e-2: 2.95 + shift[:2]})
    assert [point.point["learning_rate"] for point in points] == [1e-2, 1e-4, 1e-3]
    blocks = blocks_of(points, 3)
    assert blocks is not None
    assert blocks.level(points[0]) - blocks.level(points[1]) == pytest.approx(-0.05)


def test_one_that_shares_no_seed_keeps_none_of_the_rest_from_being_compared() -> None:
    shift = np.array([0.0, 0.1, -1.0])
    alone = [trial("x", {"learning_rate": 0.1}, 2.9, seed=9)]
    trials = [*seeded({1e-4: list(3 + shift), 1e-3: list(3.05 + shift)}), *alone]
    finalists = sweep_of(trials).ranking.points
    points = sorted(finalists, key=lambda point: len(point.values), reverse=True)
    blocks = blocks_of(points, 3, 2)
    assert blocks is not None
    assert points[2] not in blocks
    assert blocks.degrees == 2


@pytest.mark.parametrize("value", [2.9, 3.05])
def test_a_point_alone_with_an_easy_seed_is_not_what_the_others_are_measured_by(
    value: float,
) -> None:
    """Seed 1 is harder than seed 0 by 4; whether seed 9 is easy nobody knows."""
    losses = {1e-4: [1.0, 5.0], 1e-3: [1.1, 5.1], 1e-2: [1.2, 5.25]}
    alone = trial("x", {"learning_rate": 0.1}, value, seed=9)
    ranking = sweep_of([*seeded(losses), alone]).ranking
    assert ranking.blocks is not None
    assert [point.point["learning_rate"] for point in ranking.points] == [1e-4, 1e-3, 1e-2, 0.1]
    assert noise_in(ranking) is not None and ranking.points[3] in noise_in(ranking).tied
    assert [ranking.value_of(p) for p in ranking.points] == pytest.approx([3, 3.1, 3.225, value])


def test_a_mean_that_is_on_no_scale_with_the_others_is_nowhere_beside_them() -> None:
    trials = seeded({1e-4: [3.0, 3.5], 1e-3: [3.1, 3.62], 1e-2: [3.2, 3.7]})
    trials += [trial("x", {"learning_rate": 0.1}, 2.0, seed=9)]
    sweep = sweep_of(trials)
    ranking = sweep.ranking
    assert [ranking.is_comparable(point) for point in ranking.points] == [True, True, True, False]
    alone = replace(ranking, points=(ranking.points[0], ranking.points[3]))
    assert alone.margin is None
    level = levels_of(sweep)[-1]
    rate = next(p for p in sweep.parameters if p.name == "learning_rate")
    shown = {sample.x for sample in _samples(sweep, rate, sweep.trials, level)}
    assert shown == {1e-4, 1e-3, 1e-2}


def test_one_with_a_seed_that_no_other_had_is_compared_by_those_that_others_had() -> None:
    trials = seeded({1e-4: [1.0, 5.0], 1e-3: [1.1, 5.1], 1e-2: [1.2, 5.25]})
    others = [trial(f"{n}", {"learning_rate": n}, 1.5 + n, seed=0) for n in range(1, 10)]
    own = [trial(f"o{s}", {"learning_rate": 0.1}, v, seed=s) for s, v in ((0, 0.9), (9, 90.0))]
    ranking = sweep_of([*trials, *others, *own]).ranking
    assert ranking.best is not None
    assert ranking.best.point["learning_rate"] == 0.1
    assert ranking.blocks is not None
    alike = ranking.blocks.variance(ranking.points[0], ranking.points[-1])
    assert alike == pytest.approx(2), "of one seed each"


def test_one_that_does_not_compete_is_compared_by_what_the_others_tell() -> None:
    """Its own rest is large and says nothing of theirs. It had one of the seeds: what is left
    unsure of the difference is as was said."""
    alone, apart = [], []
    for number in range(300):
        rng = np.random.default_rng(number)
        shift = rng.normal(0, 3, 3)
        good = {rate: list(shift + rng.normal(0, 1, 3)) for rate in RATES}
        points = rank_of(good | {1e-1: shift[:1] + 100 + rng.normal(0, 1)})
        blocks = blocks_of(points, 3)
        assert blocks is not None
        alone.append(blocks.deviation)
        apart.append(blocks.level(points[3]) - blocks.level(points[1]))
    assert np.mean(np.square(alone)) == pytest.approx(1, rel=0.15)
    assert np.var(apart) == pytest.approx(blocks.variance(points[3], points[1]), rel=0.25)


@pytest.mark.parametrize("groups", [{1e-4: [1.0, 1.1], 1e-3: [1.2]}, {1e-4: [1.0], 1e-3: [1.2]}])
def test_where_too_few_seeds_are_shared_there_is_nothing_to_tell(groups: dict) -> None:
    assert blocks_of(sweep_of(seeded(groups)).ranking.points, 2) is None


def test_trials_whose_seeds_are_not_known_are_no_blocks() -> None:
    assert blocks_of(sweep_of(by_rate({1e-4: 1.0, 1e-3: 1.2})).ranking.points, 2) is None


def test_of_no_points_there_is_nothing_to_tell() -> None:
    assert blocks_of([], 0) is None


def rank_of(groups: dict) -> tuple[PointResult, ...]:
    return sweep_of(seeded({rate: list(of) for rate, of in groups.items()})).ranking.points
