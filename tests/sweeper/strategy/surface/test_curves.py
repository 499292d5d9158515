"""Forecasts of ends: a warmup is a known reason to be behind, and the stated width holds."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sweeper.spec.domains.listed import Grid
from sweeper.spec.domains.ranges import LogUniform
from sweeper.strategy.surface.axes import Axes
from sweeper.strategy.surface.curves import Course, Schedule, finals_of
from sweeper.strategy.surface.observation import CALIBRATION
from trainable.config import TrainConfig
from trainable.optimisation.schedule import learning_rate_at

AXES = Axes(
    {"learning_rate": LogUniform(loguniform=[1e-4, 1e-1]), "warmup_steps": Grid(grid=[5, 40, 200])}
)


def config(rate: float, warmup: int) -> TrainConfig:
    return TrainConfig(
        learning_rate=rate,
        warmup_steps=warmup,
        max_steps=400,
        min_learning_rate=0,
        d_model=16,
        num_heads=2,
    )


def annealing(rate: float, warmup: int) -> Callable[[float], float]:
    """A loss as the annealing law has it (arXiv 2408.11029): a power of the sum of the learning
    rates, and what their fall has won."""
    settings = config(rate, warmup)

    def loss(progress: float) -> float:
        step = max(1, round(400 * progress))
        rates = [learning_rate_at(settings, s) for s in range(1, step + 1)]
        stiff = 0.3 * abs(math.log(rate / 5e-3)) ** 1.5
        return 2 + stiff + 2 * (sum(rates) / rate) ** -0.4 + 20 * rates[-1]

    return loss


def course(rate: float, warmup: int, until: float) -> Course:
    loss = annealing(rate, warmup)
    progress = [k / 20 for k in range(1, 21) if k / 20 <= until]
    return Course(
        point={"learning_rate": rate, "warmup_steps": warmup},
        schedule=Schedule(config(rate, warmup)),
        progress=tuple(progress),
        values=tuple(map(loss, progress)),
        ended=until == 1,
    )


def test_the_schedule_is_that_of_the_trainer() -> None:
    settings = config(0.01, 40)
    rates = [learning_rate_at(settings, step) for step in range(1, 401)]
    behind, share = Schedule(settings).at(0.25)
    assert behind == pytest.approx(sum(rates[:100]) / sum(rates), abs=0.01)
    assert share == pytest.approx(rates[99] / 0.01, abs=0.02)


def test_a_trial_in_its_warmup_is_behind_for_a_known_reason() -> None:
    ended = [course(r, w, 1) for r in (2e-3, 8e-3, 3e-2) for w in (5, 40, 200)]
    late, early = course(5e-3, 200, 0.25), course(3e-3, 5, 0.25)
    assert late.values[-1] > early.values[-1], "it is behind"
    *_, of_late, of_early = finals_of(AXES, [*ended, late, early])
    assert of_late is not None
    assert of_early is not None
    assert of_late.value < of_early.value, "and will be ahead"
    assert of_late.value == pytest.approx(annealing(5e-3, 200)(1), abs=3 * of_late.deviation)


def test_what_the_schedule_will_do_is_known_where_it_is_not_swept() -> None:
    """Warmups that differ by no name of the space, as those of bundles, and all else alike."""
    no_warmup = Axes({"learning_rate": LogUniform(loguniform=[1e-4, 1e-1])})
    ended = [course(5e-3, warmup, 1) for warmup in (5, 20, 40, 80, 160, 240)]
    for warmup in (10, 60, 200):
        begun = course(5e-3, warmup, 0.25)
        final = finals_of(no_warmup, [*ended, begun])[-1]
        assert final is not None
        assert final.value == pytest.approx(annealing(5e-3, warmup)(1), abs=0.02)


def test_most_ends_lie_within_ninety_percent() -> None:
    rng, inside = np.random.default_rng(0), []
    for _ in range(40):
        drawn = [
            (float(np.exp(rng.uniform(np.log(5e-4), np.log(5e-2)))), int(rng.choice([5, 40, 200])))
            for _ in range(14)
        ]
        ended = [course(*each, 1) for each in drawn[:8]]
        on_the_way = [course(*each, 0.25) for each in drawn[8:]]
        for each, final in zip(on_the_way, finals_of(AXES, [*ended, *on_the_way])[8:], strict=True):
            assert final is not None
            rate, warmup = each.point.values()
            truth = annealing(float(str(rate)), int(str(warmup)))(1)
            inside.append(abs(truth - final.value) <= 1.645 * final.deviation)
    assert np.mean(inside) > 0.85


def test_nothing_is_forecast_before_enough_curves_have_come_to_their_ends() -> None:
    ended = [course(r, 5, 1) for r in np.geomspace(1e-3, 1e-2, CALIBRATION)]
    begun = course(4e-3, 40, 0.25)
    assert finals_of(AXES, [*ended[1:], begun])[-1] is None
    assert finals_of(AXES, [*ended, begun])[-1] is not None
    assert [f.deviation for f in finals_of(AXES, ended) if f] == [0.0] * CALIBRATION


def floor_at(rate: float) -> float:
    return 1 + math.log10(rate / 1e-3) ** 2


def falling(rate: float, until: float) -> Course:
    """Its loss falls by as much whatever its floor, as `closed_form` has it."""
    progress = [k / 16 for k in range(1, 17) if k / 16 <= until]
    values = [floor_at(rate) + 3 / math.sqrt(160 * p) for p in progress]
    return Course(
        point={"learning_rate": rate, "warmup_steps": 5},
        schedule=Schedule(config(rate, 5)),
        progress=tuple(progress),
        values=tuple(values),
        ended=until == 1,
    )


def test_of_what_was_stopped_far_off_no_end_is_forecast_that_no_loss_can_have() -> None:
    """Only the best have come to their ends, all much alike: they say little of the others."""
    ended = [falling(rate, 1) for rate in np.geomspace(6e-4, 1.6e-3, 30)]
    stopped = [falling(rate, 1 / 16) for rate in np.geomspace(2e-3, 0.1, 30)]
    best = min(course.values[-1] for course in ended)
    inside = []
    for course, final in zip(stopped, finals_of(AXES, [*ended, *stopped])[30:], strict=True):
        assert final is not None
        assert best - 0.8 < final.value < course.values[-1] + 0.8, "0.71 is how far any came down"
        truth = floor_at(float(str(course.point["learning_rate"]))) + 3 / math.sqrt(160)
        inside.append(abs(truth - final.value) <= 1.645 * final.deviation)
    assert np.mean(inside) > 0.85


def test_a_loss_is_not_forecast_below_zero() -> None:
    ended = [falling(rate, 1) for rate in np.geomspace(6e-4, 1.6e-3, CALIBRATION)]
    low = [replace(c, values=tuple(v - 1.2 for v in c.values)) for c in ended]
    begun = replace(falling(5e-3, 1 / 16), values=(1e-3,))
    assert [final.value >= 0 for final in finals_of(AXES, [*low, begun]) if final] == [True] * 7
