"""W&B: what is sent, as a stand-in for `wandb.init` sees it; and the real one, offline."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trainable.command_line.options import ProgramOptions
from trainable.command_line.output_folder import OutputFolder
from trainable.command_line.wandb_log import WandbLog, WandbLogError
from trainable.config import TrainConfig
from trainable.loop.training import Trainer


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
    config, folder = tiny(log_every_steps=1), OutputFolder(tmp_path)
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
    assert first.settings["config"] == {**config.to_dict(), "num_params": 5456}
    assert second.settings["project"] == "p"
    assert second.settings["id"] == first.id and second.settings["resume"] == "allow"
    assert [step for run in runs for step, _ in run.logged] == [1, 2, 3, 4, 5, 6, 7, 8]
    at_evaluation = dict(first.logged)[4]
    assert {"train_loss", "val_loss", "val_perplexity", "tokens_per_second"} <= set(at_evaluation)
    assert "val_loss" not in dict(first.logged)[3]  # not measured is not logged


def test_a_new_run_in_an_old_folder_is_a_new_one(
    tiny: Callable[..., TrainConfig], tmp_path: Path, runs: list[FakeRun]
) -> None:
    folder, options = OutputFolder(tmp_path), ProgramOptions(use_wandb=True)
    WandbLog(folder, tiny(), options, resumed=False)
    WandbLog(folder, tiny(), options, resumed=False)
    assert runs[1].settings["id"] is None
    assert json.loads(folder.wandb_file.read_text()) == {
        "run_id": "abc123",
        "project": "trainable",
        "last_step": 0,
    }


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"run_id": 1, "project": "p"}', "\xff"])
def test_a_damaged_file_of_the_run_is_told(
    tiny: Callable[..., TrainConfig], tmp_path: Path, runs: list[FakeRun], text: str
) -> None:
    folder, options = OutputFolder(tmp_path), ProgramOptions(use_wandb=True)
    folder.wandb_file.write_bytes(text.encode("latin-1"))
    with pytest.raises(WandbLogError, match=r"wandb\.json: damaged; remove it, and the run is"):
        WandbLog(folder, tiny(), options, resumed=True)
    assert not runs


def test_the_real_one_works_offline_and_resumes_its_run(
    tiny: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    config = tiny()
    command = [sys.executable, "-m", "trainable", "--output_dir", str(tmp_path), "--use_wandb"]
    data = ["--train_data", str(config.train_data), "--val_data", str(config.val_data)]
    shape = "--d_model 16 --num_heads 2 --d_ff 32 --num_layers 1 --vocab_size 8 --batch_size 4"
    first = [*data, *shape.split(), "--context_length", "16", "--max_steps", "4"]
    again = ["--resume_from", str(tmp_path / "final_checkpoint.pt"), "--max_steps", "6"]
    for flags in (first, again):
        environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
        done = subprocess.run([*command, *flags], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    known = json.loads((tmp_path / "wandb.json").read_text())
    assert known["last_step"] == 6
    folders = [path.name for path in (tmp_path / "wandb").glob("offline-run-*")]
    assert len(folders) == 2
    assert all(name.endswith(f"-{known['run_id']}") for name in folders)
