"""A training program as a trial's loop: real processes, real kills."""

from pathlib import Path

import pytest

from sweeper.runtime.trainers.command_trainer import CommandTrainer
from tests.sweeper.runtime.trainers.jobs import job, losses

STYLES = ["after", "before", "pattern", "folder", "async", "hook"]


@pytest.mark.parametrize("style", STYLES)
def test_paused_at_each_evaluation_it_comes_to_the_same(tmp_path: Path, style: str) -> None:
    whole = CommandTrainer(job(tmp_path / "whole", style))
    straight = losses(whole)
    assert list(straight) == [10, 20, 30, 40]
    pieces: dict[int, float | None] = {}
    kept = None
    for step in straight:
        trainer = CommandTrainer(job(tmp_path / "parts", style), resume_from=kept)
        assert trainer.step == step - 10
        pieces |= losses(trainer, until=step)
        kept = tmp_path / "parts" / f"checkpoint_{step:06d}" / "checkpoint.pt"
        assert trainer.save(kept) == step
        trainer.close()
    assert pieces == straight
    assert losses(CommandTrainer(job(tmp_path / "parts", style), resume_from=kept)) == {}


@pytest.mark.parametrize("style", STYLES)
def test_it_goes_on_after_a_checkpoint_was_kept(tmp_path: Path, style: str) -> None:
    straight = losses(CommandTrainer(job(tmp_path / "whole", style)))
    trainer = CommandTrainer(job(tmp_path / "saved", style))
    found = {}
    for metrics in trainer.train():
        if metrics is not None and metrics.val_loss is not None:
            found[metrics.step] = metrics.val_loss
            folder = tmp_path / "saved" / f"checkpoint_{metrics.step:06d}"
            assert trainer.save(folder / "checkpoint.pt") == metrics.step
    assert found == straight


@pytest.mark.parametrize("style", ["after", "pattern"])
def test_one_that_has_said_nothing_yet_is_paused_at_once(tmp_path: Path, style: str) -> None:
    trainer = CommandTrainer(job(tmp_path, style))
    losses(trainer, until=10)
    kept = [tmp_path / f"checkpoint_{number:06d}" / "checkpoint.pt" for number in range(2)]
    assert trainer.save(kept[0]) == 10
    trainer.close()
    slow = CommandTrainer(job(tmp_path, style, more=" --seconds=30"), resume_from=kept[0])
    assert next(slow.train()) is None
    assert slow.save(kept[1]) == 10
    assert slow.process is not None and slow.process.num_lines == 0
    slow.close()
