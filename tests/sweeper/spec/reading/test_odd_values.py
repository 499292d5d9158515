"""Whatever stands in a search space is taken, or told where it stands and what would be right."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from sweeper.errors import SpecError
from sweeper.spec.reading.schema_problems import schema_problems
from sweeper.spec.reading.spec_file import load_spec
from tests.sweeper.checked import load_checked

LR = "space: {learning_rate: {grid: [1e-3, 2e-3]}}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with a file, without the file's own name."""
    with pytest.raises(SpecError, match=r"space\.yaml") as error:
        load_checked(write(folder, text))
    return [problem.removeprefix(f"{folder / 'space.yaml'}") for problem in error.value.problems]


WHOLE = """\
name: whole
description: every section
data: somewhere
train:
  max_steps: 64
  beta1: 0.9
  dtype: auto
  compile: false
  warmup_steps: {times: 0.1, of: max_steps}
space:
  learning_rate: {grid: [1.0e-3, 1.0e-2]}
  size: {grid: {s: {d_model: 64, num_heads: 2}, l: {d_model: 128}}}
  d_ff: {choice: [64, 128], when: {size: [s]}}
  num_layers: {choice: [1], when: {size: l}}
constraints: [{less: [warmup_steps, 60]}, {divides: [32, d_model]}]
seeds: [0, 1]
objective: {metric: val_loss, mode: min}
search: {algorithm: grid, seed: 1, initial: [{learning_rate: 1.0e-3, size: s, d_ff: 64}]}
scheduler: {type: asha, mode: stop, grace_steps: 8, reduction_factor: 2, brackets: 1}
resources: {cpu: 1, gpu: 0, cases: [{when: {size: l}, cpu: 2}]}
max_concurrent: 4
max_retries: 2
checkpoints: {keep: 2, budget: 2GB}
trial_timeout_s: 60
"""
RANGES = """\
space:
  learning_rate: {loguniform: [1.0e-4, 1.0e-2], step: 1.0e-4}
  weight_decay: {uniform: [0, 0.3]}
  beta2: {normal: [0.95, 0.01]}
  batch_size: {randint: [1, 64], step: 1}
  d_ff: {lograndint: [8, 64]}
search: {algorithm: random, num_trials: 3, seed: 0}
scheduler: {type: pbt, interval_steps: 8, quantile: 0.25, resample_probability: 0.5}
"""


def places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in inner:
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from places(value, (*at, key))


def replaced(document: Any, place: tuple[Any, ...], value: Any) -> None:
    for key in place[:-1]:
        document = document[key]
    document[place[-1]] = value


@pytest.mark.parametrize("text", [WHOLE, RANGES], ids=["whole", "ranges"])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e19, 10**19, True, None, {}, []])
def test_whatever_stands_in_any_place_is_taken_or_told_there(
    tmp_path: Path, text: str, value: Any
) -> None:
    yaml = YAML(typ="safe", pure=True)
    for place in places(yaml.load(text)):
        document = yaml.load(text)
        replaced(document, place, value)
        with (path := tmp_path / "space.yaml").open("w", encoding="utf-8") as file:
            yaml.dump(document, file)
        try:
            load_checked(path)
        except SpecError as error:
            assert error.problems
            for problem in error.problems:
                assert problem.startswith(f"{path}:"), (place, problem)
                assert "\x00" not in problem
        else:
            assert not (isinstance(value, float) and not math.isfinite(value)), (place, value)


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
@pytest.mark.parametrize(
    ("before", "place"),
    [
        ("train: {beta1: X}", "train.beta1"),
        ("train: {budget: X}", "train.budget"),
        ("train: {beta1: {times: X, of: beta2}}", "train.beta1.times"),
        ("search: {initial: [{learning_rate: X}]}", "search.initial.0.learning_rate"),
        ("constraints: [{less: [X, max_steps]}]", "constraints.0.less.0"),
        ("resources: {cases: [{when: {size: X}, cpu: 1}]}", "resources.cases.0.when.size.0"),
        ("trial_timeout_s: X", "trial_timeout_s"),
    ],
)
def test_what_is_no_finite_number_is_told_where_it_stands(
    tmp_path: Path, before: str, place: str, value: str
) -> None:
    told = problems(tmp_path, LR + before.replace("X", value))
    assert f":2: {place}: must be finite, got {shown(value, place)}" in told


