"""Seeds as blocks: against the textbook's sums, and where they tell nothing."""

import numpy as np
import pytest

from sweeper.analysis.blocks import blocks_of
from sweeper.analysis.noise import noise_of
from tests.sweeper.analysis.summary.sweeps import by_rate, seeded, sweep_of

RATES = (1e-4, 1e-3, 1e-2)


def test_where_all_have_the_same_seeds_it_is_the_textbooks_analysis_of_variance() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4))
    points = sweep_of(seeded(dict(zip(RATES, values.tolist(), strict=True)))).ranking.points
    blocks = blocks_of(points)
    assert blocks is not None
    rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    assert blocks.degrees == 6
    assert blocks.deviation == pytest.approx(np.sqrt((rest**2).sum() / 6))
    apart, share = blocks.difference(2, 0)
    assert apart == pytest.approx(points[2].mean - points[0].mean)
    assert share == pytest.approx(2 / 4)


def test_one_with_fewer_seeds_is_compared_by_those_that_it_had() -> None:
    """Seeds 2 and 3 are good for all: who has had them is not better for that."""
    shift = np.array([0.0, 0.1, -1.0, -1.1])
    groups = {1e-4: 3 + shift, 1e-3: 3.05 + shift, 1e-2: 2.95 + shift[:2]}
    points = sweep_of(seeded({k: list(v) for k, v in groups.items()})).ranking.points
    assert [point.point["learning_rate"] for point in points] == [1e-4, 1e-3, 1e-2]
    blocks = blocks_of(points)
    assert blocks is not None
    assert blocks.difference(2, 0)[0] == pytest.approx(-0.05)
    noise = noise_of(points, num_finalists=3)
    assert noise is not None
    assert points[2] in noise.tied, "it is behind by its seeds alone"
    assert points[1] not in noise.tied


@pytest.mark.parametrize("groups", [{1e-4: [1.0, 1.1], 1e-3: [1.2]}, {1e-4: [1.0], 1e-3: [1.2]}])
def test_where_too_few_seeds_are_shared_there_is_nothing_to_tell(groups: dict) -> None:
    assert blocks_of(sweep_of(seeded(groups)).ranking.points) is None


def test_trials_whose_seeds_are_not_known_are_no_blocks() -> None:
    assert blocks_of(sweep_of(by_rate({1e-4: 1.0, 1e-3: 1.2})).ranking.points) is None
