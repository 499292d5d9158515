"""Somebody deletes what a sweep has written while it is at work, or between two sessions: it is
told, what the journal has is written again, and nothing else is lost."""

import json
import math
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.errors import StorageError
from sweeper.plan.plan import Plan
from sweeper.record.metrics_files import MetricsFiles, read_metrics
from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import history_rows, result_rows
from sweeper.runtime.in_process import InProcess
from sweeper.runtime.losses import Losses
from sweeper.status import Status
from tests.sweeper.closed_form import ClosedFormTrainer, PathTrainer
from tests.sweeper.in_process import Killed

Hand = Callable[[RunFolder], object]  # of somebody else
TRAIN = {"eval_every_steps": 2, "checkpoint_every_steps": 4}
PROMOTE = {"type": "asha", "mode": "promote", "grace_steps": 4}


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    """The first trial pauses at step 4, and goes on once the others have come there."""
    space = {"learning_rate": {"grid": [1e-3, 1e-4, 1e-2, 2e-2, 3e-2]}}
    plans = (
        tiny_plan(space=space, train=TRAIN, scheduler=PROMOTE, search={"seed": seed})
        for seed in range(100)
    )
    return next(plan for plan in plans if plan.trials[0].config.learning_rate == 1e-3)


@pytest.fixture(autouse=True)
def looking_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeper.runtime.losses.LOOK_EVERY_SECONDS", 0)
    monkeypatch.setattr("sweeper.runtime.losses.MOST_OF_THE_TIME", math.inf)


