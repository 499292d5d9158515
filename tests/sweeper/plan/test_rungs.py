"""The first rung where the file does not state one: a step at which every trial is evaluated."""

from pathlib import Path

import pytest

from sweeper.errors import SpecError
from sweeper.plan.plan import make_plan
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.scheduler_spec import GraceSpec
from tests.sweeper.checked import load_checked

LR = "space: {learning_rate: {grid: [1e-3, 2e-3]}}\n"
THEIRS = """
trainer:
  command: train {lr} {warmup}
  settings: {lr: {type: float}, warmup: {type: int, default: 0}}
  max_steps: 600
  eval_every_steps: 20
  checkpoint_every_steps: 60
  checkpoint: {path: saved.pt}
  resume: --resume saved.pt
  schedule: {schedule: cosine, warmup_steps: warmup}
space: {lr: {grid: [1, 2]}}
"""


def grace(folder: Path, text: str) -> int:
    path = folder / "space.yaml"
    path.write_text(text)
    spec, source = load_spec(path)
    scheduler = make_plan(spec, None, source).spec.scheduler
    assert isinstance(scheduler, GraceSpec)
    return scheduler.grace


@pytest.mark.parametrize(
    ("scheduler", "train", "step"),
    [
        ("{type: asha}", "max_steps: 100", 13),
        ("{type: hyperband}", "max_steps: 600", 75),
        ("{type: median}", "max_steps: 100, eval_every_steps: 10", 20),
        ("{type: asha, grace_steps: 7}", "max_steps: 100", 7),
        # a paused trial needs a checkpoint there
        ("{type: asha, mode: promote}", "max_steps: 600, checkpoint_every_steps: 50", 100),
        ("{type: hyperband}", "max_steps: 600, checkpoint_every_steps: 50", 100),
        ("{type: asha}", "max_steps: 600, checkpoint_every_steps: 50", 75),
        # however the lengths are written
        ("{type: asha}", "max_steps: 1e3", 125),
        ("{type: asha}", "max_steps: 600, eval_every_steps: {times: 0.1, of: max_steps}", 120),
        # while the learning rate still rises nothing can be compared
        ("{type: asha}", "max_steps: 600, warmup_steps: 200", 201),
        ("{type: asha}", "max_steps: 600, warmup_steps: 200, eval_every_steps: 40", 240),
    ],
)
def test_it_is_an_eighth_of_the_length_or_the_next_step_that_can_be_one(
    tmp_path: Path, scheduler: str, train: str, step: int
) -> None:
    assert grace(tmp_path, f"{LR}scheduler: {scheduler}\ntrain: {{{train}}}") == step


def test_the_longest_of_swept_warmups_counts(tmp_path: Path) -> None:
    space = "space: {warmup_steps: {grid: [10, 150, 90]}}\n"
    assert grace(tmp_path, space + "scheduler: {type: asha}\ntrain: {max_steps: 600}") == 151


@pytest.mark.parametrize(
    ("scheduler", "train", "step"),
    [
        ("{type: asha}", "", 80),
        ("{type: asha, mode: promote}", "", 120),
        ("{type: asha}", "train: {warmup: 90}", 100),
    ],
)
def test_another_trainer_has_its_own_intervals_and_warmup(
    tmp_path: Path, scheduler: str, train: str, step: int
) -> None:
    assert grace(tmp_path, f"{THEIRS}scheduler: {scheduler}\n{train}") == step


DEFAULT = r" by default \(an eighth of max_steps, past the longest warmup, at the next evaluation\)"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LR + "train: {max_steps: 100, eval_every_steps: 0}",
         r"train\.eval_every_steps: must be at least 1, got 0"),
        (LR + "train: {max_steps: 0}", r"train\.max_steps: must be at least 1, got 0"),
        (LR + "train: {max_steps: 1}",
         r"grace_steps: must be below max_steps \(1\), got 1" + DEFAULT),
        (LR + "train: {max_steps: 100, eval_every_steps: 100}",
         r"grace_steps: must be below max_steps \(100\), got 100" + DEFAULT),
        ("space: {warmup_steps: {grid: [1, 2]}}\n"
         "train: {eval_every_steps: {times: 2, of: warmup_steps}}",
         r"grace_steps: is required where warmup_steps is swept$"),
        ("space: {batch_size: {grid: [1, 2]}}\nconstraints: [{less: [batch_size, 1]}]",
         r"constraints: none of 2 combinations"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_not_what_follows_from_it(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(f"scheduler: {{type: asha}}\n{text}")
    with pytest.raises(SpecError, match=problem) as error:
        load_checked(path)
    assert len(error.value.problems) == 1
