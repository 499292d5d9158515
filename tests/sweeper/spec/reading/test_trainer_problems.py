"""What is wrong with a `trainer:` section, and with what the rest of a file asks of it."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sweeper.errors import SpecError
from sweeper.plan.plan import make_plan
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.trainer.config import ProgramConfig

LEAST: dict[str, Any] = {
    "trainer": {
        "command": "python train.py --lr={learning_rate}",
        "settings": {"learning_rate": {"type": "float", "above": 0}},
        "max_steps": 100,
        "eval_every_steps": 10,
    },
    "space": {"learning_rate": {"grid": [0.1, 0.2]}},
}


def planned(folder: Path, trainer: dict[str, Any], **sections: Any) -> Any:
    document = {**LEAST, **sections, "trainer": LEAST["trainer"] | trainer}
    path = folder / "space.yaml"
    with path.open("w") as file:
        YAML().dump(document, file)
    spec, source = load_spec(path)
    return make_plan(spec, None, source)


def test_each_trial_has_what_its_program_is_told(tmp_path: Path) -> None:
    settings = {"learning_rate": {"type": "float"}, "depth": {"type": "int", "default": 4}}
    command = "python train.py {learning_rate} {depth} {seed} {max_steps}"
    plan = planned(
        tmp_path, {"command": command, "settings": settings},
        train={"max_steps": 50}, seeds=[1, 2],
    )  # fmt: skip
    assert [trial.config for trial in plan.trials] == [
        ProgramConfig(
            settings={"learning_rate": trial.values["learning_rate"], "depth": 4},
            max_steps=50,
            eval_every_steps=10,
            checkpoint_every_steps=10,
            seed=trial.values["seed"],
        )
        for trial in plan.trials
    ]
    assert sorted(trial.config.seed for trial in plan.trials) == [1, 1, 2, 2]
    again, source = load_spec(tmp_path / "space.yaml")
    assert make_plan(plan.spec, None, source).spec == plan.spec, "as a resume reads it"
    assert again.known.types["depth"] is int


@pytest.mark.parametrize(
    ("trainer", "sections", "problem"),
    [
        (
            {"command": "a {gpus}", "settings": {"gpus": {"type": "int", "default": 4}}},
            {"space": {"gpus": {"grid": [1, 2]}}},
            "trainer.settings.gpus: is the name of something else here; choose another",
        ),
        (
            {"command": "a {status}", "settings": {"status": {"type": "int"}}},
            {"space": {"status": {"grid": [1, 2]}}},
            "trainer.settings.status: is the name of something else here; choose another",
        ),
        (
            {},
            {"resources": {"cpu": 4, "processes": 2}},
            "resources.processes: is for our own trainer; another starts its own, one for each of",
        ),
        ({}, {"objective": {"metric": "error"}}, "objective.metric: error is a column that says"),
        ({"metrics": {"stdout": "loss {val_loss:f}"}}, {}, "trainer.metrics.stdout: "),
        (
            {"metrics": {"stdout": "{step:d} {val_loss:f}"}},
            {"objective": {"metric": "accuracy"}},
            "objective.metric: no pattern of trainer.metrics.stdout has a field {accuracy:f}",
        ),
        ({"checkpoint": {"path": "ck-{step}"}}, {}, "trainer.checkpoint.path: the step of a"),
        ({"env": {"SWEEPER_X": "1"}}, {}, "trainer.env.SWEEPER_X: is set by the sweep"),
        ({"command": "a '{learning_rate}"}, {}, "trainer.command: No closing quotation"),
    ],
)
def test_names_that_mean_something_else_and_texts_that_cannot_be(
    tmp_path: Path, trainer: dict[str, Any], sections: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SpecError) as error:
        planned(tmp_path, trainer, **sections)
    told = [line.partition(": ")[2] for line in error.value.problems]
    assert any(line.startswith(problem) for line in told), error.value.problems


@pytest.mark.parametrize("algorithm", ["random", "sobol"])
def test_a_normal_is_drawn_within_the_bounds_that_the_file_states(
    tmp_path: Path, algorithm: str
) -> None:
    """Also where it is swept under a condition alone."""
    settings = {
        "kind": {"type": "str", "choices": ["a", "b"]},
        "rate": {"type": "float", "above": 0, "at_most": 0.2, "default": 0.1},
    }
    plan = planned(
        tmp_path, {"command": "python train.py {kind} {rate}", "settings": settings},
        space={
            "kind": {"choice": ["a", "b"]},
            "rate": {"normal": [0.1, 0.2], "when": {"kind": "b"}},
        },
        search={"algorithm": algorithm, "num_trials": 64},
    )  # fmt: skip
    rates = {kind: [] for kind in "ab"}  # type: dict[str, list[float]]
    for trial in plan.trials:
        rates[trial.values["kind"]].append(trial.config.settings["rate"])
    assert set(rates["a"]) == {0.1}
    assert all(0 < rate <= 0.2 for rate in rates["b"])
    assert len({*rates["b"]}) == len(rates["b"]) > 16


def test_checkpoints_come_as_often_as_evaluations_where_nothing_is_stated(tmp_path: Path) -> None:
    plan = planned(tmp_path, {}, train={"eval_every_steps": 25})
    assert {trial.config.checkpoint_every_steps for trial in plan.trials} == {25}


ASHA = {"type": "asha", "grace_steps": 20}


@pytest.mark.parametrize(
    ("trainer", "sections", "problem"),
    [
        ({"command": "a {lerning_rate}"}, {},
         "trainer.command: {lerning_rate} is no setting; did you mean 'learning_rate'?"),
        ({"command": "a {learning_rate"}, {}, "trainer.command: expected '}' before end of string"),
        ({"settings": {"learning_rate": {"type": "float"}, "width": {"type": "int"}}}, {},
         "trainer.settings.width: the command never uses {width}, so it changes nothing"),
        ({"settings": {"learning_rate": {"type": "real"}}}, {},
         "trainer.settings.learning_rate.type: must be 'int', 'float', 'bool' or 'str'"),
        ({"settings": {"learning_rate": {"type": "float", "default": "x"}}}, {},
         "trainer.settings.learning_rate.default: must be a number, got 'x'"),
        ({"settings": {"learning_rate": {"type": "float", "above": 0, "default": 0}}}, {},
         "trainer.settings.learning_rate.default: must be above 0, got 0"),
        ({"settings": {"learning_rate": {"type": "bool", "above": 0}}},
         {"space": {"learning_rate": {"grid": [True, False]}}},
         "trainer.settings.learning_rate: is no number (bool) and has no bounds"),
        ({"settings": {"learning_rate": {"type": "float"}, "seed": {"type": "int"}}}, {},
         "trainer.settings.seed: is known without it; remove it"),
        ({"max_steps": 0}, {}, "trainer.max_steps: must be at least 1"),
        ({"checkpoint_every_steps": 15}, {}, "trainer.checkpoint_every_steps: must divide"),
        ({"stop": {"signal": "SIGFOO"}}, {}, "trainer.stop.signal: must be the name of a signal"),
        ({"comand": "a"}, {}, "trainer.comand: no such key"),
        ({}, {"data": "data/mine"}, "data: is for our own trainer"),
        ({}, {"seeds": [1, 2]}, "trainer.command: has no {seed}, so other seeds would be the same"),
        ({}, {"train": {"d_model": 64}}, "train.d_model: no such training setting; there are: "),
        ({}, {"space": {"learning_rate": {"grid": [-1.0]}}},
         "space.learning_rate: must be above 0, got -1.0"),
        ({}, {"space": {"learning_rate": {"grid": ["x"]}}},
         "space.learning_rate.grid.0: must be a number, got 'x'"),
        ({}, {"space": {"max_steps": {"grid": [50, 100]}, "learning_rate": {"grid": [0.1]}}},
         "space.max_steps: the command never uses {max_steps}"),
        ({"checkpoint_every_steps": 10}, {"train": {"eval_every_steps": 15}},
         "train.checkpoint_every_steps: must divide eval_every_steps (15), or be divided by it"),
        ({"schedule": {"schedule": "cosin"}}, {},
         "trainer.schedule.schedule: must be one of cosine, linear, wsd, constant, got 'cosin'"),
        ({"schedule": {"schedule": "cosine", "warmup_steps": "learning_rat"}}, {},
         "trainer.schedule.warmup_steps: must be a number or the name of a setting; did you mean "
         "'learning_rate'?"),
        ({"schedule": {"schedule": "linear", "warmup": 3}}, {},
         "trainer.schedule.warmup: no such key"),
        ({"schedule": {"schedule": "cosine", "min_learning_rate": -1}}, {},
         "trainer.schedule.min_learning_rate: must be at least 0, got -1"),
        ({"schedule": {"schedule": "cosine", "warmup_steps": 100}}, {},
         "train.max_steps: gives a schedule (trainer.schedule) whose warmup_steps must be below "
         "max_steps (100)"),
        ({"schedule": {"schedule": "linear", "learning_rate": "learning_rate",
                       "min_learning_rate": 0.15}}, {},
         "space.learning_rate: gives a schedule (trainer.schedule) whose min_learning_rate must"),
        ({"checkpoint": {"path": "ckpt", "marker": "{stpe}"}}, {},
         "trainer.checkpoint.marker: {stpe} is no setting"),
        ({}, {"space": {"learning_rate": {"normal": [-1, 1]}},
              "search": {"algorithm": "random", "num_trials": 2}},
         "space.learning_rate: the mean must be a value that learning_rate may have, got -1"),
        ({}, {"scheduler": ASHA | {"mode": "promote"}},
         "scheduler.mode: its trials wait and go on from a checkpoint, and the trainer has none"),
        ({}, {"scheduler": {"type": "asha", "clock": "tokens", "grace_tokens": 5}},
         "scheduler.clock: nobody knows the tokens or the FLOPs"),
        ({}, {"scheduler": ASHA | {"grace_steps": 15}},
         "train.eval_every_steps: must divide scheduler.grace_steps (15)"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_place(
    tmp_path: Path, trainer: dict[str, Any], sections: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SpecError) as error:
        planned(tmp_path, trainer, **sections)
    told = [line.partition(": ")[2] for line in error.value.problems]
    assert any(line.startswith(problem) for line in told), error.value.problems
    assert len(told) == 1, "once"


def test_a_file_with_another_trainer_may_have_any_metric(tmp_path: Path) -> None:
    objective = {"metric": "accuracy", "mode": "max"}
    assert planned(tmp_path, {}, objective=objective).spec.objective.metric == "accuracy"
    (tmp_path / "ours.yaml").write_text(
        "space: {learning_rate: {grid: [1e-3]}}\nobjective: {metric: accuracy}\n"
    )
    with pytest.raises(SpecError, match=r"objective\.metric: must be 'val_loss'"):
        load_spec(tmp_path / "ours.yaml")
