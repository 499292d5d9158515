"""A sweep as Optuna reads it, and as its dashboard's server tells it."""

import json
import math
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from sweeper.engine.sweep import Sweep
from sweeper.errors import MirrorError
from sweeper.plan.plan import Plan
from sweeper.record.follower import mirror
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.status import Status
from sweeper.views.trackers.optuna_mirror import OptunaMirror, default_storage
from sweeper.views.trackers.optuna_rows import add_trials
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.in_process import drive, opened, run_trial
from trainable.loop.metrics import Metrics

SPACE = {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 1e-1, 0.7]}}


def mirrored(folder: RunFolder, storage: str | None = None) -> optuna.Study:
    url = storage or default_storage(folder)
    mirror(OptunaMirror(folder, url), follow=False)
    return optuna.load_study(study_name=folder.name, storage=url)


Planned = Callable[..., tuple[RunFolder, Plan]]


@pytest.fixture
def planned(tmp_path: Path, tiny_plan: Any) -> Planned:
    """A sweep of these sections, and its run folder."""

    def make(**sections: Any) -> tuple[RunFolder, Plan]:
        plan = tiny_plan(**sections)
        return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml"), plan

    return make


def is_shown(study: optuna.Study, sweep: Sweep) -> None:
    """Trial for trial; what Optuna makes of it is computed here from the journal's words."""
    assert [trial.number for trial in study.trials] == list(range(len(sweep.trials)))
    for shown, ours in zip(study.trials, sweep.trials.values(), strict=True):
        assert shown.params == ours.values
        assert shown.intermediate_values == {
            seen.step: seen.val_loss for seen in ours.evaluations if seen.val_loss is not None
        }
        assert shown.user_attrs["status"] == ours.status.value
        assert shown.user_attrs["trial"] == ours.trial_id
        if ours.status in (Status.COMPLETED, Status.STOPPED):
            assert shown.value == ours.evaluations[-1].val_loss


def test_optuna_reads_the_sweep(planned: Planned) -> None:
    folder, plan = planned(space=SPACE)
    sweep = drive(folder, plan)
    study = mirrored(folder)
    is_shown(study, sweep)
    states = {trial.params["learning_rate"]: trial.state for trial in study.trials}
    assert states[1e-3] is TrialState.COMPLETE
    assert states[0.7] is TrialState.FAIL  # diverged
    assert TrialState.PRUNED in states.values()
    assert study.best_params == {"learning_rate": 1e-3}
    assert study.metric_names == ["val_loss"]
    assert study.trials[0].distributions == {
        "learning_rate": FloatDistribution(1e-4, 0.7, log=True)
    }
    times = [(trial.datetime_start, trial.datetime_complete) for trial in study.trials]
    assert all(start <= end for start, end in times if start and end)
    assert optuna.importance.get_param_importances(study).keys() == {"learning_rate"}


def test_again_while_it_goes_on_updates_and_doubles_nothing(planned: Planned) -> None:
    """From before the first trial to after the last, through pauses and promotions."""
    folder, plan = planned(scheduler={"type": "asha", "mode": "promote", "grace_steps": 4})
    with opened(folder, plan) as sweep:
        assert mirrored(folder).trials == []
        while (trial := sweep.next_trial()) is not None:
            is_shown(mirrored(folder), sweep)
            run_trial(sweep, trial)
            study = mirrored(folder)
            is_shown(study, sweep)
            if trial.trial_id == "0001":
                waiting = [t for t in study.trials if t.state is TrialState.WAITING]
                assert len(waiting) == len(sweep.state.with_status(Status.PAUSED)) > 0
        sweep.close("finished")
    is_shown(mirrored(folder), sweep)
    (study_name,) = optuna.get_all_study_names(default_storage(folder))
    assert study_name == "tiny"


def test_a_follower_sees_the_same(planned: Planned) -> None:
    """One mirror all along, as of `--follow`."""
    folder, plan = planned()
    with opened(folder, plan) as sweep:
        followed = OptunaMirror(folder, default_storage(folder))
        while (trial := sweep.next_trial()) is not None:
            mirror(followed, follow=False)
            run_trial(sweep, trial)
        sweep.close("finished")
    mirror(followed, follow=True)  # nobody runs it: once
    study = optuna.load_study(study_name="tiny", storage=default_storage(folder))
    is_shown(study, sweep)


