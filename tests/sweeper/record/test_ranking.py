"""The order of merit, the best point, its best trial, the next one and the margin to it."""

import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.analysis.noise import noise_in
from sweeper.plan.plan import Plan
from sweeper.record.ranking import Ranking, best_trial, rank, ranked, ranking_of
from sweeper.record.state.events import FinalsEnded, FinalsStarted, now
from sweeper.record.state.finals import Finals
from sweeper.spec.sweep_spec import FinalsSpec
from sweeper.status import Status
from tests.sweeper.analysis.summary.sweeps import by_rate, seeded, trial
from tests.sweeper.record.test_tables import state_with


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    return tiny_plan(space={"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 1e-1, 0.2]}})


def ids(ranking: Ranking[Any]) -> list[str]:
    return [each.trial_id for each in ranking.trials]


def place(trials: Sequence[Any], mode: Any = "min", *, repeated: bool = True) -> Ranking[Any]:
    return rank(trials, mode, repeated=repeated)


def test_completed_trials_come_first_then_who_got_furthest(plan: Plan) -> None:
    state = state_with(
        plan,
        (Status.STOPPED, [(4, 1.0)]),
        (Status.COMPLETED, [(16, 3.0)]),
        (Status.STOPPED, [(8, 2.0)]),
        (Status.COMPLETED, [(16, 2.5)]),
        (Status.DIVERGED, [(4, None)]),
    )
    assert [t.trial_id for t in ranked(state)] == ["0003", "0001", "0002", "0000", "0004"]
    best = best_trial(state)
    assert best is not None
    assert best.trial_id == "0003"


def test_nothing_completed_nothing_won(plan: Plan) -> None:
    assert best_trial(state_with(plan, (Status.STOPPED, [(8, 1.0)]))) is None
    assert best_trial(state_with(plan, (Status.COMPLETED, [(16, None)]))) is None
    ranking = ranking_of(state_with(plan, (Status.RUNNING, [(8, 1.0)]), (Status.PENDING, [])))
    assert (ranking.best, ranking.winner, ranking.margin) == (None, None, None)
    assert ranking.leader is not None
    assert ranking.leader.trial_id == "0000"
    assert ranking_of(state_with(plan)).leader is None


def test_the_margin_is_taken_at_the_last_step_that_both_reached(plan: Plan) -> None:
    state = state_with(
        plan,
        (Status.COMPLETED, [(4, 3.0), (8, 2.0), (16, 1.0)]),
        (Status.STOPPED, [(4, 3.5), (8, 2.25)]),
        (Status.STOPPED, [(4, 3.1)]),
    )
    margin = ranking_of(state).margin
    assert margin is not None
    assert (margin.trial.trial_id, margin.step, margin.value) == ("0001", 8, 0.25)


def test_alone_it_is_ahead_of_nobody(plan: Plan) -> None:
    state = state_with(plan, (Status.COMPLETED, [(16, 1.0)]), (Status.FAILED, []))
    assert ranking_of(state).margin is None


def test_a_seed_of_a_state_is_no_part_of_the_point(tiny_plan: Any) -> None:
    plan = tiny_plan(space={"learning_rate": {"grid": [1e-4, 1e-3]}}, seeds=[0, 1])
    losses = {1e-4: [1.0, 3.0], 1e-3: [1.5, 1.7]}
    values = [planned.values for planned in plan.trials]
    ends = [losses[v["learning_rate"]][v["seed"]] for v in values]
    ranking = ranking_of(state_with(plan, *[(Status.COMPLETED, [(16, end)]) for end in ends]))
    assert [dict(point.point) for point in ranking.points] == [
        {"learning_rate": 1e-3}, {"learning_rate": 1e-4},
    ]  # fmt: skip
    assert ranking.winner is not None
    assert ranking.winner.value == 1.5
    assert [each.value for each in ranking.trials] == [1.5, 1.7, 1.0, 3.0]


def test_the_luckiest_seed_of_a_poor_point_wins_nothing() -> None:
    ranking = place(seeded({1e-2: [1.9, 2.5, 2.5], 1e-3: [2.2, 2.0, 2.1]}))
    assert ids(ranking) == ["0.001-1", "0.001-2", "0.001-0", "0.01-0", "0.01-1", "0.01-2"]
    assert ranking.margin is not None
    assert ranking.margin.trial.trial_id == "0.01-0"
    assert ranking.margin.value == pytest.approx(0.2)
    assert ranking.margin.step is None


def test_above_nought_is_ahead_also_where_more_is_better() -> None:
    ranking = place(by_rate({1e-3: 1.0, 1e-2: 2.0, 1e-1: 1.5}), "max", repeated=False)
    assert ids(ranking) == ["c001", "c002", "c000"]
    assert ranking.margin is not None
    assert ranking.margin.value == 0.5


@pytest.mark.parametrize(("mode", "behind"), [("min", 2.2), ("max", 1.8)])
def test_on_the_way_the_best_can_be_behind(mode: Any, behind: float) -> None:
    """The one that was stopped at step 4 was better there than the later winner."""
    winner = trial("0000", {"learning_rate": 1e-3}, behind, 1.0)
    other = trial("0001", {"learning_rate": 1e-2}, 2.0, status=Status.STOPPED)
    margin = place([winner, other], mode, repeated=False).margin
    assert margin is not None
    assert (margin.trial.trial_id, margin.step) == ("0001", 4)
    assert margin.value == pytest.approx(-0.2)


def test_on_the_way_points_are_compared_by_their_means_too() -> None:
    rates = {"learning_rate": 1e-3}, {"learning_rate": 1e-2}
    ours = [trial(f"a{s}", rates[0], v, 1.0, seed=s) for s, v in enumerate((2.0, 3.0))]
    theirs = [
        trial("b0", rates[1], 2.6, 2.55, status=Status.STOPPED, seed=0),
        trial("b1", rates[1], 3.0, status=Status.STOPPED, seed=1),
    ]
    margin = place([*ours, *theirs]).margin
    assert margin is not None
    assert (margin.trial.trial_id, margin.step) == ("b0", 8)
    assert margin.value == pytest.approx(2.55 - 1.0)
    margin = place([*ours, theirs[1]]).margin
    assert margin is not None
    assert (margin.trial.trial_id, margin.step) == ("b1", 4)
    assert margin.value == pytest.approx(3.0 - 2.5), "not against the lucky seed's 2.0"


def test_another_seed_of_the_winner_is_nobody_to_be_ahead_of() -> None:
    ended = trial("0000", {"learning_rate": 1e-3}, 1.0, seed=0)
    runs = trial("0001", {"learning_rate": 1e-3}, 1.0, status=Status.RUNNING, seed=1)
    assert place([ended, runs]).margin is None
    assert place([ended, runs], repeated=False).margin is not None


def test_of_equals_the_one_that_was_created_first_is_best() -> None:
    trials = [trial(name, {"learning_rate": 1e-3}, 1.0, seed=int(name)) for name in ("1", "0")]
    assert ids(place(trials)) == ["0", "1"]
    margin = place(by_rate({1e-3: 1.0, 1e-2: 1.0}), repeated=False).margin
    assert margin is not None
    assert (margin.value, margin.trial.trial_id) == (0.0, "c001")


def test_one_that_completed_without_a_number_is_behind_all_that_have_one() -> None:
    trials = [*by_rate({1e-3: 9.0}), trial("a", {"learning_rate": 1e-2}, 1.0, None)]
    ranking = place(trials, repeated=False)
    assert ids(ranking) == ["c000", "a"]
    assert len(ranking.points) == 1


@given(
    st.integers(1, 3).flatmap(
        lambda seeds: st.lists(
            st.lists(st.integers(0, 9), min_size=seeds, max_size=seeds), min_size=1, max_size=5
        )
    ),
    st.sampled_from(["min", "max"]),
    st.randoms(use_true_random=False),
)
def test_with_the_same_seeds_the_order_is_that_of_the_means_in_whatever_order_they_come(
    groups: list[list[int]], mode: Any, chance: random.Random
) -> None:
    trials = seeded({10.0**-index: list(map(float, group)) for index, group in enumerate(groups)})
    ranking = place(trials, mode)
    means = [statistics.fmean(point.values) for point in ranking.points]
    assert means == sorted(map(statistics.fmean, groups), reverse=mode == "max")
    best = (min if mode == "min" else max)(ranking.points[0].values)
    assert ranking.winner is ranking.trials[0]
    assert ranking.winner is not None
    assert ranking.winner.value == best
    assert ranking.margin is None or ranking.margin.value >= 0
    chance.shuffle(trials)
    assert ids(place(trials, mode)) == ids(ranking)


SHIFTS = -0.3, -0.3, 0.3, 0.3


def raced(ends: Mapping[str, Sequence[float | None]], *, ended: bool = True) -> Ranking[Any]:
    """The finals of these points, with seeds from 1 on; None: it diverged."""
    trials = [
        trial(f"{name}{seed}", {"x": name}, end, seed=seed)
        if end is not None
        else trial(f"{name}{seed}", {"x": name}, 9.0, seed=seed, status=Status.DIVERGED)
        for name, of in ends.items()
        for seed, end in enumerate(of)
    ]
    points = tuple({"x": name} for name in ends)
    finals = Finals(FinalsSpec(), 1, FinalsStarted(time=now(), points=points, seeds=(1, 2, 3)))
    if ended:
        finals.ended = FinalsEnded(time=now(), winner=None)
    return rank(trials, "min", repeated=True, finals=finals)


def test_finalists_stand_by_their_levels_not_by_the_luck_of_the_seeds_that_they_had() -> None:
    """What the seeds that only some of them have had do to all alike makes nobody better."""
    levels = {"b": 2.001, "a": 2.0, "c": 2.05}
    ends = {name: [level + shift for shift in SHIFTS] for name, level in levels.items()}
    ends["c"] = ends["c"][:2]
    ranking = raced(ends)
    assert [point.point["x"] for point in ranking.points] == ["a", "b", "c"]
    assert ranking.points[2].mean < ranking.points[0].mean
    assert ranking.margin is not None
    assert (ranking.margin.trial.point, ranking.margin.value) == ({"x": "b"}, pytest.approx(0.001))


def test_who_was_told_from_the_best_does_not_come_back() -> None:
    """Whatever is ahead after the later rounds, and however wide the noise is by then."""
    ends = {"a": [2.0, 2.1, 2.6, 2.4], "b": [2.1, 2.0, 2.0, 2.9], "c": [2.0, 2.0]}
    ranking = raced(ends)
    assert [point.point["x"] for point in ranking.racing] == ["b", "a"]
    assert [point.point["x"] for point in ranking.finalists] == ["b", "a", "c"]
    noise = noise_in(ranking)
    assert noise is not None
    assert {point.point["x"] for point in noise.tied} == {"a", "b"}
    last_has_begun = {"a": [2.0, 2.1, 2.6], "b": [2.1, 2.0], "c": [2.0, 2.0]}
    assert len(raced(last_has_begun, ended=False).racing) == 3


def test_a_point_of_which_a_seed_diverged_is_behind_the_others_without_finals_too() -> None:
    lost = trial("lost", {"learning_rate": 1e-3}, 9.0, seed=1, status=Status.DIVERGED)
    ranking = place([*seeded({1e-3: [1.5], 1e-2: [1.9, 1.91], 1e-1: [1.92, 1.9]}), lost])
    assert [point.point["learning_rate"] for point in ranking.points] == [1e-2, 1e-1, 1e-3]
    noise = noise_in(ranking)
    assert noise is not None
    assert ranking.points[2] not in noise.tied


@pytest.mark.parametrize("ends", [{"a": [1.0, None], "b": [1.1, None]}, {"a": [1.0, None]}])
def test_where_the_finals_leave_none_there_is_no_winner(ends: Any) -> None:
    ranking = raced(ends)
    assert ranking.none_is_left
    assert (ranking.best, ranking.winner, ranking.margin) == (None, None, None)
    assert not raced({**ends, "c": [1.2, 1.2]}).none_is_left
