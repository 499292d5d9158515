"""Who is in the finals, who stays in them, and who wins."""

import math
from pathlib import Path
from typing import Any

import pytest

from sweeper.analysis.reading.loading import load
from sweeper.engine.sweep import Sweep
from sweeper.record.ranking import ranking_of
from sweeper.status import Status
from sweeper.views.verdict import verdict_of, why_none
from tests.sweeper.engine.upcoming.finals import (
    ALIKE,
    SCHEDULERS,
    TOLD_APART,
    losses,
    new_folder,
    noisy,
    of_finals,
    plan_of,
    winner,
)
from tests.sweeper.in_process import drive

__all__ = ["losses", "plan_of"]  # fixtures


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_best_run_on_with_fresh_seeds_until_one_stands_out(
    tmp_path: Path, losses: Any, plan_of: Any, scheduler: str
) -> None:
    losses(noisy(TOLD_APART))
    plan = plan_of(scheduler)
    sweep = drive(new_folder(tmp_path, plan), plan)
    assert of_finals(sweep) == [(t.config.learning_rate, 1) for t in finalists(sweep)]
    assert winner(sweep) == {"learning_rate": 1e-3}
    best = ranking_of(sweep.state).best
    assert best is not None
    assert (best.point, len(best.values)) == ({"learning_rate": 1e-3}, 2)


def finalists(sweep: Sweep) -> list[Any]:
    first = [trial for trial in sweep.trials.values() if not trial.is_final]
    done = [trial for trial in first if trial.status is Status.COMPLETED]
    return sorted(done, key=lambda trial: trial.evaluations[-1].val_loss)[:3]


