"""Trials that go on with what another has: its checkpoint, and values of their own."""

import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import StorageError
from sweeper.record.state.trial import Trial
from sweeper.status import Status
from tests.sweeper.closed_form import loss_at
from tests.sweeper.engine.sweeps import FORMS, GRID, PBT, full, new_folder, table
from tests.sweeper.in_process import (
    drive,
    opened,
    run_trial,
)
from tests.sweeper.journals import raw_events


def test_who_takes_over_has_the_weights_of_one_trial_and_values_of_its_own(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(**PBT)
    folder = new_folder(tmp_path, plan)
    sweep = drive(folder, plan)
    exploited = [e for e in raw_events(folder.journal) if e["event"] == "exploited"]
    assert [e["rung"] for e in exploited] == [4, 8, 12], "the worst of three, each time"
    rates = {trial.trial_id: trial.values["learning_rate"] for trial in plan.trials}
    loss: dict[tuple[str, int], float] = {}
    for event in raw_events(folder.journal):
        if event["event"] == "report":
            trial, metrics = event["trial"], event["metrics"]
            loss[trial, metrics["step"]] = metrics["val_loss"]
            assert metrics["learning_rate"] == rates[trial]
        if event["event"] == "exploited":
            trial, source, rung = event["trial"], event["source"], event["rung"]
            alive = {t: v for (t, step), v in loss.items() if step == rung and v is not None}
            assert (source, trial) == (min(alive, key=alive.get), max(alive, key=alive.get))  # type: ignore[arg-type]
            rates[trial] = event["values"]["learning_rate"]
            assert event["config"]["learning_rate"] == rates[trial]
            loss[trial, rung] = loss[source, rung]
            assert event["step"] == rung
    for trial in sweep.trials.values():
        assert trial.config.learning_rate == trial.values["learning_rate"] == rates[trial.trial_id]
        config = json.loads(folder.trial_config(trial.trial_id).read_text())
        assert config["learning_rate"] == rates[trial.trial_id]
        if trial.status is Status.COMPLETED:
            gained = loss[trial.trial_id, 12] - loss[trial.trial_id, 16]
            expected = 4 / loss_at(trial.config, 1)
            assert gained == pytest.approx(expected), "from the weights that it took over"


@pytest.mark.parametrize("sections", [{"space": GRID, "scheduler": FORMS["hyperband"]}, PBT])
def test_what_all_wait_for_does_not_depend_on_who_comes_first(
    tmp_path: Path, tiny_plan: Any, sections: dict[str, Any]
) -> None:
    """Three workers, of which any may be the next to be done, and a new session at times."""
    plan = tiny_plan(**sections)
    whole = new_folder(tmp_path / "whole", plan)
    straight = drive(whole, plan)
    for seed in range(10):
        rng = random.Random(seed)
        folder = new_folder(tmp_path / str(seed), plan)
        over = False
        while not over:
            with opened(folder, plan) as sweep:
                at_work: list[Trial] = []
                while not over and rng.random() < 0.9:
                    while len(at_work) < 3 and (trial := sweep.next_trial()) is not None:
                        at_work.append(trial)
                    over = not at_work
                    if at_work:
                        run_trial(sweep, at_work.pop(rng.randrange(len(at_work))))
        assert table(folder, sweep) == table(whole, straight), f"seed {seed}"


def test_a_checkpoint_that_cannot_be_copied_is_told_and_one_that_is_gone_is_done_without(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**PBT)
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        while len(sweep.trials) < 4 or sweep.state.with_status(Status.RUNNING):
            trial = sweep.next_trial()
            assert trial is not None
            run_trial(sweep, trial)
        with monkeypatch.context() as patch, pytest.raises(StorageError) as caught:
            patch.setattr("shutil.copytree", full)
            sweep.next_trial()
        assert re.search(r"trial 000\d cannot take it over .*; make room or", str(caught.value))
        for trial in sweep.trials.values():
            for checkpoint in folder.checkpoint_folders(trial.trial_id):
                shutil.rmtree(checkpoint)
        promoted = sweep.next_trial()
        assert promoted is not None
        assert promoted.config == plan.trials[int(promoted.trial_id)].config, "its own"
