"""W&B for real, offline: what it would send is read back from its own files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from trainable.config import TrainConfig
from trainable.options import ProgramOptions
from trainable.run_folder import RunFolder
from trainable.training import Trainer
from trainable.wandb_log import WandbLog


class FakeRun:
    def __init__(self, **settings: object) -> None:
        self.settings = settings
        self.id = settings["id"] or "abc123"
        self.logged: list[tuple[int, dict[str, object]]] = []

    def log(self, metrics: dict[str, object], step: int) -> None:
        self.logged.append((step, metrics))

    def finish(self, exit_code: int) -> None:
        self.exit_code = exit_code


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    import wandb

    made: list[FakeRun] = []

    def init(**settings: object) -> FakeRun:
        made.append(FakeRun(**settings))
        return made[-1]

    monkeypatch.setattr(wandb, "init", init)
    return made


def test_a_resumed_run_is_the_same_one_without_doubled_steps(
    tiny: Callable[..., TrainConfig], tmp_path: Path, runs: list[FakeRun]
) -> None:
    config, folder = tiny(log_every_steps=1), RunFolder(tmp_path)
    options = ProgramOptions(use_wandb=True, wandb_project="p", wandb_run_name="n")
    trainer = Trainer(config)
    log = WandbLog(folder, config, options, resumed=False)
    for report in trainer.train():
        log.log(report)
        if trainer.step == 3:
            trainer.save(tmp_path / "old.pt")
        if trainer.step == 6:
            break
    log.finish(0)
    resumed = Trainer(config, resume_from=tmp_path / "old.pt")
    log = WandbLog(folder, config, ProgramOptions(use_wandb=True), resumed=True)
    for report in resumed.train():
        log.log(report)

    first, second = runs
    assert (first.settings["project"], first.settings["name"]) == ("p", "n")
    assert first.settings["config"] == config.to_dict()
    assert second.settings["project"] == "p"
    assert second.settings["id"] == first.id and second.settings["resume"] == "allow"
    assert [step for run in runs for step, _ in run.logged] == [1, 2, 3, 4, 5, 6, 7, 8]
    at_evaluation = dict(first.logged)[4]
    assert {"train_loss", "val_loss", "val_perplexity", "tokens_per_second"} <= set(at_evaluation)
    assert "val_loss" not in dict(first.logged)[3]  # not measured is not logged


def test_a_new_run_in_an_old_folder_is_a_new_one(
    tiny: Callable[..., TrainConfig], tmp_path: Path, runs: list[FakeRun]
) -> None:
    folder, options = RunFolder(tmp_path), ProgramOptions(use_wandb=True)
    WandbLog(folder, tiny(), options, resumed=False)
    WandbLog(folder, tiny(), options, resumed=False)
    assert runs[1].settings["id"] is None
    assert json.loads(folder.wandb_file.read_text()) == {
        "run_id": "abc123",
        "project": "trainable",
        "last_step": 0,
    }
