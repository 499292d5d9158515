"""Trials that share a trunk: each comes to what it would have come to by itself, at the cost of its
decay, whatever happens to its trunk and whenever it is killed."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.plan.forecast import Machine, forecast
from sweeper.plan.plan import Plan
from sweeper.record.metrics_files import MetricsFiles, read_metrics
from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import result_rows
from sweeper.runtime.in_process import InProcess
from sweeper.runtime.trial_loop import TrialLoop
from sweeper.status import Status
from tests.sweeper.closed_form import ClosedFormTrainer, PathTrainer
from tests.sweeper.in_process import Killed, Mortal
from tests.sweeper.journals import raw_events
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics
from trainable.loop.training import Trainer
from trainable.optimisation.schedule import learning_rate_at

ONE_SLOT = Machine(slots=1, free_memory=None)
WSD = {"schedule": "wsd", "warmup_steps": 2, "eval_every_steps": 7}
HORIZONS = {"max_steps": {"grid": [20, 40, 60, 80]}}  # which decay from 16, 32, 48 and 64 on
FIFO = {"type": "fifo"}


class Decaying(PathTrainer):
    """Its loss is all the way that it has come, by the learning rates that it had on it."""

    def take_step(self) -> None:
        self.way += learning_rate_at(self.config, self.step)

    def loss(self) -> float:
        return 9 - self.way


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model gains nothing from more, and waits for them where others compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def horizons(tiny_plan: Any) -> Callable[..., Plan]:
    def plan(**sections: Any) -> Plan:
        space = sections.pop("space", HORIZONS)
        train = {k: v for k, v in WSD.items() if k not in space} | sections.pop("train", {})
        return tiny_plan(**{"train": train, "space": space, "scheduler": FIFO, **sections})

    return plan


class Counted:
    """A training loop, and the steps that it takes in all."""

    def __init__(self, trainer: type, breaks: Callable[[TrainConfig, int], bool]) -> None:
        self.steps = 0

        def train(loop: Any) -> Iterator[Metrics | None]:
            for metrics in trainer.train(loop):  # type: ignore[attr-defined]
                self.steps += 1
                if breaks(loop.config, loop.step):
                    raise RuntimeError("out of luck")
                yield metrics

        self.trainer = type("Trainer", (trainer,), {"train": train})


def run(
    folder: RunFolder,
    plan: Plan,
    trainer: type = Decaying,
    breaks: Callable[[TrainConfig, int], bool] = lambda config, step: False,
) -> tuple[Sweep, int]:
    """All that is left of a sweep, and the steps that were taken."""
    counted = Counted(trainer, breaks)
    sweep = Sweep.open(folder, plan)
    try:
        InProcess(sweep, Audience(sweep, [MetricsFiles(folder)]), counted.trainer).run()
        sweep.close("finished")
    finally:
        sweep.journal.close()
    return sweep, counted.steps


def new_folder(path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(path, plan.spec, None, "space.yaml")


def curves(folder: RunFolder, sweep: Sweep) -> dict[str, list[tuple[Any, ...]]]:
    """All that each trial has measured, by its values, as its file has it and as the journal."""
    found = {}
    for trial in sweep.trials.values():
        rows = read_metrics(folder.trial_metrics(trial.trial_id))
        evaluations = {seen.step: seen.val_loss for seen in trial.evaluations}
        assert evaluations == {row.step: row.val_loss for row in rows if row.val_loss is not None}
        found[str(trial.values)] = [
            (row.step, row.train_loss, row.val_loss, row.val_loss_ema, row.learning_rate)
            for row in rows
        ]
    return found


def curves_by_themselves(
    path: Path, plan: Plan, trainer: type = Decaying
) -> tuple[dict[str, list[tuple[Any, ...]]], int]:
    """The same, of trials of which each is a sweep of its own; and the steps that they took."""
    found, steps = {}, 0
    for trial in plan.trials:
        alone = Plan(plan.spec, (trial,), files=plan.files)
        folder = new_folder(path / trial.trial_id, alone)
        sweep, taken = run(folder, alone, trainer)
        found |= curves(folder, sweep)
        steps += taken
    return found, steps


def created(folder: RunFolder) -> list[dict[str, Any]]:
    return [event for event in raw_events(folder.journal) if event["event"] == "trial_created"]


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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_any_event_it_ends_as_if_never_killed(
    tmp_path: Path, horizons: Any, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    plan = horizons(space={"max_steps": {"grid": [10, 20, 30]}})
    whole = new_folder(tmp_path / "whole", plan)
    straight, _ = run(whole, plan)
    total = len(list(raw_events(whole.journal)))
    for at in range(1, total + 1):
        folder = new_folder(tmp_path / f"killed{at}", plan)
        with monkeypatch.context() as patch:
            Mortal(patch, at, before=before)
            with pytest.raises(Killed):
                run(folder, plan)
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
