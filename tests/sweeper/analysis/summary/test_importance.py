"""Importance: what decides comes first."""

import math
import random

from sweeper.analysis.reading.sweep_data import Parameter, SweepData
from sweeper.analysis.summary.importance import importance_of
from sweeper.analysis.summary.levels import Level, levels_of
from sweeper.analysis.summary.pairs import pairs_of
from sweeper.status import Status
from tests.sweeper.analysis.summary.sweeps import LEARNING_RATE, SIZE, sweep_of, trial

RATE = Parameter(name="learning_rate", scale="log", low=1e-4, high=1e-1)


def random_search(number: int) -> SweepData:
    rng = random.Random(0)
    trials = []
    for index in range(number):
        rate, size = 10 ** rng.uniform(-4, -1), rng.choice(["small", "large"])
        loss = 1 + math.log10(rate / 1e-3) ** 2 + (0.01 if size == "small" else 0)
        trials.append(trial(f"{index:04d}", {"learning_rate": rate, "size": size}, loss))
    return sweep_of(trials, [RATE, SIZE])


def test_what_decides_the_loss_has_nearly_all_of_the_importance() -> None:
    sweep = random_search(60)
    importance = importance_of(sweep, levels_of(sweep))
    assert importance is not None
    shares = dict(importance.shares)
    assert shares["learning_rate"] > 0.8
    assert math.isclose(sum(shares.values()), 1)
    assert importance.num_trials == 60


def test_it_is_judged_at_the_deepest_level_that_most_trials_have() -> None:
    sweep = random_search(60)
    levels = [
        Level(rung=rung, values={t.trial_id: t.value or 0.0 for t in sweep.trials[:reached]})
        for rung, reached in ((4, 60), (8, 31), (16, 29))
    ]
    importance = importance_of(sweep, levels)
    assert importance is not None
    assert (importance.level.rung, importance.num_trials) == (8, 31)
    importance = importance_of(sweep, [levels[2]])
    assert importance is not None, "most did not get anywhere else"
    assert importance.num_trials == 29


def test_few_trials_or_one_name_tell_nothing() -> None:
    few = random_search(6)
    assert importance_of(few, levels_of(few)) is None
    alone = sweep_of(random_search(60).trials, [RATE])
    assert importance_of(alone, levels_of(alone)) is None


def test_a_cell_is_the_best_that_completed_in_it() -> None:
    trials = [
        trial("0000", {"learning_rate": 1e-3, "size": "small"}, 2.0),
        trial("0001", {"learning_rate": 1e-3, "size": "small"}, 3.0),
        trial("0002", {"learning_rate": 1e-2, "size": "large"}, 1.0, status=Status.STOPPED),
    ]
    [pair] = pairs_of(sweep_of(trials, [LEARNING_RATE, SIZE]))
    cells = {(c.x, c.y): (c.value, c.trial_id, c.trial_ids) for c in pair.cells}
    assert cells == {
        (1, 0): (2.0, "0000", ("0000", "0001")),
        (2, 1): (None, "0002", ("0002",)),
    }
