"""Rungs that every trial can be judged at; the first one where the file does not state it."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import SpecError
from sweeper.plan.plan import make_plan
from sweeper.record.run_folder import create_run_folder
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.scheduler_spec import GraceSpec
from tests.sweeper.checked import load_checked
from trainable.model.model_size import flops_per_token

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


def test_a_paused_trial_must_have_a_checkpoint_at_its_rung(
    write_space: Any, tokens_folder: Path
) -> None:
    asha = {"type": "asha", "mode": "promote", "grace_steps": 8}
    train = {"eval_every_steps": 4, "checkpoint_every_steps": 16}
    with pytest.raises(SpecError, match=r"checkpoint_every_steps: must divide .*grace_steps \(8\)"):
        load_checked(write_space(scheduler=asha, train=train))
    spec, source = load_spec(write_space(scheduler={**asha, "mode": "stop"}, train=train))
    assert len(make_plan(spec, tokens_folder, source).trials) == 4


SIZES = {
    "size": {
        "grid": {
            "narrow": {"d_model": 16, "num_heads": 2, "d_ff": 32, "batch_size": 2},
            "wide": {"d_model": 48, "num_heads": 4, "d_ff": 160, "batch_size": 6},
        }
    }
}


@pytest.mark.parametrize(("clock", "grace"), [("tokens", 200), ("flops", 20_000_000)])
def test_sizes_share_a_clock(
    write_space: Any, tokens_folder: Path, tmp_path: Path, clock: Any, grace: int
) -> None:
    """Each trial is evaluated where it reaches the first rung, on whose step a checkpoint lies."""
    asha = {"type": "asha", "mode": "promote", "clock": clock, f"grace_{clock}": grace}
    spec, source = load_spec(write_space(space=SIZES, scheduler=asha))
    plan = make_plan(spec, tokens_folder, source)
    assert len({t.config.eval_every_steps for t in plan.trials}) == 2
    for config in (trial.config for trial in plan.trials):
        per_step = config.batch_size * config.context_length
        if clock == "flops":
            per_step *= flops_per_token(config)
        first = config.eval_every_steps
        assert (first - 1) * per_step < grace <= first * per_step
        assert config.checkpoint_every_steps == first
    folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    again, source = load_spec(folder.spec)
    assert make_plan(again, tokens_folder, source) == plan  # as a resume reads it


@pytest.mark.parametrize(
    ("asha", "message"),
    [
        ({"clock": "tokens"}, r"scheduler\.grace_tokens: is required with clock: tokens"),
        (
            {"clock": "tokens", "grace_tokens": 99, "grace_steps": 4},
            r"scheduler\.grace_steps: the clock is tokens; set clock: step, or state grace_tokens",
        ),
        (
            {"clock": "tokens", "grace_tokens": 1024},
            r"grace_tokens: must be below the tokens of the longest trial \(1024\), got 1024",
        ),
        (
            {"grace_steps": 4, "brackets": 3},
            r"scheduler\.brackets: the last bracket's first rung must be below max_steps \(16\)",
        ),
    ],
)
def test_rungs_that_cannot_be_are_refused(
    write_space: Any, asha: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        load_checked(write_space(scheduler={"type": "asha", **asha}))


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ({"type": "hyperband", "grace_steps": 16}, r"grace_steps: must be below max_steps \(16\)"),
        (
            {"type": "hyperband", "grace_steps": 4, "reduction_factor": 2, "brackets": 4},
            r"scheduler\.brackets: the last bracket's first rung must be below max_steps \(16\)",
        ),
        (
            {"type": "hyperband", "grace_steps": 4, "mode": "stop"},
            r"scheduler\.mode: no such key; there are: type, clock",
        ),
        (
            {"type": "median", "clock": "flops", "grace_steps": 4},
            r"scheduler\.grace_flops: is required with clock: flops",
        ),
        ({"type": "median", "grace_steps": 4, "min_trials": 0}, r"min_trials: must be at least 1"),
    ],
)
def test_what_the_other_schedulers_cannot_be_is_refused(
    write_space: Any, scheduler: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        load_checked(write_space(scheduler=scheduler))


def test_hyperband_may_have_a_bracket_that_is_never_judged(write_space: Any) -> None:
    hyperband = {"type": "hyperband", "grace_steps": 4, "reduction_factor": 2, "brackets": 3}
    load_checked(write_space(scheduler=hyperband))


def test_the_median_rule_judges_at_any_evaluation(write_space: Any) -> None:
    median = {"type": "median", "grace_steps": 4}
    load_checked(write_space(scheduler=median, train={"eval_every_steps": 3}))


def test_an_evaluation_must_not_come_after_the_first_rung(write_space: Any) -> None:
    asha = {"type": "asha", "clock": "tokens", "grace_tokens": 200}
    problem = r"train\.eval_every_steps: must be at most 4, the step of the first rung"
    with pytest.raises(SpecError, match=problem):
        load_checked(write_space(scheduler=asha, train={"eval_every_steps": 5}))
