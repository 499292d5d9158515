"""Trials that share a trunk: each comes to what it would have come to by itself, at the cost of its
decay."""

import json
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.plan.cost.forecast import forecast
from sweeper.plan.plan import Plan
from sweeper.record.metrics_files import MetricsFiles
from sweeper.runtime.in_process import InProcess
from sweeper.runtime.trial_loop import TrialLoop
from sweeper.status import Status
from tests.sweeper.engine.upcoming.forks import (
    HORIZONS,
    ONE_SLOT,
    Decaying,
    created,
    curves,
    curves_by_themselves,
    horizons,
    new_folder,
    one_thread,
    run,
)
from tests.sweeper.journals import raw_events
from trainable.loop.training import Trainer

__all__ = ["horizons", "one_thread"]  # fixtures


def test_four_horizons_of_real_runs_have_the_losses_of_four_runs(
    tmp_path: Path, horizons: Any
) -> None:
    plan = horizons(train={"log_every_steps": 3, "ema_steps": 10})
    folder = new_folder(tmp_path, plan)
    sweep, steps = run(folder, plan, Trainer)
    alone, whole = curves_by_themselves(tmp_path / "alone", plan, Trainer)
    assert curves(folder, sweep) == alone, "to the last bit"
    assert (steps, whole) == (64 + 4 + 8 + 12 + 16, 200)
    assert {trial.status for trial in sweep.trials.values()} == {Status.COMPLETED}
    assert forecast(plan, ONE_SLOT, {}).whole.tokens == steps * 4 * 16, "as `plan` says"


def test_short_decays_leave_less_than_half(tmp_path: Path, horizons: Any) -> None:
    plan = horizons(train={"decay_steps": 3})
    _, steps = run(new_folder(tmp_path, plan), plan)
    assert steps == 77 + 4 * 3
    assert steps / 200 <= 0.45


def test_under_constant_a_shorter_run_costs_its_last_step(tmp_path: Path, horizons: Any) -> None:
    plan = horizons(train={"schedule": "constant"})
    folder = new_folder(tmp_path, plan)
    sweep, steps = run(folder, plan, Trainer)
    assert steps == 80 + 3
    assert curves(folder, sweep) == curves_by_themselves(tmp_path / "alone", plan, Trainer)[0]


def test_every_seed_and_every_point_has_its_trunk(tmp_path: Path, horizons: Any) -> None:
    space = {"max_steps": {"grid": [20, 40]}, "learning_rate": {"grid": [1e-3, 1e-2]}}
    plan = horizons(space=space, seeds=[1, 2])
    folder = new_folder(tmp_path, plan)
    sweep, steps = run(folder, plan)
    assert steps == 4 * (32 + 4 + 8)
    assert curves(folder, sweep) == curves_by_themselves(tmp_path / "alone", plan)[0]
    for trial in sweep.trials.values():
        if trial.forked_from is not None:
            trunk = sweep.trials[trial.forked_from].config
            assert (trunk.seed, trunk.learning_rate) == (
                trial.config.seed, trial.config.learning_rate,
            )  # fmt: skip


def test_what_matters_in_the_decay_alone_may_be_swept(tmp_path: Path, horizons: Any) -> None:
    space = {
        "schedule": {"grid": ["wsd", "constant"]},
        "decay_fraction": {"grid": [0.1, 0.5]},
        "decay_shape": {"grid": ["linear", "cosine"]},
    }
    plan = horizons(space=space)  # of 16 steps each
    folder = new_folder(tmp_path, plan)
    sweep, steps = run(folder, plan, Trainer)
    assert sum(trial.forked_from is None for trial in sweep.trials.values()) == 1
    assert steps == 16 + 3 * 1 + 2 * 2 + 2 * 8
    assert curves(folder, sweep) == curves_by_themselves(tmp_path / "alone", plan, Trainer)[0]


def test_a_checkpoint_stays_until_it_was_taken_over(tmp_path: Path, horizons: Any) -> None:
    plan = horizons()
    folder = new_folder(tmp_path, plan)
    sweep = Sweep.open(folder, plan)
    runtime = InProcess(sweep, Audience(sweep, []), Decaying)
    kept = []
    while (trial := sweep.next_trial()) is not None:
        runtime.run_trial(trial)
        stored = sweep.state.checkpoints.of_trial[sweep.trials["0003"].trial_id]
        kept.append([each.step for each in stored])
        on_disk = {path.name for path in folder.checkpoint_folders("0003")}
        assert on_disk == {each.name for each in stored}
    sweep.close("finished")
    steps = {trial.config.max_steps: trial.forked_at for trial in sweep.trials.values()}
    left = [steps[trial.config.max_steps] for trial in sweep.trials.values()][1:]  # in their order
    assert kept == [sorted([*left[number:], 80]) for number in range(4)]


