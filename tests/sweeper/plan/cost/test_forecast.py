"""The forecast against slow references: every order of merit, and closed forms."""

import itertools
import math
import statistics
from collections import Counter
from typing import Any

import pytest

from sweeper.plan.cost import forecast as module
from sweeper.plan.cost.forecast import forecast
from sweeper.plan.cost.shapes import Machine, Shape, Speed, shape_of, shapes
from sweeper.plan.plan import Plan
from sweeper.strategy.simulation import orders_of_merit
from trainable.loop.memory import estimate_memory
from trainable.model.model_size import flops_per_token

ONE_SLOT = Machine(slots=1, free_memory=None)
TOKENS_PER_STEP = 4 * 16
FIFO = {"type": "fifo"}


def learning_rates(num_trials: int) -> dict[str, Any]:
    return {"learning_rate": {"grid": [1e-3 * (i + 1) for i in range(num_trials)]}}


def speeds_of(plan: Plan, **speed: float) -> dict[Shape, Speed]:
    return {shape: Speed(**speed) for shape in shapes(plan)}


def reached_in_turn(merits: tuple[int, ...], rungs: list[int], factor: int) -> Counter[int]:
    """The stopping rule in words: one trial after the other, each as far as its rank allows."""
    reached: Counter[int] = Counter()
    arrived: dict[int, list[int]] = {rung: [] for rung in rungs}
    for merit in merits:
        for rung in rungs:
            reached[rung] += 1
            arrived[rung].append(merit)
            better = sum(other < merit for other in arrived[rung])
            if better >= math.ceil(len(arrived[rung]) / factor):
                break
        else:
            reached[16] += 1
    return reached


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("num_trials", [2, 4, 5])
def test_few_trials_are_expected_exactly(tiny_plan: Any, num_trials: int, factor: int) -> None:
    scheduler = {"type": "asha", "grace_steps": 2, "reduction_factor": factor}
    plan = tiny_plan(space=learning_rates(num_trials), scheduler=scheduler)
    rungs = [2, 4, 8] if factor == 2 else [2, 6]
    total: Counter[int] = Counter()
    for merits in itertools.permutations(range(num_trials)):
        total.update(reached_in_turn(merits, rungs, factor))
    orders = math.factorial(num_trials)

    found = forecast(plan, ONE_SLOT, {})

    assert {r.at: r.expected_trials for r in found.rungs} == pytest.approx(
        {step: total[step] / orders for step in [*rungs, 16]}
    )
    assert (found.orders_of_merit, found.is_exact) == (orders, True)
    stops = [0, *rungs, 16]
    steps = sum(total[b] / orders * (b - a) for a, b in itertools.pairwise(stops))
    assert found.expected.tokens == pytest.approx(steps * TOKENS_PER_STEP)
    assert found.saved == pytest.approx(1 - steps / (16 * num_trials))


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_many_trials_follow_the_closed_form(tiny_plan: Any, slots: int) -> None:
    # The n-th at the first rung is as likely to have any rank: it goes on with ceil(n/2) / n.
    num_trials = 24
    plan = tiny_plan(space=learning_rates(num_trials), scheduler={"type": "asha", "grace_steps": 8})
    found = forecast(plan, Machine(slots=slots, free_memory=None), {})
    exact = sum(math.ceil(n / 2) / n for n in range(1, num_trials + 1))
    assert not found.is_exact
    assert [r.at for r in found.rungs] == [8, 16]
    assert found.rungs[0].expected_trials == num_trials
    assert found.rungs[1].expected_trials == pytest.approx(exact, abs=0.35)  # 4 standard errors


def test_promotion_spends_less_and_completes_one(tiny_plan: Any) -> None:
    asha = {"type": "asha", "grace_steps": 4}
    stop = forecast(tiny_plan(scheduler=asha), ONE_SLOT, {})
    promote = forecast(
        tiny_plan(scheduler={**asha, "mode": "promote"}, train={"checkpoint_every_steps": 4}),
        ONE_SLOT,
        {},
    )
    # Of four trials at least the best two are promoted, and of those one; more where an early one
    # was, before a better one arrived.
    reached = {r.at: r.expected_trials for r in promote.rungs}
    assert reached[4] == 4
    assert 2 <= reached[8] < 4
    assert 1 <= reached[16] <= reached[8] / 2
    assert promote.expected.flops < stop.expected.flops < stop.whole.flops