def new_folder(tmp_path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def run(
    folder: RunFolder, plan: Plan, hand: Hand | None = None, at: tuple[str, int] = ("0001", 3)
) -> list[str]:
    """A session, in which somebody is at it as this trial takes this step. Returns what is told."""
    told: list[str] = []
    done = []
    rates = {trial.trial_id: trial.config.learning_rate for trial in plan.trials}
    sound = PathTrainer if plan.spec.scheduler.type == "pbt" else ClosedFormTrainer

    class Trainer(sound):  # type: ignore[misc, valid-type]
        def take_step(self) -> None:
            super().take_step()
            here = (self.config.learning_rate, self.step) == (rates[at[0]], at[1])
            if hand is not None and not done and here:
                done.append(hand(folder))

    sweep = Sweep.open(folder, plan)
    losses = Losses(sweep, told.append)
    audience = Audience(sweep, [losses, MetricsFiles(folder)])
    try:
        InProcess(sweep, audience, Trainer).run()
        audience.close(sweep.state)
        sweep.close("finished")
    finally:
        sweep.journal.close()
    assert done or hand is None
    assert not sweep.state.failed_watchers
    return told


def remove(*parts: str) -> Hand:
    def hand(folder: RunFolder) -> None:
        path = folder.trials.joinpath(*parts)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return hand


def checkpoints(folder: RunFolder) -> None:
    for path in folder.checkpoint_folders("0000"):
        shutil.rmtree(path)


def emptied(folder: RunFolder) -> None:
    """`> metrics.jsonl`"""
    folder.trial_metrics("0000").write_bytes(b"")


def outcome(folder: RunFolder) -> Any:
    """What a sweep has found out, but for what of it is on storage."""
    state = read_state(folder)
    rows = [
        {key: row[key] for key in row if not key.startswith("checkpoint")}
        for row in result_rows(state, folder)
    ]
    return rows, history_rows(state)


OF_A_TRIAL = [
    (remove("0000"), r"Trial 0000: \S+/0000/ was deleted\. Written again: config.json, "
     r"metrics.jsonl .* Lost: checkpoint_000000\. It will go on from its beginning\."),
    (remove("0000", "config.json"), r"Trial 0000: .* lost files\. Written again: config.json\."),
    (remove("0000", "metrics.jsonl"), r"Trial 0000: .* Written again: metrics.jsonl \(of which"),
    (emptied, r"Trial 0000: .* lost files\. Written again: metrics.jsonl \(of which"),
    (checkpoints, r"Trial 0000: .* Lost: checkpoint_000000\. It will go on from its beginning\."),
]  # fmt: skip
NAMES = ["folder", "config", "metrics", "metrics emptied", "checkpoints"]


@pytest.mark.parametrize(("hand", "message"), OF_A_TRIAL, ids=NAMES)
@pytest.mark.parametrize("when", ["while it waits", "while it runs", "between sessions"])
def test_what_is_gone_of_a_trial_is_told_once_and_nothing_else_is_lost(
    tmp_path: Path, plan: Plan, hand: Hand, message: str, when: str
) -> None:
    whole = new_folder(tmp_path / "whole", plan)
    assert run(whole, plan) == []
    folder = new_folder(tmp_path, plan)
    if when == "while it waits":
        told = run(folder, plan, hand)
    elif when == "while it runs":
        told = run(folder, plan, hand, at=("0000", 7))  # with the checkpoint of step 4
        message = message.replace("It will go on from", "It trains on; .*would begin from")
    else:
        with pytest.raises(Killed):
            run(folder, plan, killed)
        hand(folder)
        told = run(folder, plan)
    assert len(told) == 1, told
    assert re.match(message, told[0]), told[0]
    assert outcome(folder) == outcome(whole)
    for trial in read_state(folder).trials.values():
        assert json.loads(folder.trial_config(trial.trial_id).read_text()) == trial.config.to_dict()
        rows = read_metrics(folder.trial_metrics(trial.trial_id))
        assert [row for row in rows if row.val_loss is not None] == trial.evaluations
        if trial.status is Status.COMPLETED:
            assert folder.checkpoint(trial.trial_id, str(trial.checkpoint)).is_dir()


def killed(folder: RunFolder) -> None:
    raise Killed


def test_the_weights_of_a_trial_that_has_completed_can_be_trained_again(
    tmp_path: Path, plan: Plan
) -> None:
    folder = new_folder(tmp_path, plan)
    run(folder, plan)
    checkpoints(folder)
    (told,) = run(folder, plan)
    assert "Its trained weights are lost; to train it again, and longer:\n  python -m train" in told
    assert run(folder, plan) == [], "once"


def cut(folder: RunFolder) -> None:
    """By a line, as an editor does that had the file open before the last one."""
    content = folder.journal.read_bytes()
    folder.journal.write_bytes(content[: content.rindex(b"\n", 0, -1) + 1])


def torn(folder: RunFolder) -> None:
    with folder.journal.open("r+b") as file:
        file.truncate(folder.journal.stat().st_size // 2)


def edited(folder: RunFolder) -> None:
    """In place, and no longer than before."""
    content = folder.journal.read_bytes().replace(b'"continue"', b'"discount"')
    folder.journal.write_bytes(content)
    os.utime(folder.journal, ns=(0, 0))  # the clock of files ticks slowly


def lengthened(folder: RunFolder) -> None:
    with folder.journal.open("ab") as file:
        file.write(b"# a note\n")


AT_THE_JOURNAL: list[Hand] = [
    lambda folder: folder.journal.unlink(),
    lambda folder: os.replace(shutil.copy(folder.spec, "other"), folder.journal),
    lambda folder: folder.journal.write_bytes(b""),
    cut,
    torn,
    edited,
    lengthened,
]


@pytest.mark.parametrize("hand", AT_THE_JOURNAL)
@pytest.mark.parametrize("looks", [True, False], ids=["seen at once", "seen at the next line"])
def test_a_journal_that_is_deleted_replaced_or_changed_is_put_back_whole(
    tmp_path: Path, plan: Plan, hand: Hand, looks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if not looks:
        monkeypatch.setattr("sweeper.runtime.losses.LOOK_EVERY_SECONDS", 3600)
    whole, folder = new_folder(tmp_path / "whole", plan), new_folder(tmp_path, plan)
    run(whole, plan)
    (told,) = run(folder, plan, hand)
    assert told == f"{folder.journal}: was deleted, replaced or changed; it is back as it was."
    assert outcome(folder) == outcome(whole)


def test_a_journal_that_is_touched_is_as_it_was(tmp_path: Path, plan: Plan) -> None:
    assert run(new_folder(tmp_path, plan), plan, lambda folder: os.utime(folder.journal)) == []


def test_a_search_space_that_is_deleted_is_written_again(tmp_path: Path, plan: Plan) -> None:
    folder = new_folder(tmp_path, plan)
    before = folder.spec.read_text().splitlines()
    (told,) = run(folder, plan, lambda f: f.spec.unlink())
    assert told == f"{folder.spec}: was deleted; it has been written again."
    assert folder.spec.read_text().splitlines()[1:] == before[1:]


@pytest.mark.parametrize("trials", [False, True])
def test_a_folder_that_is_deleted_ends_the_sweep_which_goes_on_from_its_journal(
    tmp_path: Path, plan: Plan, trials: bool
) -> None:
    whole = new_folder(tmp_path / "whole", plan)
    run(whole, plan)
    folder = new_folder(tmp_path, plan)
    with pytest.raises(StorageError) as caught:
        run(folder, plan, lambda f: shutil.rmtree(f.trials if trials else f.path))
    told = str(caught.value)
    gone = folder.trials if trials else folder.path
    assert told.startswith(f"{gone}: was deleted while the sweep was at work in it, so it")
    assert told.endswith(f"begin anew with: python -m sweeper resume {folder.called}")
    assert run(folder, plan)  # of the trials' folders
    assert outcome(folder) == outcome(whole)


def test_a_folder_that_is_moved_away_ends_the_sweep_which_goes_on_there(
    tmp_path: Path, plan: Plan
) -> None:
    whole = new_folder(tmp_path / "whole", plan)
    run(whole, plan)
    folder, there = new_folder(tmp_path, plan), RunFolder(tmp_path / "a b")
    with pytest.raises(StorageError) as caught:
        run(folder, plan, lambda f: f.path.rename(there.path))
    assert str(caught.value).startswith(f"{folder.path}: was moved away while the sweep was at wo")
    assert str(caught.value).endswith(f"python -m sweeper resume '{there.path}'")
    run(there, plan)
    assert outcome(there) == outcome(whole)


def test_under_pbt_a_trial_whose_source_is_gone_goes_on_as_it_is(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(
        space={"learning_rate": {"grid": [1e-3, 2e-3, 1e-1, 2e-1]}}, train=TRAIN,
        scheduler={"type": "pbt", "interval_steps": 4, "quantile": 0.5},
    )  # fmt: skip
    folder = new_folder(tmp_path, plan)
    gone: list[str] = []

    def all_that_wait(folder: RunFolder) -> None:
        for path in folder.trials.glob("*/checkpoint_*"):
            gone.append(path.parent.name)
            shutil.rmtree(path)

    told = run(folder, plan, all_that_wait, at=("0003", 2))
    assert sorted(gone) == ["0000", "0001", "0002"]
    assert [text.split(":")[0] for text in told] == [
        f"Trial {trial_id}" for trial_id in sorted(gone)
    ]
    assert all("from its beginning, and none takes over from it." in text for text in told)
    state = read_state(folder)
    assert {trial.status for trial in state.trials.values()} == {Status.COMPLETED}