def test_what_is_alike_stays_tied_when_every_seed_is_used_up(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    losses(noisy(ALIKE))
    plan = plan_of()
    sweep = drive(new_folder(tmp_path, plan), plan)
    ran = of_finals(sweep)
    assert len(ran) == 9
    assert [seed for _, seed in ran] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert len({rate for rate, _ in ran}) == 3
    assert winner(sweep) is None
    assert sweep.state.num_trials == 14


def test_who_is_behind_by_more_than_noise_runs_no_more(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    losses(noisy({1e-3: 1.0, 3e-3: 1.0, 1e-2: 1.7}))
    plan = plan_of()
    ran = of_finals(drive(new_folder(tmp_path, plan), plan))
    assert ran.count((1e-2, 1)) == 1
    assert (1e-2, 3) not in ran
    assert (1e-3, 3) in ran


def test_where_seeds_have_told_the_best_apart_there_are_none(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    losses(noisy(TOLD_APART))
    plan = plan_of(seeds=[0, 1, 2])
    sweep = drive(new_folder(tmp_path, plan), plan)
    assert of_finals(sweep) == []
    assert winner(sweep) == {"learning_rate": 1e-3}


def test_a_lucky_seed_of_another_point_is_not_ahead_of_the_finalists(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    """The finalists' means come back to what they are; that of a point with one seed does not."""

    def loss_at(config: Any, step: int) -> float:
        first = {1e-4: 1.0, 1e-3: 1.1, 3e-3: 1.2, 1e-2: 1.3}.get(config.learning_rate, 9.0)
        later = {1e-4: 2.0, 1e-3: 2.2, 3e-3: 2.1}.get(config.learning_rate, math.nan)
        return (first if config.seed == 0 else later) + 1 / step

    losses(loss_at)
    plan = plan_of()
    state = drive(new_folder(tmp_path, plan), plan).state
    assert ranking_of(state).best is not None
    assert ranking_of(state).points[0].point == {"learning_rate": 1e-4}
    assert ranking_of(state).points[3].mean < ranking_of(state).points[0].mean


def test_a_point_that_was_drawn_twice_is_one_run_and_no_repeat(
    tmp_path: Path, losses: Any, tiny_plan: Any
) -> None:
    """Two trials of one seed are alike whatever the noise is."""
    losses(noisy(ALIKE))
    plan = tiny_plan(
        space={"learning_rate": {"choice": [1e-3, 1e-2]}},
        search={"algorithm": "random", "num_trials": 6},
        scheduler=SCHEDULERS["fifo"],
        finals={"top": 2, "seeds": 1},
    )
    points = ranking_of(drive(new_folder(tmp_path, plan), plan).state).points
    assert [len(point.values) for point in points] == [2, 2]
    assert sorted(len(point.completed) for point in points)[-1] >= 4


def test_a_finalist_of_which_a_fresh_seed_diverges_is_out(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    """It runs no more seeds, and is no winner, however good its others are: for every view."""
    tell = noisy({1e-3: 1.0, 3e-3: 1.1, 1e-2: 1.1})

    def loss_at(config: Any, step: int) -> float:
        lost = config.learning_rate == 1e-3 and config.seed == 1
        return math.nan if lost else tell(config, step)

    losses(loss_at)
    plan = plan_of()
    folder = new_folder(tmp_path, plan)
    sweep = drive(folder, plan)
    assert [each for each in of_finals(sweep) if each[0] == 1e-3] == [(1e-3, 1)]
    ranking = load(folder).ranking
    assert {point.point["learning_rate"] for point in ranking.finalists} == {3e-3, 1e-2}
    assert ranking.points[-1].point == {"learning_rate": 1e-3}
    assert winner(sweep) != {"learning_rate": 1e-3}


@pytest.mark.parametrize(("lost", "told"), [({3e-3, 1e-2}, "only one"), (TOLD_APART, "of each")])
def test_who_is_left_when_seeds_of_the_others_have_diverged(
    tmp_path: Path, losses: Any, plan_of: Any, lost: set[float], told: str
) -> None:
    tell = noisy({1e-3: 1.0, 3e-3: 1.0, 1e-2: 1.0})

    def loss_at(config: Any, step: int) -> float:
        return math.nan if config.learning_rate in lost and config.seed else tell(config, step)

    losses(loss_at)
    plan = plan_of()
    folder = new_folder(tmp_path, plan)
    sweep = drive(folder, plan)
    assert len(of_finals(sweep)) == 3, "one round, then there are not two to compare"
    assert winner(sweep) == (None if 1e-3 in lost else {"learning_rate": 1e-3})
    ranking = load(folder).ranking
    verdict = verdict_of(ranking, finished=True)
    assert told in (why_none(ranking) if verdict is None else verdict.text)
    assert (ranking.best is None) == (winner(sweep) is None)


def test_who_is_out_stays_out_though_its_seeds_were_lucky(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    """Later seeds are bad for all: who has not had them is ahead in the mean over its own."""
    levels = {1e-3: 2.0, 3e-3: 2.001, 1e-2: 2.05}
    own = noisy({}, deviation=0.002)

    def loss_at(config: Any, step: int) -> float:
        shift = -0.3 if config.seed < 2 else 0.3
        return levels.get(config.learning_rate, 9.0) + shift + own(config, step) - 9.0

    losses(loss_at)
    plan = plan_of()
    sweep = drive(new_folder(tmp_path, plan), plan)
    ran = of_finals(sweep)
    assert [seed for rate, seed in ran if rate == 1e-2] == [1]
    assert [seed for rate, seed in ran if rate == 1e-3] == [1, 2, 3]
    best = ranking_of(sweep.state).best
    assert best is not None
    assert best.point != {"learning_rate": 1e-2}


def test_a_point_of_which_a_seed_of_the_first_pass_diverged_comes_into_no_finals(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    """However good its others are; those that come into them run and can win."""
    ends = {(1e-3, 0): 1.5, (3e-3, 0): 1.9, (3e-3, 1): 1.91, (1e-2, 0): 1.91, (1e-2, 1): 1.9}
    later = noisy({3e-3: 1.9, 1e-2: 1.9})

    def loss_at(config: Any, step: int) -> float:
        if config.seed > 1:
            return later(config, step)
        return ends.get((config.learning_rate, config.seed), math.nan) + 1 / step

    losses(loss_at)
    plan = plan_of(seeds=[0, 1])
    sweep = drive(new_folder(tmp_path, plan), plan)
    assert {rate for rate, _ in of_finals(sweep)} == {3e-3, 1e-2}
    best = ranking_of(sweep.state).best
    assert best is not None
    assert best.point != {"learning_rate": 1e-3}
