"""A trial's loop by itself: its slices, its checkpoints and what they carry."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.progress import read_progress
from sweeper.record.run_folder import CHECKPOINT_FILE
from sweeper.record.state.checkpoints import PROGRESS_FILE
from sweeper.runtime.trial_loop import Slice, TrialLoop
from tests.sweeper.closed_form import ClosedFormTrainer
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics


class Talkative(ClosedFormTrainer):
    """Says something at every step, a validation loss at those where one is due."""

    def train(self) -> Iterator[Metrics | None]:
        for metrics in super().train():
            yield metrics or Metrics(step=self.step, train_loss=1.0)


@pytest.fixture
def loop(tiny_plan: Any) -> TrialLoop:
    """It evaluates at 4, 8, 12, 16, and saves itself at 6, 12, 16."""
    config = tiny_plan(train={"eval_every_steps": 4, "checkpoint_every_steps": 6}).trials[0].config
    return new_loop(config)


def new_loop(config: TrainConfig) -> TrialLoop:
    return TrialLoop(Talkative, config, num_threads=None)


def steps(piece: Slice) -> list[int]:
    return [metrics.step for metrics in piece.metrics]


def saved(loop: TrialLoop, folder: Path) -> list[int]:
    """The steps that a checkpoint carries."""
    loop.save(folder)
    progress = read_progress(folder)
    assert progress is not None
    assert progress.step == loop.trainer.step
    return [metrics.step for metrics in progress.metrics]


def test_a_slice_ends_at_an_evaluation_and_at_a_checkpoint(loop: TrialLoop) -> None:
    pieces = [loop.train() for _ in range(5)]
    assert [piece.step for piece in pieces] == [4, 6, 8, 12, 16]
    assert [piece.saves for piece in pieces] == [False, True, False, True, True]
    assert [piece.finished for piece in pieces] == [False] * 4 + [True]
    assert [step for piece in pieces for step in steps(piece)] == list(range(1, 17))


def test_a_checkpoint_is_due_where_others_fork(loop: TrialLoop) -> None:
    trunk = TrialLoop(Talkative, loop.config, num_threads=None, forks_at={5, 8})
    pieces = [trunk.train() for _ in range(6)]
    assert [piece.step for piece in pieces] == [4, 5, 6, 8, 12, 16]
    assert [piece.saves for piece in pieces] == [False, True, True, True, True, True]


def test_a_slice_ends_in_time(loop: TrialLoop) -> None:
    assert steps(loop.train(seconds=0.0)) == [1]


def test_a_checkpoint_carries_what_was_measured_since_the_one_before(
    loop: TrialLoop, tmp_path: Path
) -> None:
    loop.train()
    assert saved(loop, tmp_path / "a") == [1, 2, 3, 4]
    assert saved(loop, tmp_path / "b") == [1, 2, 3, 4], "the one before may be gone"
    loop.train()
    assert saved(loop, tmp_path / "c") == [5, 6]
    again = new_loop(loop.config)
    again.restore([tmp_path / "c"], evaluated=4)
    assert saved(again, tmp_path / "d") == []
    again.train()
    assert saved(again, tmp_path / "e") == [7, 8]


def test_a_checkpoint_that_is_there_is_not_due_again(loop: TrialLoop, tmp_path: Path) -> None:
    for _ in range(5):
        loop.train()
    loop.save(tmp_path)
    again = new_loop(loop.config)
    again.restore([tmp_path], evaluated=16)
    piece = again.train()
    assert (piece.metrics, piece.step, piece.finished, piece.saves) == ([], 16, True, False)


@pytest.mark.parametrize(
    "evaluated, begins_at",
    # The newest is of step 8, the one before of step 6.
    [(8, 8), (4, 6), (3, 0), (0, 0), (16, 8)],
)
def test_no_trial_goes_on_from_beyond_an_evaluation_that_is_not_recorded(
    loop: TrialLoop, tmp_path: Path, evaluated: int, begins_at: int
) -> None:
    for name in ("first", "second", "third"):
        loop.train()
        loop.save(tmp_path / name)
    again = new_loop(loop.config)
    again.restore([tmp_path / "third", tmp_path / "second"], evaluated=evaluated)
    assert again.trainer.step == begins_at


@pytest.mark.parametrize("evaluated, begins_at", [(0, 0), (12, 12), (16, 16)])
def test_the_last_step_is_an_evaluation_though_no_multiple(
    tiny_plan: Any, tmp_path: Path, evaluated: int, begins_at: int
) -> None:
    every = {"eval_every_steps": 12, "checkpoint_every_steps": 12}
    plan = tiny_plan(train=every, scheduler={"type": "fifo"})
    loop = new_loop(plan.trials[0].config)
    for name in ("of 12", "of 16"):
        loop.train()
        loop.save(tmp_path / name)
    again = new_loop(loop.config)
    again.restore([tmp_path / "of 16", tmp_path / "of 12"], evaluated=evaluated)
    assert again.trainer.step == begins_at


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"step": 4}', b'{"step": 4, "metrics": [{}]}',
                b'{"step": "four", "metrics": []}', b'{"step": 4, "metrics": [{"step": "4"}]}',
                b'{"step": 4, "metrics": [{"step": 4, "val_loss": "low"}]}', b"\xff"],
)  # fmt: skip
def test_a_damaged_word_of_progress_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PROGRESS_FILE).write_bytes(content)
    assert read_progress(tmp_path) is None


def test_a_damaged_checkpoint_falls_back_to_the_one_before(loop: TrialLoop, tmp_path: Path) -> None:
    for name in ("first", "second"):
        loop.train()
        loop.save(tmp_path / name)
    (tmp_path / "second" / CHECKPOINT_FILE).write_text("{")
    again = new_loop(loop.config)
    again.restore([tmp_path / "second", tmp_path / "first"], evaluated=4)
    assert again.trainer.step == 4
