"""What early stopping did, against the engine itself and against a count by hand."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.analysis.summary import load, summarise
from sweeper.analysis.summary.rungs import savings_of
from sweeper.record.run_folder import create_run_folder
from sweeper.status import Status
from tests.sweeper.analysis.summary.sweeps import sweep_of, trial
from tests.sweeper.in_process import drive, opened, run_trial


@pytest.mark.parametrize("mode", ["stop", "promote"])
def test_kept_and_stopped_are_those_that_went_on_or_ended(
    tmp_path: Path, tiny_plan: Any, mode: str
) -> None:
    asha = {"type": "asha", "grace_steps": 4, "mode": mode}
    plan = tiny_plan(
        space={"learning_rate": {"grid": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.9]}},
        scheduler=asha,
        train={"checkpoint_every_steps": 4},
    )
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    sweep = drive(folder, plan)
    summary = summarise(load(folder))
    assert [row.rung for row in summary.rungs] == [4, 8]
    for row in summary.rungs:
        reached = {name for name, t in sweep.trials.items() if t.step >= row.rung}
        went_on = {name for name, t in sweep.trials.items() if t.step > row.rung}
        assert set(row.kept) == went_on
        assert set(row.stopped) == reached - went_on
        assert row.waiting == ()
    first = summary.rungs[0]
    assert first.reached == 8
    diverged = next(n for n, t in sweep.trials.items() if t.status is Status.DIVERGED)
    assert first.stopped[-1] == diverged


def test_who_waits_to_be_promoted_is_neither_kept_nor_stopped(
    tmp_path: Path, tiny_plan: Any
) -> None:
    asha = {"type": "asha", "grace_steps": 4, "mode": "promote"}
    plan = tiny_plan(scheduler=asha, train={"checkpoint_every_steps": 4})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        first = sweep.next_trial()
        assert first is not None
        run_trial(sweep, first)
    [row] = summarise(load(folder)).rungs
    assert (row.waiting, row.kept, row.stopped) == ((first.trial_id,), (), ())


def test_the_saving_is_what_the_stopped_did_not_run() -> None:
    point = {"learning_rate": 1e-3}
    trials = [
        trial("0000", point, 4.0, 3.0, 2.0, 1.0),  # 16 of 16 steps
        trial("0001", point, 4.0, status=Status.STOPPED),  # 4 of 16
        trial("0002", point, 4.0, status=Status.FAILED),  # saved nothing, it was lost
        trial("0003", point, 4.0, status=Status.RUNNING),
    ]
    savings = savings_of(sweep_of(trials))
    assert savings is not None
    assert savings.num_trials == 2
    assert savings.tokens is not None
    assert (savings.tokens.spent, savings.tokens.full) == (200, 320)
    assert savings.tokens.saved == pytest.approx(0.375)
    assert savings.seconds is not None
    assert (savings.seconds.spent, savings.seconds.full) == (20.0, 32.0)


def test_what_another_sweep_has_spent_is_not_spent_here() -> None:
    point = {"learning_rate": 1e-3}
    trials = [
        trial("0000", point, 4.0, 3.0, 2.0, 1.0),
        trial("0001", point, 4.0, 3.0, 2.0, 1.5, taken_from="trial 0003 of runs/lr"),
    ]
    savings = savings_of(sweep_of(trials))
    assert savings is not None
    assert savings.tokens is not None
    assert (savings.tokens.spent, savings.tokens.full) == (160, 320)


def test_what_an_old_table_lacks_is_not_made_up() -> None:
    savings = savings_of(sweep_of([trial("0000", {}, 1.0, tokens_per_step=None)]))
    assert savings is not None
    assert savings.tokens is None
    assert savings.flops is not None
    assert savings_of(sweep_of([])) is None
