"""Trials that share a trunk come to the same, whatever happens to it and whenever the sweep is
killed."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.replay import read_state
from sweeper.record.tables import result_rows
from sweeper.runtime.in_process import InProcess
from sweeper.status import Status
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.engine.upcoming.forks import (
    Decaying,
    curves,
    curves_by_themselves,
    horizons,
    new_folder,
    one_thread,
    run,
)
from tests.sweeper.in_process import Killed, Mortal, killed_at_each_event
from trainable.config import TrainConfig

__all__ = ["horizons", "one_thread"]  # fixtures


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_any_event_it_ends_as_if_never_killed(
    tmp_path: Path, horizons: Any, before: bool
) -> None:
    plan = horizons(space={"max_steps": {"grid": [10, 20, 30]}})
    whole = new_folder(tmp_path / "whole", plan)
    straight, _ = run(whole, plan)
    left = killed_at_each_event(tmp_path, plan, lambda folder: run(folder, plan), before=before)
    for at, folder in enumerate(left, 1):
        resumed, _ = run(folder, plan)
        assert curves(folder, resumed) == curves(whole, straight), f"killed at event {at}"
        rows = [result_rows(s.state, f) for s, f in ((resumed, folder), (straight, whole))]
        forks = [{r["trial_id"]: (r["forked_from"], r["forked_at"]) for r in of} for of in rows]
        assert forks[0] == forks[1], f"killed at event {at}"
        again = read_state(folder)
        assert {t: each.evaluations for t, each in again.trials.items()} == {
            t: each.evaluations for t, each in resumed.trials.items()
        }


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("events", [4, 5])
def test_killed_again_and_again_it_ends_as_if_never_killed(
    tmp_path: Path, horizons: Any, monkeypatch: pytest.MonkeyPatch, events: int, before: bool
) -> None:
    plan = horizons(space={"max_steps": {"grid": [10, 20, 30]}})
    whole, folder = (new_folder(tmp_path / name, plan) for name in ("whole", "killed"))
    straight, _ = run(whole, plan)
    for _ in range(100):
        with monkeypatch.context() as patch:
            Mortal(patch, events, before=before)
            try:
                resumed, _ = run(folder, plan)
                break
            except Killed:
                pass
    else:
        raise AssertionError("it never ends")
    assert curves(folder, resumed) == curves(whole, straight)


def test_a_copy_whose_event_was_not_written_is_made_again(tmp_path: Path, horizons: Any) -> None:
    plan = horizons()
    folder = new_folder(tmp_path, plan)
    torn = folder.checkpoint("0000", "checkpoint_000005")
    torn.mkdir(parents=True)
    (torn / "checkpoint.pt").write_text("half")
    _, steps = run(folder, plan)
    assert steps == 64 + 4 + 8 + 12 + 16
    assert not torn.exists()


def test_forks_of_a_trunk_that_fails_before_share_another(tmp_path: Path, horizons: Any) -> None:
    plan = horizons(max_retries=0)
    folder = new_folder(tmp_path, plan)
    sweep, steps = run(folder, plan, breaks=lambda c, step: c.max_steps == 80 and step == 40)
    by_length = {trial.config.max_steps: trial for trial in sweep.trials.values()}
    assert by_length[80].status is Status.FAILED
    assert [by_length[h].forked_from for h in (20, 40)] == [by_length[80].trial_id] * 2
    assert by_length[60].forked_from is None
    assert steps == 40 + 4 + 8 + 60

    worse = horizons(max_retries=0)
    folder = new_folder(tmp_path / "worse", worse)
    sweep, steps = run(folder, worse, breaks=lambda c, step: c.max_steps == 80 and step == 10)
    by_length = {trial.config.max_steps: trial for trial in sweep.trials.values()}
    assert [by_length[h].forked_from for h in (20, 40)] == [by_length[60].trial_id] * 2
    assert steps == 10 + 60 + 4 + 8


def test_a_trunk_that_diverges_has_its_forks_diverge(tmp_path: Path, horizons: Any) -> None:
    plan = horizons(train={"learning_rate": 0.7})  # NaN at its first evaluation
    folder = new_folder(tmp_path, plan)
    sweep, _ = run(folder, plan, ClosedFormTrainer)
    assert {trial.status for trial in sweep.trials.values()} == {Status.DIVERGED}
    assert all(trial.forked_from is None for trial in sweep.trials.values())


def test_a_trunk_is_tried_again_from_its_checkpoint(tmp_path: Path, horizons: Any) -> None:
    failures = iter([True, False])
    plan = horizons()
    folder = new_folder(tmp_path, plan)

    def breaks(config: TrainConfig, step: int) -> bool:
        return config.max_steps == 80 and step == 40 and next(failures)

    sweep, steps = run(folder, plan, breaks=breaks)
    assert steps == 64 + 4 + 8 + 12 + 16 + 40 - 35, "the checkpoint before was of step 35"
    assert curves(folder, sweep) == curves_by_themselves(tmp_path / "alone", plan)[0]


def test_a_checkpoint_that_somebody_deletes_makes_the_fork_run_by_itself(
    tmp_path: Path, horizons: Any
) -> None:
    plan = horizons(space={"max_steps": {"grid": [20, 40]}})
    folder = new_folder(tmp_path, plan)
    sweep = Sweep.open(folder, plan)
    runtime = InProcess(sweep, Audience(sweep, [MetricsFiles(folder)]), Decaying)
    trunk = sweep.next_trial()
    assert trunk is not None
    runtime.run_trial(trunk)
    (promised,) = sweep.state.checkpoints.promised
    stored = sweep.state.checkpoints.promised_to(promised)
    assert stored is not None
    shutil.rmtree(folder.checkpoint(trunk.trial_id, stored.name))
    runtime.run()
    sweep.close("finished")
    assert all(trial.forked_from is None for trial in sweep.trials.values())
    assert curves(folder, sweep) == curves_by_themselves(tmp_path / "alone", plan)[0]


def test_a_damaged_copy_costs_the_fork_its_trunk(tmp_path: Path, horizons: Any) -> None:
    plan = horizons(space={"max_steps": {"grid": [20, 40]}})
    folder = new_folder(tmp_path, plan)
    sweep = Sweep.open(folder, plan)
    runtime = InProcess(sweep, Audience(sweep, [MetricsFiles(folder)]), Decaying)
    for _ in range(2):
        trial = sweep.next_trial()
        assert trial is not None
        if trial.forked_from is not None:
            newest = folder.checkpoint_folders(trial.trial_id)[0]
            (newest / "checkpoint.pt").write_text("{")
        runtime.run_trial(trial)
    sweep.close("finished")
    assert curves(folder, sweep) == curves_by_themselves(tmp_path / "alone", plan)[0]