@pytest.mark.parametrize("budget", [1, 10_000])
def test_no_budget_takes_what_a_fork_needs(tmp_path: Path, horizons: Any, budget: int) -> None:
    plan = horizons(checkpoints={"keep": 2, "budget": budget})
    _, steps = run(new_folder(tmp_path, plan), plan)
    assert steps == 64 + 4 + 8 + 12 + 16


def test_a_fork_waits_while_its_trunk_is_on_its_way(tmp_path: Path, horizons: Any) -> None:
    """With two slots the second is free, and nothing is there for it."""
    plan = horizons(space=HORIZONS | {"learning_rate": {"grid": [1e-3]}})
    folder = new_folder(tmp_path, plan)
    sweep = Sweep.open(folder, plan)
    trunk = sweep.next_trial()
    assert trunk is not None and trunk.config.max_steps == 80
    sweep.start(trunk.trial_id)
    assert sweep.next_trial() is None
    assert not sweep.is_over
    sweep.close("interrupted")


def test_a_fork_begins_while_its_trunk_goes_on(tmp_path: Path, horizons: Any) -> None:
    plan = horizons()
    folder = new_folder(tmp_path, plan)
    sweep = Sweep.open(folder, plan)
    runtime = InProcess(sweep, Audience(sweep, [MetricsFiles(folder)]), Decaying)
    trunk = sweep.next_trial()
    assert trunk is not None
    forks_at = sweep.state.checkpoints.promised_steps(trunk.trial_id)
    loop = TrialLoop(Decaying, trunk.config, num_threads=None, forks_at=forks_at)
    sweep.start(trunk.trial_id)
    for step in (16, 32):
        while trunk.checkpoint_step != step:
            assert sweep.next_trial() is None
            runtime._leaves(trunk, loop)
        fork = sweep.next_trial()
        assert fork is not None and (fork.forked_from, fork.forked_at) == (trunk.trial_id, step)
        runtime.run_trial(fork)
        assert fork.status is Status.COMPLETED
        assert trunk.status is Status.RUNNING
    while not runtime._leaves(trunk, loop):
        pass
    sweep.release(trunk.trial_id)
    runtime.run()
    sweep.close("finished")
    assert curves(folder, sweep) == curves_by_themselves(tmp_path / "alone", plan)[0]


def test_others_go_first_while_a_fork_waits(tmp_path: Path, horizons: Any) -> None:
    space = {"max_steps": {"grid": [20, 40]}, "learning_rate": {"grid": [1e-3, 1e-2]}}
    plan = horizons(space=space)
    sweep = Sweep.open(new_folder(tmp_path, plan), plan)
    for _ in range(2):
        trial = sweep.next_trial()
        assert trial is not None and trial.config.max_steps == 40
        sweep.start(trial.trial_id)
    assert sweep.next_trial() is None
    sweep.close("interrupted")


def test_the_journal_tells_it(tmp_path: Path, horizons: Any) -> None:
    plan = horizons(space={"max_steps": {"grid": [20, 40]}})
    folder = new_folder(tmp_path, plan)
    run(folder, plan)
    trunk, fork = created(folder)
    assert trunk["forks"] == {fork["id"]: 16}
    assert "fork" not in trunk and "forks" not in fork
    assert fork["fork"]["source"] == trunk["id"]
    assert (fork["fork"]["step"], fork["fork"]["checkpoint"]) == (16, "checkpoint_000000")
    steps = {
        trial: [e["metrics"]["step"] for e in raw_events(folder.journal)
                if e["event"] == "report" and e["trial"] == trial]
        for trial in (trunk["id"], fork["id"])
    }  # fmt: skip
    assert steps == {trunk["id"]: [7, 14, 21, 28, 35, 40], fork["id"]: [20]}


def test_a_journal_from_before_trunks_goes_on(tmp_path: Path, horizons: Any) -> None:
    """Its trials run by themselves; those that are still to come may fork from one another."""
    plan = horizons()
    folder = new_folder(tmp_path, plan)
    first = plan.trials[0]
    alone = Plan(plan.spec, (first,), files=plan.files)
    run(folder, alone)
    sweep, _ = run(folder, plan)
    assert sweep.trials[first.trial_id].forked_from is None
    assert curves(folder, sweep) == curves_by_themselves(tmp_path / "alone", plan)[0]
    assert [json.dumps(e) for e in raw_events(folder.journal)], "it can be read"
