"""Trials that give way, that wait for room, and that lose every node they are on."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.retries import MOST_LOSSES
from sweeper.engine.sweep import Sweep
from sweeper.record.replay import replay
from sweeper.record.run_folder import create_run_folder
from sweeper.status import Status
from tests.sweeper.in_process import drive, opened, run_trial

FIFO = {"scheduler": {"type": "fifo"}, "train": {"eval_every_steps": 4}}


@pytest.fixture
def sweep(tmp_path: Path, tiny_plan: Any) -> Iterator[Sweep]:
    plan = tiny_plan(**FIFO)
    with opened(create_run_folder(tmp_path, plan.spec, None, "space.yaml"), plan) as sweep:
        yield sweep


def test_who_gives_way_is_handed_out_again_before_any_that_is_new(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(**FIFO)
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        runs, waits = sweep.next_trial(), sweep.next_trial()
        assert runs is not None and waits is not None
        sweep.start(runs.trial_id)
        sweep.gave_way(runs.trial_id)
        sweep.gave_way(waits.trial_id)
        assert (runs.status, runs.failures) == (Status.PENDING, 0)
        assert [sweep.next_trial(), sweep.next_trial()] == [waits, runs]
        run_trial(sweep, runs)
        assert runs.attempts == 2
    assert replay(plan.spec, folder).trials[runs.trial_id].status is Status.COMPLETED
    assert len(drive(folder, plan).state.with_status(Status.COMPLETED)) == 4


def test_a_wait_is_no_run_time_unless_a_trial_runs(sweep: Sweep) -> None:
    session = sweep.state.sessions[-1]
    trial = sweep.next_trial()
    assert trial is not None
    sweep.waits_for("CPUs")
    assert session.ended is not None
    worked = session.worked(session.ended)
    assert session.worked(session.ended + timedelta(hours=1)) == worked
    sweep.start(trial.trial_id)
    later = session.ended + timedelta(hours=1)
    assert session.worked(later) - session.worked(session.ended) == timedelta(hours=1)
    sweep.waits_for(None)
    assert session.waits_for is None


def test_a_trial_that_loses_its_node_each_time_is_not_tried_for_ever(sweep: Sweep) -> None:
    trial = sweep.next_trial()
    assert trial is not None
    run_trial(sweep, trial, fault=lambda _, step: "is lost" if step == 2 else None)
    run_trial(sweep, trial, fault=lambda _, step: "is lost" if step == 6 else None)
    assert (trial.losses, trial.losses_in_a_row) == (2, 1), "it has come further"
    for _ in range(MOST_LOSSES):
        assert trial.status is Status.PENDING
        run_trial(sweep, trial, fault=lambda _, step: "is lost" if step == 6 else None)
    assert trial.status is Status.FAILED
    assert "5th time in a row" in str(trial.error)