def test_it_follows_until_the_driver_is_gone(planned: Planned) -> None:
    folder, plan = planned()

    def follow() -> None:
        followed = OptunaMirror(folder, default_storage(folder))
        mirror(followed, follow=True, every_seconds=0.01)

    follower = threading.Thread(target=follow)
    with folder.locked(), opened(folder, plan) as sweep:
        follower.start()
        while (trial := sweep.next_trial()) is not None:
            run_trial(sweep, trial)
        assert follower.is_alive()
        sweep.close("finished")
    follower.join()
    is_shown(optuna.load_study(study_name="tiny", storage=default_storage(folder)), sweep)


def test_a_trial_that_had_failed_and_was_tried_again_makes_the_study_anew(planned: Planned) -> None:
    folder, plan = planned()
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        sweep.start(trial.trial_id)
        sweep.end(trial.trial_id, error="Traceback\nRuntimeError: no")
        study = mirrored(folder)
        assert study.trials[0].state is TrialState.FAIL
        assert study.trials[0].user_attrs["error"] == "RuntimeError: no"
        run_trial(sweep, trial)
        is_shown(mirrored(folder), sweep)


def test_every_kind_of_domain(planned: Planned) -> None:
    folder, plan = planned(
        space={
            "learning_rate": {"loguniform": [1e-4, 1e-2]},
            "weight_decay": {"uniform": [0, 0.1], "step": 0.05},
            "max_skipped_steps": {"randint": [1, 3]},
            "checkpoint_every_steps": {"lograndint": [4, 8]},
            "adam_epsilon": {"choice": [1e-8, 1e-9]},
            "size": {"choice": {"narrow": {"d_ff": 16}, "wide": {"d_ff": 64}}},
            "beta2": {"normal": [0.95, 0.001]},
            "compile": {"choice": [False, True]},
        },
        search={"algorithm": "random", "num_trials": 5},
        seeds=[0, 1],
        scheduler={"type": "fifo"},
    )
    sweep = drive(folder, plan)
    study = mirrored(folder)
    is_shown(study, sweep)
    kinds = study.trials[0].distributions
    assert kinds["learning_rate"] == FloatDistribution(1e-4, 1e-2, log=True)
    assert kinds["max_skipped_steps"] == IntDistribution(1, 3)
    assert kinds["checkpoint_every_steps"] == IntDistribution(4, 8, log=True)
    assert kinds["size"] == CategoricalDistribution(["narrow", "wide"])
    assert kinds["compile"] == CategoricalDistribution([False, True])
    assert kinds["seed"] == IntDistribution(0, 1)


def test_new_trials_are_as_optuna_itself_adds_them(planned: Planned, tmp_path: Path) -> None:
    """With every kind of number that a value can be."""
    folder, plan = planned(space=SPACE, seeds=[0, 1])
    drive(folder, plan)
    mirrored(folder)
    trials = optuna.load_study(study_name="tiny", storage=default_storage(folder)).trials
    for number, odd in enumerate((math.inf, -math.inf, math.nan)):
        trials[number].intermediate_values[1_000] = odd
        if not math.isnan(odd) and trials[number].value is not None:
            trials[number].value = odd
    theirs = optuna.create_study(storage=f"sqlite:///{tmp_path}/theirs.db")
    theirs.add_trials(trials)
    database = RDBStorage(f"sqlite:///{tmp_path}/ours.db")
    ours = optuna.create_study(storage=database, study_name="ours")
    add_trials(database, database.get_study_id_from_name("ours"), 0, trials[:4])
    add_trials(database, database.get_study_id_from_name("ours"), 4, trials[4:])
    assert len(ours.trials) == 10
    assert [repr(trial) for trial in ours.trials] == [repr(trial) for trial in theirs.trials]


def test_what_is_asked_of_the_database_does_not_grow_with_the_sweep(
    tmp_path: Path, tiny_plan: Any
) -> None:
    """100,000 values, each with two questions, were not written in 100 s."""
    statements = []
    for every, rates in ((8, 2), (1, 7)):
        learning_rates = {"grid": [1e-4 * 1.1**k for k in range(rates)]}
        plan = tiny_plan(
            space={"learning_rate": learning_rates},
            scheduler={"type": "fifo"},
            train={"eval_every_steps": every},
        )
        folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
        sweep = drive(folder, plan)
        asked: list[str] = []
        database = OptunaMirror(folder, default_storage(folder))

        def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
            asked.append(statement)  # noqa: B023

        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
        mirror(database, follow=False)
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
        statements.append(len(asked))
        is_shown(optuna.load_study(study_name=folder.name, storage=default_storage(folder)), sweep)
    assert statements[0] == statements[1] > 0


