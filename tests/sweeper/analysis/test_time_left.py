"""How long a sweep has yet to go: against arithmetic on paper, and against a simulation."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.analysis.time_left import (
    TimeLeft,
    TimeLeftEstimator,
    clock_left,
    seconds_on_slots,
    speed_of,
)
from sweeper.engine.sweep import Sweep
from sweeper.plan.cost.forecast import RungForecast
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import create_run_folder
from sweeper.status import Status
from sweeper.strategy.schedulers.asha import Asha
from sweeper.strategy.simulation import Job, Stop, by_merit, simulate
from sweeper.views.terminal.live_view import progress_line, time_left_text, utc_now
from tests.sweeper.in_process import drive, opened, run_trial
from trainable.loop.metrics import Metrics

RUNGS = [
    RungForecast(at=at, expected_trials=trials) for at, trials in ((4, 8), (8, 4), (16, 2))
]  # the last one is the end


def test_a_trial_is_as_likely_to_go_on_as_forecast() -> None:
    assert clock_left(RUNGS, 0, 16, will_go_on=True) == 4 + 4 * 4 / 8 + 8 * 2 / 8
    assert clock_left(RUNGS, 6, 16, will_go_on=True) == 2 + 8 * 2 / 4
    assert clock_left(RUNGS, 4, 16, will_go_on=False) == 4 * 4 / 8 + 8 * 2 / 8
    assert clock_left(RUNGS, 16, 16, will_go_on=True) == 0
    fifo = [RungForecast(at=16, expected_trials=8)]
    assert clock_left(fifo, 6, 16, will_go_on=True) == 10


@given(st.integers(0, 16), st.booleans())
def test_never_more_than_all_that_is_left(now: int, will_go_on: bool) -> None:
    assert 0 <= clock_left(RUNGS, now, 16, will_go_on=will_go_on) <= 16 - now


def test_over_many_sweeps_it_is_right_on_average() -> None:
    """The expectation before the first step is the mean of what simulated sweeps train."""
    rng = random.Random(0)
    jobs = [Job(tuple(Stop(at, at, float(at)) for at in (4, 8, 16)), 16, 1, 1, 1)] * 8
    steps, reached = 0, dict.fromkeys((4, 8, 16), 0)
    sweeps = 200
    for _ in range(sweeps):
        outcome = simulate(jobs, Asha(4, 2), 2, by_merit(rng.sample(range(8), 8)))
        steps += sum(outcome.steps)
        for at in reached:
            reached[at] += outcome.reached[at]
    rungs = [RungForecast(at=at, expected_trials=n / sweeps) for at, n in reached.items()]
    assert 8 * clock_left(rungs, 0, 16, will_go_on=True) == pytest.approx(steps / sweeps)


@given(st.lists(st.floats(0, 100), max_size=20), st.integers(1, 8))
def test_slots_share_the_work(durations: list[float], slots: int) -> None:
    total = seconds_on_slots(durations, slots)
    assert total >= sum(durations) / slots - 1e-6
    assert total >= max(durations, default=0.0)
    assert total <= sum(durations) / slots + max(durations, default=0.0) + 1e-6


def test_nothing_is_said_before_anything_is_known(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        started(sweep)
        assert TimeLeftEstimator(plan).time_left(sweep.state) is None


def started(sweep: Sweep) -> str:
    trial = sweep.next_trial()
    assert trial is not None
    sweep.start(trial.trial_id)
    return trial.trial_id


def test_without_a_scheduler_what_is_expected_is_certain(tmp_path: Path, tiny_plan: Any) -> None:
    """Closed-form trials of 16 steps at 100 steps a second: one and a half of four are left."""
    plan = tiny_plan(scheduler={"type": "fifo"})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        for _ in range(2):
            trial = sweep.next_trial()
            assert trial is not None
            run_trial(sweep, trial)
        running = sweep.trials[started(sweep)]
        running.progress = Metrics(step=8, train_seconds=0.08)
        left = TimeLeftEstimator(plan).time_left(sweep.state)
    assert left is not None
    assert left.expected == pytest.approx((8 + 16) / 100)
    assert left.at_most == pytest.approx(left.expected)


def test_of_a_fork_only_its_own_steps_are_left(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(
        train={"schedule": "wsd"},
        space={"max_steps": {"grid": [20, 40]}},
        scheduler={"type": "fifo"},
    )
    with opened(create_run_folder(tmp_path, plan.spec, None, "space.yaml"), plan) as sweep:
        trunk = sweep.trials[started(sweep)]
        trunk.progress = Metrics(step=10, train_seconds=0.1)
        left = TimeLeftEstimator(plan).time_left(sweep.state)
        assert left is not None
        assert left.expected == pytest.approx((30 + 4) / 100)
        told = progress_line(sweep.state, 2, None, None)
        assert told == "0/2 trials ended, 1 running, 1 waiting for a trunk"
        run_trial(sweep, trunk)
        assert "waiting" not in progress_line(sweep.state, 2, None, None)
        assert started(sweep) != trunk.trial_id
        left = TimeLeftEstimator(plan).time_left(sweep.state)
        assert left is not None
        assert left.expected == pytest.approx(4 / 100)


def test_what_a_scheduler_may_stop_is_told_apart(tmp_path: Path, plan: Plan) -> None:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        running = sweep.trials[started(sweep)]
        running.progress = Metrics(step=2, train_seconds=0.02)
        estimator = TimeLeftEstimator(plan)
        left = estimator.time_left(sweep.state)
        assert left is not None
        assert left.at_most == pytest.approx((14 + 3 * 16) / 100)
        assert 0.02 < left.expected < left.at_most
        assert running.status is Status.RUNNING
    sweep = drive(folder, plan)
    assert estimator.time_left(sweep.state) == TimeLeft(0.0, 0.0)


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    return tiny_plan()


def test_the_speed_is_that_of_those_that_run_now(tmp_path: Path, plan: Plan) -> None:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        assert speed_of(sweep.state) is None
        first, second = sweep.trials[started(sweep)], sweep.trials[started(sweep)]
        first.progress = Metrics(step=10, train_seconds=1.0)
        alone = speed_of(sweep.state)
        second.progress = Metrics(step=10, train_seconds=3.0)
        both = speed_of(sweep.state)
        assert alone is not None
        assert both == pytest.approx(alone / 2)
        first.status = Status.STOPPED
        assert speed_of(sweep.state) == pytest.approx(alone / 3)


def test_it_is_told_in_words(tmp_path: Path, plan: Plan) -> None:
    assert time_left_text(TimeLeft(70, 70)) == "about 1m10s left"
    assert time_left_text(TimeLeft(70, 200)) == "about 1m10s left (at most 3m20s)"
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    sweep = drive(folder, plan)
    assert progress_line(sweep.state, 4, None, None) == "4/4 trials ended"
    assert progress_line(sweep.state, 4, None, utc_now()).endswith("s so far")
