"""What cannot be asked of a search, told with its line."""

from pathlib import Path

import pytest

from sweeper.errors import SpecError
from sweeper.record.run_folder import create_run_folder
from tests.sweeper.checked import load_checked

SPACE = (
    "space:\n"
    "  learning_rate: {loguniform: [1e-4, 1e-1]}\n"
    "  warmup_steps: {randint: [0, 50], step: 10}\n"
    "train: {max_steps: 100}\n"
)
TPE = "algorithm: tpe, num_trials: 5"


def load(tmp_path: Path, search: str, more: str = "") -> None:
    path = tmp_path / "space.yaml"
    path.write_text(f"{SPACE}search:\n  {{{search}}}\n{more}")
    load_checked(path)


@pytest.mark.parametrize(
    ("search", "problem"),
    [
        ("algorithm: tpe", "5: search.num_trials: is required for a tpe search, as 20"),
        ("algorithm: sobol", "5: search.num_trials: is required for a sobol search, as 20"),
        ("algorithm: tpe, num_trials: 200000", "6: search.num_trials: a sweep has at most"),
        ("algorithm: tpa, num_trials: 5", "6: search.algorithm: must be 'grid', 'random', 'sobol', "
         "'tpe', 'gp' or 'model', got 'tpa'"),
        ("from: lr}\nscheduler: {type: pbt, interval_steps: 9", "6: search.from: under pbt a trial "
         "takes values on its way, so none of another sweep is the same; remove it"),
        (f"{TPE}, alpha: 0.1", "6: search.alpha: is for algorithm: model, not tpe; remove it"),
        ("algorithm: model, num_trials: 5, alpha: 1", "6: search.alpha: must be less than 1"),
        (f"{TPE}, form: lr", "6: search.form: no such key; did you mean 'from'?"),
        (f"{TPE}, from: 3", "6: search.from: must be text, got 3"),
        (f"{TPE}, initial: []", "6: search.initial: must not be empty"),
        (f"{TPE}, initial: {{learning_rate: 1}}", "6: search.initial: must be a list"),
        (f"{TPE}, initial: [7]", "6: search.initial.0: must be a mapping, got 7"),
        (f"{TPE}, initial: [{{learning_rate: 0.01}}]", "6: search.initial.0.warmup_steps: is "
         "missing; a point has a value for every name"),
        (f"{TPE}, initial: [{{learning_rat: 0.01, warmup_steps: 0}}]",
         "6: search.initial.0.learning_rat: no such name is swept; did you mean 'learning_rate'?"),
        (f"{TPE}, initial: [{{learning_rate: 0.2, warmup_steps: 5}}]",
         "6: search.initial.0.learning_rate: must lie in [0.0001, 0.1], got 0.2\n"),
        (f"{TPE}, initial: [{{learning_rate: 0.2, warmup_steps: 5}}]",
         "6: search.initial.0.warmup_steps: must lie whole steps of 10 above 0, got 5"),
        (f"{TPE}, initial: [{{learning_rate: [1], warmup_steps: 5}}]",
         "6: search.initial.0.learning_rate: must be one value, got [1]"),
        (f"{TPE}, initial: [{{learning_rate: 0.1, warmup_steps: 0}}, "
         "{warmup_steps: 0.0, learning_rate: 1e-1}]",
         "6: search.initial.1: is the same as number 0; remove one"),
        ("algorithm: tpe, num_trials: 1, initial: [{learning_rate: 0.1, warmup_steps: 0}, "
         "{learning_rate: 0.01, warmup_steps: 0}]",
         "6: search.num_trials: counts the 2 of `initial:` too, got 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched(tmp_path: Path, search: str, problem: str) -> None:
    with pytest.raises(SpecError) as error:
        load(tmp_path, search)
    assert f"{tmp_path}/space.yaml:{problem}" in f"{error.value}\n"


def test_a_known_point_that_the_constraints_rule_out_is_refused(tmp_path: Path) -> None:
    search = f"{TPE}, initial: [{{learning_rate: 0.1, warmup_steps: 50}}]"
    load(tmp_path, search)
    with pytest.raises(SpecError, match=r"yaml:6: search.initial.0: `constraints:` rule this"):
        load(tmp_path, search, "constraints: [{less: [warmup_steps, 50]}]\n")


def test_a_space_that_is_wrong_is_told_without_more_of_its_points(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    wrong = "space:\n  a: {normal: [1, 1]}\n  b: {grid: [1], when: {b: 1}}\n  lr: {gird: [1]}\n"
    initial = "search: {algorithm: tpe, num_trials: 2, initial: [{a: 1, b: 1, lr: 3}]}\n"
    path.write_text(wrong + initial)
    with pytest.raises(SpecError) as error:
        load_checked(path)
    assert {problem.split(":")[1] for problem in error.value.problems} == {"2", "3", "4"}


def test_a_search_is_written_and_read_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        f"{SPACE}search:\n  {{{TPE}, from: ../runs/lr, "
        "initial: [{warmup_steps: 10, learning_rate: 0.1}]}\n"
    )
    spec, _ = load_checked(path)
    assert spec.initial_points() == [{"learning_rate": 0.1, "warmup_steps": 10}]
    again, _ = load_checked(create_run_folder(tmp_path / "runs", spec, None, "x").spec)
    assert again == spec
    assert again.search.from_run == "../runs/lr"
    overridden, _ = load_checked(path, ["search.from=lr-2"])
    assert overridden.search.from_run == "lr-2"
