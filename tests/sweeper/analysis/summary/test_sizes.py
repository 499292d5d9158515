"""The best of each size, in their own order, and what a loss costs."""

from dataclasses import replace

import pytest

from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.summary import summarise
from sweeper.analysis.summary.costs import Front
from sweeper.record.state.events import FinalsEnded, FinalsStarted, now
from sweeper.record.state.finals import Finals
from sweeper.spec.sweep_spec import FinalsSpec
from sweeper.status import Status
from sweeper.views.verdict import basis_of
from tests.sweeper.analysis.summary.sweeps import LEARNING_RATE, SIZE, by_rate, sweep_of, trial

SIZES = replace(SIZE, options=("small", "medium", "large"), changes_size=True)
PARAMS = {"small": 1000, "medium": 4000, "large": 16000}
BEST = {"small": 1.0, "medium": 0.0, "large": -1.0}  # octaves from 1e-3


def of_size(size: str, **more: object) -> list[TrialData]:
    loss = {1e-3 * 2**x: 3 - 0.2 * list(BEST).index(size) + 0.1 * (x - BEST[size]) ** 2
            for x in range(-3, 4)}  # fmt: skip
    return [
        replace(each, trial_id=f"{size}{each.trial_id}", num_params=PARAMS[size], **more)
        for each in by_rate(loss, size=size)
    ]


def swept(*sizes: str) -> SweepData:
    trials = [each for size in sizes for each in of_size(size)]
    sweep = sweep_of(trials, [LEARNING_RATE, SIZES])
    return replace(sweep, trials=sweep.ranking.trials)


def test_each_size_has_its_own_best_from_the_smallest_up() -> None:
    sizes = summarise(swept("large", "small", "medium")).sizes
    assert [each.size for each in sizes] == [{"size": size} for size in BEST]
    for each in sizes:
        at = 1e-3 * 2 ** BEST[str(each.size["size"])]
        assert each.settings == {"learning_rate": pytest.approx(at)}
        (optimum,) = each.optima
        assert optimum.low <= at <= optimum.high


def test_one_size_is_no_sweep_over_sizes() -> None:
    assert summarise(swept("small")).sizes == ()
    assert summarise(sweep_of(by_rate({1e-3: 1.0, 1e-2: 2.0}))).sizes == ()


def test_a_size_that_has_not_come_to_its_end_has_no_best() -> None:
    trials = [*of_size("small"), *of_size("large", status=Status.RUNNING)]
    small, large = summarise(sweep_of(trials, [LEARNING_RATE, SIZES])).sizes
    assert small.best is not None
    assert (large.best, large.value) == (None, None)
    assert large.trial.point["size"] == "large"


def test_what_is_tied_is_asked_of_each_size_by_itself() -> None:
    """At the small size seeds differ by 0.5, at the large one by 0.001."""
    trials = [
        trial(
            f"{size}{rate}-{seed}", {"learning_rate": rate, "size": size},
            loss + noise * (seed if rate == 1e-3 else 2 - seed), seed=seed, num_params=PARAMS[size],
        )
        for size, noise in (("small", 0.5), ("large", 0.001))
        for rate, loss in ((1e-3, 3.0), (1e-2, 3.1))
        for seed in (0, 1, 2)
    ]  # fmt: skip
    small, large = summarise(sweep_of(trials, [LEARNING_RATE, SIZES])).sizes
    assert [rival.point["learning_rate"] for rival in small.rivals] == [1e-2]
    assert large.rivals == ()


