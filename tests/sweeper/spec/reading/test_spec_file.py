from pathlib import Path

import pytest

from sweeper.errors import SpecError
from sweeper.plan.points import draw, num_trials
from sweeper.spec.reading.search_problems import MAX_TRIALS
from tests.sweeper.spec.reading.texts import LR, load, problems


def test_the_least_a_file_can_say(tmp_path: Path) -> None:
    spec = load(tmp_path, LR)
    assert spec.name == "space"  # of the file
    assert spec.model_dump(exclude={"name", "space"}) == {
        "description": "",
        "data": None,
        "trainer": None,
        "train": {},
        "constraints": [],
        "seeds": None,
        "finals": None,
        "objective": {"metric": "val_loss", "mode": "min"},
        "search": {
            "algorithm": "grid",
            "seed": 0,
            "num_trials": None,
            "alpha": None,
            "initial": None,
            "from": None,
        },
        "scheduler": {"type": "fifo"},
        "resources": "auto",
        "max_concurrent": None,
        "max_retries": 2,
        "checkpoints": {"keep": 2, "budget": None},
        "trial_timeout_s": 3600,
        "max_spend": None,
        "share": {"weight": 1, "priority": 0},
        "notify": None,
    }


def test_whole_numbers_may_be_written_in_powers_of_ten(tmp_path: Path) -> None:
    spec = load(
        tmp_path,
        "train: {max_steps: 1e3, warmup_steps: 0}\n"
        "space: {batch_size: {randint: [1e1, 1e2]}}\n"
        "search: {algorithm: random, num_trials: 1e1}\n"
        "scheduler: {type: asha, grace_steps: 1e2}\n",
    )
    assert num_trials(spec) == 10
    assert spec.model_dump()["scheduler"]["grace_steps"] == 100


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = (
        "nam: x\n"
        "train:\n"
        "  d_modl: 64\n"
        "  num_heads: many\n"
        "space:\n"
        "  d_ff: {grid: []}\n"
        "  beta1: {uniform: [1, 0]}\n"
        "  warmup_steps: {loguniform: [1, 10]}\n"
        "scheduler: {type: asha, grace_steps: 0}\n"
    )
    lines = [int(problem.split(":")[1]) for problem in problems(tmp_path, text)]
    assert lines == [1, 3, 4, 6, 7, 8, 8, 9]  # 8: no real number, and not for a grid


@pytest.mark.parametrize(
    ("text", "found"), [("", "is empty"), ("- a\n", "is a list"), ("hello", "is a value")]
)
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(SpecError, match=rf"space\.yaml: {found}; it must be a mapping"):
        load(tmp_path, text)


def test_the_mean_of_a_normal_must_be_a_value_that_its_setting_may_have(tmp_path: Path) -> None:
    search = "search: {algorithm: random, num_trials: 50}\n"
    assert problems(tmp_path, f"{search}space: {{learning_rate: {{normal: [0, 1]}}}}") == [
        ":2: space.learning_rate: the mean must be a value that learning_rate may have, got 0"
    ]
    spec = load(tmp_path, f"{search}space: {{weight_decay: {{normal: [0, 1]}}}}")
    drawn = [float(str(point["weight_decay"])) for point in draw(spec).points]
    assert min(drawn) >= 0
    assert max(drawn) > 1


@pytest.mark.parametrize("kind", ["uniform", "loguniform", "normal"])
def test_no_real_number_is_drawn_for_a_whole_setting(tmp_path: Path, kind: str) -> None:
    text = f"space: {{d_ff: {{{kind}: [1, 9]}}}}\nsearch: {{algorithm: random, num_trials: 1}}\n"
    assert problems(tmp_path, text) == [
        ":1: space.d_ff: is no real number; sweep it with `randint:`, or list its values"
    ]


def test_a_sweep_has_a_sane_number_of_trials(tmp_path: Path) -> None:
    ten = "grid: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    names = ("d_ff", "batch_size", "num_layers", "seed", "eval_windows", "log_every_steps")
    space = ", ".join(f"{name}: {{{ten}}}" for name in names)
    assert problems(tmp_path, f"space: {{{space}}}")[0].startswith(
        ":1: space: a sweep has at most 100,000 trials, got 1,000,000"
    )
    space = "space: {d_ff: {randint: [1, 9]}}\nseeds: [0, 1]\n"
    many = f"{space}search: {{algorithm: random, num_trials: {MAX_TRIALS // 2 + 1}}}"
    assert "100,002" in problems(tmp_path, many)[0]
    drawn = f"search: {{algorithm: random, num_trials: {MAX_TRIALS + 1}}}"
    assert "100,001" in problems(tmp_path, f"space: {{d_ff: {{randint: [1, 9]}}}}\n{drawn}")[0]


def test_a_problem_of_many_combinations_is_told_once(tmp_path: Path) -> None:
    heads = "num_heads: {grid: [1, 3, 5, 7, 9]}, seed: {grid: [1, 2, 3]}"
    found = problems(tmp_path, f"train: {{d_model: 2}}\nspace: {{{heads}}}")
    assert len(found) == 4  # three seeds each
    assert all(problem.startswith(":2: space.num_heads: must divide") for problem in found)


@pytest.mark.parametrize("name", ["val_loss", "checkpoint", "status", "grad_norm"])
def test_no_name_of_bundles_can_be_a_column_of_the_results(tmp_path: Path, name: str) -> None:
    (problem,) = problems(tmp_path, f"space: {{{name}: {{grid: {{a: {{d_ff: 8}}}}}}}}")
    assert "is a column of the results" in problem