def shown(value: str, place: str) -> str:
    """As Python writes it; where pydantic has found it, as JSON does."""
    python = {".inf": "inf", "-.inf": "-inf", ".nan": "nan"}
    json = {".inf": "Infinity", "-.inf": "-Infinity", ".nan": "NaN"}
    return (json if place in ("train.beta1.times", "trial_timeout_s") else python)[value]


@pytest.mark.parametrize("listed", ["[1, .inf]", "{a: {beta1: .inf}}"])
def test_a_listed_value_that_is_not_finite_is_told_where_it_stands(
    tmp_path: Path, listed: str
) -> None:
    [told] = problems(tmp_path, f"space: {{learning_rate: {{grid: {listed}}}}}")
    assert re.fullmatch(r":1: space\.learning_rate\.grid\.\S+: must be finite, got inf", told)


@pytest.mark.parametrize("number", ["1e19", "1e20", "1e300", "9223372036854775808", "1" * 5000])
@pytest.mark.parametrize(
    "section",
    [
        "search: {seed: X}",
        "search: {num_trials: X, algorithm: random}",
        "seeds: [X]",
        "max_retries: X",
        "max_concurrent: X",
        "checkpoints: {keep: X}",
        "checkpoints: {budget: X}",
        "scheduler: {type: asha, grace_steps: X}",
        "scheduler: {type: hyperband, clock: flops, grace_flops: X}",
        "scheduler: {type: pbt, interval_steps: X}",
        "train: {checkpoint_every_steps: X}",
        "train: {seed: X}",
        "train: {d_ff: {times: X, of: max_steps}}",
    ],
)
def test_a_whole_number_beyond_64_bits_is_refused_with_its_line(
    tmp_path: Path, section: str, number: str
) -> None:
    told = problems(tmp_path, LR + section.replace("X", number))
    assert told
    assert all(problem.startswith(":2: ") for problem in told)
    assert "1e30" not in "\n".join(told)
    assert all(len(problem) < 200 for problem in told)


@pytest.mark.parametrize("kind", ["randint", "lograndint"])
def test_a_range_is_within_64_bits(tmp_path: Path, kind: str) -> None:
    text = "space: {seed: {KIND: [1, 1e19]}}\nsearch: {algorithm: random, num_trials: 2}\n"
    [told] = problems(tmp_path, text.replace("KIND", kind))
    assert told == f":1: space.seed.{kind}.1: must be below 2^63, got 10000000000000000000"


