"""What a program has saved: what is gone on from, and what is not."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from sweeper.runtime.trainers.command_trainer import CommandTrainer
from sweeper.runtime.trainers.saved import (
    FRUITLESS_STARTS,
    keep,
    keep_again,
    note_fruitless_start,
    restored,
)
from tests.sweeper.runtime.trainers.jobs import job, losses, message
from trainable.errors import CheckpointError


def test_a_torn_checkpoint_is_given_up_after_some_starts(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint_000001" / "checkpoint.pt"
    trainer = CommandTrainer(job(tmp_path, fault="torn"))
    losses(trainer, until=10)
    assert trainer.save(kept) == 10
    trainer.close()
    for _ in range(FRUITLESS_STARTS):
        assert "JSONDecodeError" in message(CommandTrainer(job(tmp_path), resume_from=kept))
    with pytest.raises(CheckpointError, match="the program does not go on from it"):
        CommandTrainer(job(tmp_path), resume_from=kept)


def test_a_folder_that_is_complete_as_the_next_evaluation_comes_is_not_kept_by_half(
    tmp_path: Path,
) -> None:
    """It has been quiet for a while, is copied, and the rest comes with that evaluation."""
    fault = "saves until the next"
    trainer = CommandTrainer(job(tmp_path, "async", fault, marker=None, more=" --seconds=0.001"))
    for step in (10, 20, 30):
        assert step in losses(trainer, until=step)
        kept = tmp_path / f"checkpoint_{step}" / "checkpoint.pt"
        taken = trainer.save(kept)
        assert taken < step or any(kept.parent.rglob("state.json"))
    trainer.close()


def test_what_came_after_the_last_look_is_not_taken_for_what_was_looked_at(tmp_path: Path) -> None:
    """It may be of the next evaluation, of which nothing has been read yet."""
    trainer = CommandTrainer(job(tmp_path))
    losses(trainer, until=10)
    there, kept = tmp_path / "work" / "ckpt.json", tmp_path / "kept" / "checkpoint.pt"
    kept.parent.mkdir()
    there.write_text("of step 10")
    trainer._newest.look()
    assert trainer._copied(kept, 10) is not None
    there.write_text("of step 20, perhaps")
    assert trainer._copied(kept, 10) is None
    trainer.close()


HALF = """
import pathlib, sys, time
there, kept = map(pathlib.Path, sys.argv[1:])
print("step 10: val loss 1", flush=True)
there.write_text("half")
while not kept.exists():
    time.sleep(0.01)
time.sleep(0.02)
with there.open("a") as opened:
    opened.write(" of it")
print("step 20: val loss 1", flush=True)
time.sleep(1000)
"""


def test_a_file_of_which_the_rest_comes_before_the_next_evaluation_is_not_kept_by_half(
    tmp_path: Path,
) -> None:
    """It was quiet for a while, and is copied; nothing but that evaluation is said after it."""
    (tmp_path / "half.py").write_text(HALF)
    kept = tmp_path / "kept" / "checkpoint.pt"
    command = f"{sys.executable} half.py {{trial_dir}}/ckpt.json {kept}"
    trainer = CommandTrainer(job(tmp_path, command=command))
    losses(trainer, until=10)
    assert trainer.save(kept) == 0
    trainer.close()


def test_what_was_copied_by_half_is_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands where checkpoints are looked for, and is none."""

    def by_half(trainer: CommandTrainer, path: Path) -> None:
        keep(path, 10, tmp_path / "work" / "ckpt.json")

    trainer = CommandTrainer(job(tmp_path))
    losses(trainer, until=20)
    (tmp_path / "work" / "ckpt.json").write_text("half")
    monkeypatch.setattr(CommandTrainer, "_keep_own", by_half)
    assert trainer.save(tmp_path / "checkpoint_000001" / "checkpoint.pt") == 0
    trainer.close()


def test_a_start_that_came_to_nothing_is_not_held_against_a_copy(tmp_path: Path) -> None:
    """Another trial, which went on from there, has the files by hard links."""
    file = tmp_path / "checkpoint_000001" / "checkpoint.pt"
    file.parent.mkdir()
    keep(file, 10, None)
    note_fruitless_start(file)
    copy = tmp_path / "copy"
    shutil.copytree(file.parent, copy, copy_function=os.link)
    note_fruitless_start(copy / file.name)
    with pytest.raises(CheckpointError, match="does not go on from it"):
        restored(copy / file.name)
    assert restored(file).step == 10


@pytest.mark.parametrize("fault", ["fails saving", "saves nothing"])
def test_one_that_does_not_save_when_it_is_asked_goes_on_from_the_checkpoint_before(
    tmp_path: Path, fault: str
) -> None:
    straight = losses(CommandTrainer(job(tmp_path / "whole", "hook")))
    folder = tmp_path / "asked"
    trainer = CommandTrainer(job(folder, "hook", fault=fault))
    losses(trainer, until=10)
    assert trainer.save(folder / "checkpoint_000001" / "checkpoint.pt") == 10
    losses(trainer, until=20)
    kept = folder / "checkpoint_000002" / "checkpoint.pt"
    assert trainer.save(kept) == 10
    again = CommandTrainer(job(folder, "hook"), resume_from=kept)
    assert {10: straight[10], **losses(again)} == straight


def test_a_checkpoint_of_ours_that_is_damaged_is_not_used(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint_000001" / "checkpoint.pt"
    trainer = CommandTrainer(job(tmp_path))
    losses(trainer, until=10)
    trainer.save(kept)
    trainer.close()
    (kept.parent / "program" / "ckpt.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"program/ckpt\.json is not as it was kept"):
        CommandTrainer(job(tmp_path), resume_from=kept)


@pytest.mark.parametrize("style", ["folder", "after"])
def test_what_a_program_writes_as_it_dies_is_no_checkpoint(tmp_path: Path, style: str) -> None:
    """Half of it is in the folder; a file is whole, and nobody has said so."""
    straight = losses(CommandTrainer(job(tmp_path / "whole", style)))
    trainer = CommandTrainer(job(tmp_path, style, fault="dies saving"))
    for metrics in trainer.train():
        if metrics is not None and metrics.val_loss is not None:
            kept = tmp_path / f"checkpoint_{metrics.step:06d}" / "checkpoint.pt"
            assert trainer.save(kept) == 10, "the first time, and again at step 20"
            if metrics.step == 20:
                break
    trainer.close()
    again = CommandTrainer(job(tmp_path, style), resume_from=kept)
    assert {10: straight[10], **losses(again)} == straight


def test_nothing_of_what_was_copied_stays_beside_a_checkpoint_that_is_kept_again(
    tmp_path: Path,
) -> None:
    folder, first, second = tmp_path / "latest", tmp_path / "1" / "c.pt", tmp_path / "2" / "c.pt"
    for new in (folder, first.parent, second.parent):
        new.mkdir()
    (folder / "weights").touch()
    keep(first, 10, folder)
    (folder / "state").touch()
    keep(second, 20, folder)
    keep_again(second, first)
    assert restored(second).step == 10
