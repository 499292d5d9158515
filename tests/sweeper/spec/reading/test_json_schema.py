"""The schema for editors: it is current, takes what is right, and refuses what is wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sweeper.spec.reading.json_schema import as_text, json_schema
from sweeper.spec.reading.yaml_source import parse_yaml, read_yaml
from sweeper.spec.trainer.settings import OURS

ROOT = Path(__file__).parents[4]
FILES = sorted((ROOT / "search_spaces").glob("*.yaml"))
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "sweeps.md").read_text(), re.DOTALL)
LR = "space: {learning_rate: {grid: [1e-3]}}\n"


def problems(document: Any) -> list[str]:
    return [
        str(error.message) for error in Draft202012Validator(json_schema()).iter_errors(document)
    ]


def test_the_shipped_schema_is_that_of_the_types() -> None:
    Draft202012Validator.check_schema(json_schema())
    assert (ROOT / "search_spaces" / "schema.json").read_text() == as_text(), (
        "make it anew: python -m sweeper.spec.reading.json_schema > search_spaces/schema.json"
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_shipped_space_names_the_schema_and_fits_it(file: Path) -> None:
    assert file.read_text().startswith("# yaml-language-server: $schema=schema.json\n")
    assert problems(read_yaml(file).data) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_each_example_of_the_reference_fits_it(example: str) -> None:
    document = parse_yaml(example, "example")[0]
    assert problems({"space": {"seed": {"grid": [0]}}, **document}) == []


@pytest.mark.parametrize(
    "text",
    [
        "name: x\n",
        "space: {d_ff: {gird: [1]}}\n",
        "space: {d_ff: {grid: []}}\n",
        "space: {d_ff: {randint: [1, 9], step: 0}}\n",
        "space: {beta1: {uniform: [1]}}\n",
        "space: {size: {grid: {s: {dmodel: 64}}}}\n",
        LR + "seeds: [-1]\n",
        LR + "train: {d_modl: 64}\n",
        LR + "train: {d_model: 0}\n",
        LR + "train: {d_model: many}\n",
        LR + "train: {train_data: x.npy}\n",
        LR + "train: {warmup_steps: {times: 0.1}}\n",
        LR + "train: {compile: {times: 1, of: seed}}\n",
        LR + "scheduler: {grace_steps: 5}\n",
        LR + "scheduler: {type: ahsa}\n",
        LR + "scheduler: {type: asha, grace_tokens: 5}\n",
        LR + "scheduler: {type: asha, clock: tokens, grace_steps: 5}\n",
        LR + "constraints: [{les: [1, 2]}]\n",
        LR + "search: {algoritm: grid}\n",
        LR + "checkpoints: {budget: 20 gigs}\n",
        LR + "checkpoints: {keep: 1}\n",
        LR + "search: {algorithm: random, num_trials: 0}\n",
        "space: {size: {choice: {s: {d_model: 64, width: 3}}}}\n",
    ],
)
def test_what_is_wrong_does_not_fit(text: str) -> None:
    assert problems(parse_yaml(text, "wrong")[0])


def test_another_trainer_has_settings_of_its_own() -> None:
    document = {
        "trainer": {"command": "a {width} {rate}", "max_steps": 9, "eval_every_steps": 3},
        "train": {"rate": 0.1},
        "space": {"size": {"grid": {"small": {"width": 3}, "large": {"width": 9}}}},
        "objective": {"metric": "accuracy"},
    }
    assert problems(document) == []


def test_every_setting_is_there_with_its_help() -> None:
    train = json_schema()["else"]["properties"]["train"]["properties"]
    assert set(train) == set(OURS.defaults)
    assert all(setting["description"] for setting in train.values())
