import json
from pathlib import Path

import pytest

from trainable.command_line.output_folder import OutputFolder, best_step
from trainable.errors import OutputFolderError


def folder_with(root: Path, steps: list[int], val_losses: dict[int, float]) -> OutputFolder:
    folder = OutputFolder(root)
    for step in steps:
        folder.checkpoint(step).touch()
    lines = [json.dumps({"step": step, "val_loss": loss}) for step, loss in val_losses.items()]
    folder.metrics_file.write_text("".join(line + "\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("keep", "now", "left"),
    [
        (1, 40, [40, 20]),
        (2, 40, [40, 30, 20]),
        (1, 30, [40, 30, 20]),  # 40 is of an earlier run: neither counted nor deleted
        (9, 40, [40, 30, 20, 10]),
    ],
)
def test_the_last_and_the_best_are_kept(
    tmp_path: Path, keep: int, now: int, left: list[int]
) -> None:
    folder = folder_with(tmp_path, [10, 20, 30, 40], {10: 3.0, 20: 1.0, 30: 2.0, 35: 0.5})
    folder.prune_checkpoints(keep, step=now)
    assert folder.checkpoint_steps() == left


def test_steps_are_numbers_not_words(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [9, 10, 100], {})
    (tmp_path / "checkpoint_step_x.pt").touch()
    assert folder.checkpoint_steps() == [100, 10, 9]


def test_the_best_was_evaluated_at_its_own_step() -> None:
    metrics = [{"step": 1, "val_loss": None}, {"step": 2, "val_loss": 2.0}]
    assert best_step([1, 2, 3], metrics) == 2
    assert best_step([1, 3], metrics) is None


@pytest.mark.parametrize("name", ["file", "file/below", "x" * 300])
def test_one_that_cannot_be_made_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputFolderError, match=r"^output_dir: '.* cannot be made \(.*\); name an"),
        OutputFolder(tmp_path / name).locked(),
    ):
        pass