def test_a_size_is_compared_by_its_own_finalists() -> None:
    """At the small one the better of them is lucky in its two seeds; at the large one the better
    diverged; with the third size they have nothing to do."""
    shifts = -0.3, -0.3, 0.3, 0.3
    ends = {
        ("small", 1e-3): [2.0 + shift for shift in shifts],
        ("small", 1e-2): [2.05 + shift for shift in shifts[:2]],
        ("large", 1e-3): [1.0 + shift for shift in shifts[:2]],
        ("large", 1e-2): [1.1 + shift for shift in shifts],
        ("medium", 1e-3): [1.5],
    }
    points = [{"size": size, "learning_rate": rate} for size, rate in ends]
    trials = [
        trial(f"{place}-{seed}", points[place], end, seed=seed, num_params=PARAMS[size])
        for place, ((size, _), of) in enumerate(ends.items())
        for seed, end in enumerate(of)
    ]
    trials.append(
        trial("lost", points[2], 9.0, seed=2, status=Status.DIVERGED, num_params=PARAMS["large"])
    )
    begun = FinalsStarted(time=now(), points=tuple(points[:4]), seeds=(1, 2, 3))
    ended = FinalsEnded(time=now(), winner=None)
    finals = Finals(FinalsSpec(), 1, begun, ended=ended)
    sizes = summarise(sweep_of(trials, [LEARNING_RATE, SIZES], finals=finals)).sizes
    rates = [(each.size["size"], each.settings["learning_rate"]) for each in sizes]
    assert rates == [("small", 1e-3), ("medium", 1e-3), ("large", 1e-2)]


def fronts(sweep: SweepData) -> dict[str, Front]:
    return {front.cost: front for front in summarise(sweep).fronts}


def test_on_the_front_are_those_that_none_is_cheaper_and_better_than() -> None:
    losses = {"small": 2.0, "medium": 2.5, "large": 1.0}
    trials = [
        trial(size, {"size": size}, loss, num_params=PARAMS[size], flops_per_step=PARAMS[size])
        for size, loss in losses.items()
    ]
    found = fronts(sweep_of(trials, [SIZES]))
    assert set(found) == {"parameters", "FLOPs"}, "tokens and seconds are the same for all"
    for front in found.values():
        assert [point.result.best.trial_id for point in front.points] == list(PARAMS)
        assert [point.on_front for point in front.points] == [True, False, True]
    assert [point.cost for point in found["FLOPs"].points] == [4000, 16000, 64000]


def test_no_view_shows_a_value_that_contradicts_the_order() -> None:
    """Seed 0 is easier than the mean of all three by one, and the small one had no other."""
    losses = {"medium": [1.5, 2.5, 3.5], "small": [1.05], "large": [1.0, 2.0, 3.0]}
    trials = [
        trial(f"{size}-{seed}", {"size": size}, loss, seed=seed, num_params=PARAMS[size])
        for size, of in losses.items()
        for seed, loss in enumerate(of)
    ]
    sweep = sweep_of(trials, [SIZES])
    summary, ranking = summarise(sweep), sweep.ranking
    assert [p.point["size"] for p in ranking.points] == ["large", "small", "medium"]
    corrected = pytest.approx([2.05, 2.5, 2.0])
    assert [point.value for point in fronts(sweep)["parameters"].points] == corrected
    assert [size.value for size in summary.sizes] == corrected
    assert [s.value for s in summary.responses[0].curves[-1].samples] == corrected
    basis = [basis_of(ranking, point) for point in ranking.points]
    assert basis[0] == basis[2] == "the mean over 3 seeds"
    assert basis[1].startswith("1.0500 over the seeds that it had, corrected")


def test_more_is_better_where_the_objective_says_so() -> None:
    trials = [
        trial(size, {"size": size}, 1.0 + k, num_params=PARAMS[size])
        for k, size in enumerate(PARAMS)
    ]
    front = fronts(sweep_of(trials, [SIZES], mode="max"))["parameters"]
    assert all(point.on_front for point in front.points)
    front = fronts(sweep_of(trials, [SIZES]))["parameters"]
    assert [point.on_front for point in front.points] == [True, False, False]


def test_seconds_alone_are_no_cost_to_choose_by() -> None:
    trials = by_rate({1e-3: 1.0, 1e-2: 2.0})
    slow = replace(
        trials[0], evaluations=tuple(replace(e, seconds=99.0) for e in trials[0].evaluations)
    )
    assert fronts(sweep_of([slow, trials[1]])) == {}
