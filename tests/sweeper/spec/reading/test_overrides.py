"""What `--set` puts in the place of the file's, and how its mistakes are told."""

from pathlib import Path

import pytest

from sweeper.errors import SpecError
from sweeper.spec.reading.yaml_source import read_yaml
from sweeper.spec.sweep_spec import SweepSpec
from tests.sweeper.checked import load_checked

SPACE = """\
train: {max_steps: 100, warmup_steps: 0}
space:
  learning_rate: {grid: [1e-3, 1e-2]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def load(file: Path, *overrides: str) -> SweepSpec:
    return load_checked(file, overrides)[0]


def test_values_are_yaml_and_take_the_place_of_the_files(file: Path) -> None:
    spec = load(
        file,
        "train.max_steps=1.2e3",
        "space.learning_rate.grid=[1e-3,2e-3,4e-3]",
        "description=a = b",
        "train.grad_clip=null",
        "train.device=",
        "train.device=cpu",
    )
    assert spec.train == {"max_steps": 1200, "warmup_steps": 0, "grad_clip": None, "device": "cpu"}
    assert spec.model_dump()["space"] == {"learning_rate": {"grid": [1e-3, 2e-3, 4e-3]}}
    assert spec.description == "a = b"


def test_sections_that_are_not_in_the_file_are_made(file: Path) -> None:
    spec = load(file, "search.seed=5", "scheduler={type: asha, grace_steps: 20}")
    assert spec.search.seed == 5
    assert spec.scheduler.model_dump()["grace_steps"] == 20


def test_a_word_or_a_number_gives_way_to_what_is_stated_within(file: Path) -> None:
    file.write_text(SPACE + "resources: auto\n")
    assert load(file, "resources.cpu=2").model_dump()["resources"]["cpu"] == 2
    derived = load(file, "train.warmup_steps.times=0.1", "train.warmup_steps.of=max_steps")
    assert derived.model_dump()["train"]["warmup_steps"] == {"times": 0.1, "of": "max_steps"}
    with pytest.raises(SpecError, match=r"^--set resources\.cpus: no such key"):
        load(file, "resources.cpus=2")


def test_without_overrides_the_source_is_the_files(file: Path) -> None:
    assert load_checked(file)[1] == read_yaml(file)


def test_a_later_override_goes_before_an_earlier_one(file: Path) -> None:
    assert load(file, "train.seed=1", "train={max_steps: 5, warmup_steps: 1}").train == {
        "max_steps": 5,
        "warmup_steps": 1,
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("train.max_steps", "--set train.max_steps: must be KEY=VALUE, as train.max_steps=1200"),
        ("=5", "--set =5: must be KEY=VALUE, as train.max_steps=1200"),
        ("train..seed=5", "--set train..seed=5: must be KEY=VALUE, as train.max_steps=1200"),
        ("train.seed=[", "--set train.seed:1: not valid YAML: "),
        ("train.seed=!x 5", "--set train.seed:1: no tag !x here"),
        ("space.learning_rate.grid.0=5", "--set space.learning_rate.grid.0: "
         "space.learning_rate.grid is no mapping; set it whole: space.learning_rate.grid=…"),
        ("trian.seed=5", "--set trian: no such key; did you mean 'train'?"),
        ("train.max_stps=5", "--set train.max_stps: no such training setting; did you mean "
         "'max_steps'?"),
        ("train.max_steps=many", "--set train.max_steps: must be a whole number, got 'many'"),
        ("space.learning_rate.grid=[1, a]",
         "--set space.learning_rate.grid.1: must be a number, got 'a'"),
        ("train.warmup_steps=100", "--set train.warmup_steps: must be below max_steps (100)"),
        ("scheduler={type: pbt}", "--set scheduler.interval_steps: is required"),
    ],
)  # fmt: skip
def test_a_mistake_names_the_option_and_no_line(file: Path, text: str, problem: str) -> None:
    with pytest.raises(SpecError) as error:
        load(file, text)
    (found,) = error.value.problems
    assert found.startswith(problem)


def test_mistakes_of_the_file_keep_their_lines(file: Path) -> None:
    file.write_text(SPACE.replace("[1e-3, 1e-2]", "[a]"))
    with pytest.raises(SpecError, match=r"space\.yaml:3: space\.learning_rate\.grid\.0: must"):
        load(file, "train.max_steps=1200")
    assert load(file, "space.learning_rate={grid: [1e-3]}").name == "space"


def test_every_bad_override_is_told_at_once(file: Path) -> None:
    with pytest.raises(SpecError) as error:
        load(file, "a", "b", "train.seed=1")
    assert len(error.value.problems) == 2
