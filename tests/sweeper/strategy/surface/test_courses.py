"""How far the points of a sweep have come: of another program, too, whose schedule is declared."""

from typing import Any

import pytest

from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status
from sweeper.strategy.surface.courses import Courses
from sweeper.strategy.surface.curves import Schedule
from sweeper.strategy.surface.observation import Observation
from tests.sweeper.strategy.surface.test_curves import annealing, config

ENDED = (5, 20, 40, 80, 160, 240)  # the warmups of trials that have come to their ends
BEGUN = (10, 30, 60, 120, 200)
DECLARED = {"schedule": "cosine", "warmup_steps": "warmup"}


def foreign(schedule: dict[str, Any] | None) -> Courses:
    """Of another program's sweep: its warmup is swept under names that tell nothing of it."""
    trainer = {
        "command": "python train.py {warmup}",
        "settings": {"warmup": {"type": "int"}},
        "max_steps": 400,
        "eval_every_steps": 20,
        "schedule": schedule,
    }
    return courses_of("warmup", trainer=trainer)


def ours() -> Courses:
    train = config(5e-3, 40).to_dict()
    del train["warmup_steps"], train["train_data"], train["val_data"]
    return courses_of("warmup_steps", train=train)


def courses_of(warmup: str, **sections: Any) -> Courses:
    bundles = {f"of {steps}": {warmup: steps} for steps in (*ENDED, *BEGUN)}
    space = {"shape": {"grid": bundles}}
    return Courses(SweepSpec.model_validate({"name": "a", "space": space, **sections}))


def seen(warmup: int, until: float) -> Observation:
    loss = annealing(5e-3, warmup)
    curve = tuple((20 * k, loss(k / 20)) for k in range(1, 21) if k / 20 <= until)
    point = {"shape": f"of {warmup}"}
    if until < 1:
        return Observation(point, Status.RUNNING, curve=curve)
    return Observation(point, Status.COMPLETED, curve[-1][1], curve)


def forecasts(courses: Courses) -> list[float]:
    """Of those that have come a quarter of their way."""
    observations = [seen(w, 1) for w in ENDED] + [seen(w, 0.25) for w in BEGUN]
    finals = courses.finals(observations)[len(ENDED) :]
    return [final.value for final in finals if final is not None]


def test_a_declared_schedule_is_that_of_a_run_of_ours() -> None:
    declared = foreign(DECLARED).course(seen(40, 1)).schedule
    for progress in (0.05, 0.25, 0.8, 1.0):
        of_ours = Schedule(config(5e-3, 40)).at(progress)
        assert declared.at(progress) == pytest.approx(of_ours)


def test_without_one_the_learning_rate_is_taken_to_stay() -> None:
    assert foreign(None).course(seen(40, 1)).schedule.at(0.25) == (0.25, 1.0)


def test_with_one_ends_are_forecast_as_those_of_our_own_trainer() -> None:
    declared = forecasts(foreign(DECLARED))
    assert declared == pytest.approx(forecasts(ours()), abs=1e-9)
    truth = [annealing(5e-3, warmup)(1) for warmup in BEGUN]
    with_it, without = (
        sum(abs(told - true) for told, true in zip(found, truth, strict=True))
        for found in (declared, forecasts(foreign(None)))
    )
    assert with_it < without