def test_another_study_of_that_name_is_left_alone(planned: Planned, tmp_path: Path) -> None:
    folder, plan = planned()
    drive(folder, plan)
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    optuna.create_study(storage=storage, study_name="tiny")
    with pytest.raises(MirrorError, match=r"a study 'tiny' that is not of this sweep; .*--storage"):
        mirrored(folder, storage)


@pytest.mark.parametrize("storage", ["sqlite:////no/such/folder/x.db", "nonsense", "foo://x"])
def test_a_storage_that_cannot_be_opened(planned: Planned, storage: str) -> None:
    folder, plan = planned()
    drive(folder, plan)
    with pytest.raises(MirrorError, match=rf"--storage {storage}: cannot be opened: .*sqlite:///"):
        mirrored(folder, storage)


def test_the_real_dashboard_tells_the_study(planned: Planned) -> None:
    folder, plan = planned()
    drive(folder, plan)
    mirrored(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = shutil.which("optuna-dashboard", path=str(Path(sys.executable).parent))
    assert program is not None
    command = [program, default_storage(folder), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        summaries = None
        while summaries is None:
            assert server.poll() is None
            with suppress(OSError):
                summaries = asked(port, "studies")["study_summaries"]
            time.sleep(0.1)
        (summary,) = summaries
        assert (summary["study_name"], summary["directions"]) == ("tiny", ["minimize"])
        trials = asked(port, f"studies/{summary['study_id']}?after=0")["trials"]
    finally:
        server.kill()
        server.wait()
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3]
    assert {trial["state"] for trial in trials} >= {"Complete", "Pruned"}
    assert trials[0]["intermediate_values"][0]["step"] == 4


def asked(port: int, what: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{what}", timeout=120) as reply:
        return json.load(reply)


def test_one_that_completed_without_a_number_has_failed_as_optuna_has_it(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its last evaluation, or at all: a metric can be missing without the loss diverging."""
    measured = ClosedFormTrainer._metrics

    def without(trainer: ClosedFormTrainer, loss: float) -> Metrics:
        metrics = measured(trainer, loss)
        rate, is_last = trainer.config.learning_rate, metrics.step == trainer.config.max_steps
        is_missing = rate == 1e-1 or (is_last and rate == 1e-2)
        return replace(metrics, val_loss=None) if is_missing else metrics

    monkeypatch.setattr(ClosedFormTrainer, "_metrics", without)
    folder, plan = planned(
        space={"learning_rate": {"grid": [1e-3, 1e-2, 1e-1]}},
        scheduler={"type": "fifo"},
        train={"eval_every_steps": 4},
    )
    sweep = drive(folder, plan)
    assert {trial.status for trial in sweep.trials.values()} == {Status.COMPLETED}
    study = mirrored(folder)
    states = {trial.params["learning_rate"]: trial.state for trial in study.trials}
    assert states == {
        1e-3: TrialState.COMPLETE,
        1e-2: TrialState.FAIL,
        1e-1: TrialState.FAIL,
    }
    assert study.best_trial.params == {"learning_rate": 1e-3}
    assert {trial.user_attrs["status"] for trial in study.trials} == {"completed"}
    assert len(mirrored(folder).trials) == 3, "and again"


def test_a_trial_that_takes_over_is_shown_with_the_values_that_it_has(planned: Planned) -> None:
    """Shown after every trial's stretch, so before and after each takeover."""
    folder, plan = planned(
        space={"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 1e-1]}},
        scheduler={"type": "pbt", "interval_steps": 4},
        train={"eval_every_steps": 4, "checkpoint_every_steps": 4},
    )
    first: dict[str, Any] = {}
    with opened(folder, plan) as sweep:
        while (trial := sweep.next_trial()) is not None:
            first.setdefault(trial.trial_id, dict(trial.values))
            run_trial(sweep, trial)
            mirrored(folder)
    assert any(trial.values != first[trial.trial_id] for trial in sweep.trials.values())
    shown = mirrored(folder).trials
    assert [each.params for each in shown] == [t.values for t in sweep.trials.values()]