def test_an_unknown_swept_name_is_told_once_and_not_for_each_of_its_values(tmp_path: Path) -> None:
    hint = "did you mean 'learning_rate'?"
    for text in ("{grid: [1e-3, 3e-3, 1e-2]}", "{choice: [1, 2]}", "{grid: [1]}"):
        told = problems(tmp_path, f"space: {{lr: {text}}}")
        assert told == [f":1: space.lr: no such training setting; {hint}"]
    drawn = "space: {lr: {loguniform: [1e-3, 1e-2]}}\nsearch: {algorithm: random, num_trials: 2}\n"
    assert problems(tmp_path, drawn) == [f":1: space.lr: no such training setting; {hint}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LR + "scheduler: bohb", "2: scheduler: must be a mapping, got 'bohb'; did you mean 'hyp"),
        (LR + "scheduler: asha", "2: scheduler: must be a mapping, got 'asha'; as {type: asha, …}"),
        (LR + "scheduler: {type: bohb}", "2: scheduler.type: must be asha, fifo, hyperband, median "
         "or pbt, got 'bohb'; did you mean 'hyperband', with search: {algorithm: tpe}?"),
        (LR + "objective: {metric: val_los}", "2: objective.metric: must be 'val_loss', "
         "'val_perplexity', 'val_bits_per_byte', 'val_loss_ema' or 'train_loss', got 'val_los'; "
         "did you mean "
         "'val_loss'?"),
        (LR + "objective: val_los", "2: objective: must be a mapping, got 'val_los'; did you mean "
         "'val_loss'?"),
        (LR + "objective: val_loss", "2: objective: must be a mapping, got 'val_loss'; as {metric: "
         "val_loss}"),
        (LR + "search: random", "2: search: must be a mapping, got 'random'; as {algorithm: rand"),
        ("space: {}", "1: space: must not be empty; as {learning_rate: {grid: [1e-3, 3e-3]}}"),
        ("space:", "1: space: must be a mapping, got null; as {learning_rate: {grid: "),
        (LR + "train: {bs: 8}", "2: train.bs: no such training setting; did you mean 'batch_size'"),
        (LR + "max_steps: 8", "2: max_steps: no such key; did you mean 'train.max_steps'?"),
        (LR + "search: {initial: [{lr: 1e-3}]}", "2: search.initial.0.lr: no such name is swept; "
         "did you mean 'learning_rate'?"),
        (LR + "resources: {cases: [{when: {lr: 1e-3}, cpu: 2}]}", "2: resources.cases.0.when.lr: no"
         " such name is swept; did you mean 'learning_rate'?"),
        (LR + "scheduler: {type: asha, grace_steps: 1, brackets: 1e9}", "2: scheduler.brackets: "
         "must be at most 63, got 1000000000.0"),
        (LR + "scheduler: {type: asha, grace_steps: 1, alpha: 0.1}", "2: scheduler.alpha: is for "
         "compare: forecast; set that, or remove it"),
        (LR + "scheduler: {type: asha, grace_steps: 1, compare: forecast, brackets: 2}", "2: "
         "scheduler.brackets: with compare: forecast all trials are compared with one another"),
        (LR + "constraints: [{less: [lr, 1]}]", "2: constraints.0.less.0: no training setting 'lr'"
         "; did you mean 'learning_rate'?"),
    ],
)  # fmt: skip
def test_what_is_meant_is_told(tmp_path: Path, text: str, told: str) -> None:
    [problem] = problems(tmp_path, text)
    assert problem.startswith(f":{told}")


@pytest.mark.parametrize("name", ["grid", "choice", "values", "bundles", "asha", "stated"])
def test_a_bundle_may_have_any_name_and_its_mistakes_their_place(tmp_path: Path, name: str) -> None:
    """Words that pydantic, or we, have for kinds of things are no less names."""
    [told] = problems(tmp_path, f"space: {{size: {{grid: {{{name}: {{d_model: [1]}}}}}}}}")
    assert told == f":1: space.size.grid.{name}.d_model: must be one value, got [1]"


def test_a_problem_of_a_kind_that_is_not_listed_is_told_in_its_own_words() -> None:
    error = ValidationError.from_exception_data(
        "x", [{"type": "bool_type", "loc": ("train", "\x00value", "compile"), "input": 3}]
    )
    assert schema_problems(error, {"train": {"compile": 3}}) == [
        (("train", "compile"), "must be a valid boolean, got 3")
    ]


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    search = "search: {algorithm: tpe, num_trials: 2, from: ~/runs/a}\n"
    text = f"{LR}{search}data: ~/tokens\ntrain: {{init_from: ~/x.pt}}\n"
    spec, _ = load_spec(write(tmp_path, text))
    assert spec.data == "/home/ada/tokens"
    assert spec.search.from_run == "/home/ada/runs/a"
    assert spec.settings({"learning_rate": 1e-3})["init_from"] == "/home/ada/x.pt"