@pytest.mark.parametrize("slots", [1, 2])
def test_the_favourite_completes_where_none_has_earned_it(tiny_plan: Any, slots: int) -> None:
    scheduler = {"type": "asha", "mode": "promote", "grace_steps": 4, "reduction_factor": 4}
    plan = tiny_plan(space=learning_rates(2), scheduler=scheduler)
    found = forecast(plan, Machine(slots=slots, free_memory=None), {})
    assert [(r.at, r.expected_trials) for r in found.rungs] == [(4, 2.0), (16, 1.0)]


def test_without_early_stopping_all_is_arithmetic(tiny_plan: Any) -> None:
    plan = tiny_plan(scheduler=FIFO, train={"eval_every_steps": 6})
    speeds = speeds_of(plan, tokens_per_second=TOKENS_PER_STEP, evaluation_seconds=10)
    found = forecast(plan, Machine(slots=3, free_memory=None), speeds)
    # Evaluations at 6, 12 and the last step, 16; four trials on three slots take two turns.
    assert found.whole.wall_seconds == pytest.approx(2 * (16 + 3 * 10))
    assert found.whole.tokens == 4 * 16 * TOKENS_PER_STEP
    assert found.whole.flops == found.whole.tokens * flops_per_token(plan.trials[0].config)
    assert (found.expected, found.saved) == (found.whole, 0)


def test_wall_time_of_stopped_trials(tiny_plan: Any) -> None:
    # Two trials in a row: the first goes on; the second is better or worse, half the time each.
    plan = tiny_plan(space=learning_rates(2), scheduler={"type": "asha", "grace_steps": 8})
    speeds = speeds_of(plan, tokens_per_second=TOKENS_PER_STEP, evaluation_seconds=3)
    found = forecast(plan, ONE_SLOT, speeds)
    whole, half = 16 + 2 * 3, 8 + 3
    assert found.whole.wall_seconds == pytest.approx(2 * whole)
    assert found.expected.wall_seconds == pytest.approx(whole + (whole + half) / 2)


SIZES = {
    "size": {
        "grid": {
            "small": {"d_model": 16, "learning_rate": 1e-3},
            "large": {"d_model": 64, "learning_rate": 1e-4},
        }
    },
    "seed": {"grid": [0, 1]},
}


def test_each_size_is_told_apart_and_an_unmeasured_one_estimated(tiny_plan: Any) -> None:
    plan = tiny_plan(space=SIZES, scheduler=FIFO)
    small = min(shapes(plan), key=lambda shape: shape.d_model)
    fast = Speed(tokens_per_second=1000, evaluation_seconds=2)
    found = forecast(plan, ONE_SLOT, {small: fast})
    by_name = {shape.name: shape for shape in found.shapes}
    assert by_name.keys() == {"size small", "size large"}
    assert [shape.num_trials for shape in found.shapes] == [2, 2]
    ratio = by_name["size large"].flops_per_token / by_name["size small"].flops_per_token
    assert by_name["size small"].speed == fast
    assert by_name["size small"].is_measured
    estimated = by_name["size large"]
    assert not estimated.is_measured
    assert estimated.speed is not None
    assert estimated.speed.tokens_per_second == pytest.approx(1000 / ratio)
    assert estimated.speed.evaluation_seconds == pytest.approx(2 * ratio)
    assert forecast(plan, ONE_SLOT, {}).whole.wall_seconds is None


def test_what_fits_no_memory_is_flagged(tiny_plan: Any) -> None:
    plan = tiny_plan(space=SIZES, scheduler=FIFO)
    small = min((t.config for t in plan.trials), key=lambda config: config.d_model)
    just_enough = estimate_memory(small, micro_batch_size=1)
    for free, fitting in ((just_enough, {"size small"}), (just_enough - 1, set())):
        found = forecast(plan, Machine(slots=1, free_memory=free), {})
        assert {shape.name for shape in found.shapes if shape.fits} == fitting
    assert [s.fits for s in forecast(plan, ONE_SLOT, {}).shapes] == [None, None]


