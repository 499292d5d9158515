"""The winner and its margin."""

import pytest

from sweeper.analysis.summary.summarising import winner_of
from sweeper.status import Status
from tests.sweeper.analysis.summary.sweeps import by_rate, seeded, sweep_of, trial


def test_the_best_mean_over_seeds_wins_not_the_luckiest_seed() -> None:
    sweep = sweep_of(seeded({1e-3: [2.0, 2.1, 2.2], 1e-2: [1.9, 2.5, 2.5]}))
    winner = winner_of(sweep)
    assert winner is not None
    assert winner.best.point == {"learning_rate": 1e-3}
    assert winner.best.mean == pytest.approx(2.1)
    assert winner.trial.value == 2.0  # the best of its seeds
    assert winner.margin is not None
    assert winner.margin.trial.point == {"learning_rate": 1e-2}
    assert winner.margin.value == pytest.approx(0.2)
    assert winner.margin.step is None


def test_larger_is_better_where_the_objective_says_so() -> None:
    sweep = sweep_of(by_rate({1e-3: 1.0, 1e-2: 2.0}), mode="max")
    winner = winner_of(sweep)
    assert winner is not None
    assert winner.best.point == {"learning_rate": 1e-2}


def test_only_what_ran_to_its_end_can_win() -> None:
    trials = [*by_rate({1e-3: 2.0}), *by_rate({1e-2: 0.1}, Status.STOPPED)]
    sweep = sweep_of(trials)
    assert [p.point["learning_rate"] for p in sweep.ranking.points] == [1e-3]
    assert winner_of(sweep_of(trials[1:])) is None


def test_a_lone_finisher_is_measured_where_the_next_was_stopped() -> None:
    best = trial("0000", {"learning_rate": 1e-3}, 3.0, 2.0, 1.0)
    other = trial("0001", {"learning_rate": 1e-2}, 3.5, 2.25, status=Status.STOPPED)
    sweep = sweep_of([best, other])
    winner = winner_of(sweep)
    assert winner is not None
    assert winner.margin is not None
    assert (winner.margin.trial.trial_id, winner.margin.step, winner.margin.value) == (
        "0001",
        8,
        0.25,
    )


def test_alone_it_is_ahead_of_nobody() -> None:
    sweep = sweep_of(by_rate({1e-3: 1.0}))
    winner = winner_of(sweep)
    assert winner is not None
    assert winner.margin is None


def test_a_mean_of_the_seeds_that_did_well_is_marked_as_flattered() -> None:
    trials = seeded({1e-3: [2.0, 2.1]})
    stopped = trial("s", {"learning_rate": 1e-3}, 4.0, status=Status.STOPPED, seed=2)
    assert sweep_of([*trials, stopped]).ranking.points[0].is_flattered
    assert not sweep_of(trials).ranking.points[0].is_flattered