def test_a_long_plan_is_judged_by_its_first_trials(
    tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(space=learning_rates(24), scheduler={"type": "asha", "grace_steps": 8})
    monkeypatch.setattr(module, "MAX_SIMULATED_TRIALS", 4)
    found = forecast(plan, ONE_SLOT, {})
    per_four = sum(math.ceil(n / 2) / n for n in range(1, 5))
    assert [r.expected_trials for r in found.rungs] == pytest.approx([24, 6 * per_four])
    assert found.expected.tokens == pytest.approx((24 + 6 * per_four) * 8 * TOKENS_PER_STEP)
    assert not found.is_exact


def test_random_orders_are_seeded_and_few_for_many_trials() -> None:
    assert list(orders_of_merit(8, 1)) == list(orders_of_merit(8, 1))
    assert list(orders_of_merit(8, 1)) != list(orders_of_merit(8, 2))
    assert sorted(next(iter(orders_of_merit(400, 0)))) == list(range(400))
    assert [len(list(orders_of_merit(n, 0))) for n in (3, 6, 8, 400)] == [6, 720, 720, 5]


def test_a_shape_is_what_decides_size_and_speed(tiny_plan: Any) -> None:
    plan = tiny_plan()
    assert list(shapes(plan)) == [shape_of(plan.trials[0].config)]
    assert forecast(plan, ONE_SLOT, {}).shapes[0].name == "all trials"


def test_hyperband_lets_so_many_go_on_in_every_order(tiny_plan: Any) -> None:
    """Brackets of 4, 3 and 3 trials, that begin to be halved at 4, at 8 and never, rounded up."""
    hyperband = {"type": "hyperband", "grace_steps": 4, "reduction_factor": 2}
    plan = tiny_plan(space=learning_rates(10), scheduler=hyperband)
    for slots in (1, 3):
        found = forecast(plan, Machine(slots=slots, free_memory=None), {})
        assert {r.at: r.expected_trials for r in found.rungs} == {4: 10, 8: 2 + 6, 16: 6}
        steps = 4 * 4 + 4 * 2 + 8 * 3 + 8 * 1 + 8 * 2 + 16 * 3
        assert found.expected.tokens == steps * TOKENS_PER_STEP
        assert found.scheduler == "hyperband"


def test_median_stops_who_is_worse_than_the_median_of_those_before(tiny_plan: Any) -> None:
    median = {"type": "median", "grace_steps": 4, "min_trials": 2}
    plan = tiny_plan(space=learning_rates(4), scheduler=median)
    steps = 0
    for merits in itertools.permutations(range(4)):
        furthest: list[tuple[int, int]] = []  # of those before: merit, step
        for merit in merits:
            step = 0
            while step < 16:
                step += 4
                others = [other for other, far in furthest if far >= step]
                if step < 16 and len(others) >= 2 and merit > statistics.median(others):
                    break
            furthest.append((merit, step))
            steps += step
    found = forecast(plan, ONE_SLOT, {})
    assert found.expected.tokens == pytest.approx(steps / 24 * TOKENS_PER_STEP)
    assert 0 < found.saved < 1
    assert [rung.at for rung in found.rungs] == [4, 16]


def test_pbt_trains_every_trial_to_its_end(tiny_plan: Any) -> None:
    plan = tiny_plan(space=learning_rates(4), scheduler={"type": "pbt", "interval_steps": 4})
    found = forecast(plan, ONE_SLOT, {})
    assert (found.scheduler, found.saved) == ("pbt", 0)
    assert found.expected == found.whole


def test_however_often_trials_are_looked_at_the_forecast_takes_no_longer(tiny_plan: Any) -> None:
    """The median rule looks at each evaluation: of a long run, at evenly spaced ones."""
    median = {"type": "median", "grace_steps": 4, "min_trials": 2}
    saved = [
        forecast(
            tiny_plan(
                space=learning_rates(4),
                scheduler=median,
                train={"max_steps": max_steps, "checkpoint_every_steps": 4, "warmup_steps": 0},
            ),
            ONE_SLOT,
            {},
        ).saved
        for max_steps in (800, 8_000, 2_000_000_000)
    ]
    assert saved == pytest.approx([saved[0]] * 3, abs=0.01)
