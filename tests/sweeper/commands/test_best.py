"""`best`: the winner in each of its forms, and what is done where there is none."""

import html
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sweeper.plan.plan import make_plan
from sweeper.record.ranking import best_trial
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.spec.reading.spec_file import load_spec
from sweeper.views.report import write_report
from tests.sweeper.commands.conftest import GRID, Sweeper
from tests.sweeper.in_process import drive
from trainable.command_line.arguments import parse_command_line


def test_best_in_its_forms(sweeper: Sweeper, finished: RunFolder) -> None:
    assert "Best: learning_rate 0.001" in sweeper("best", "lr").out
    command = sweeper("best", "lr", "--command").out
    assert command.startswith("python -m trainable --resume_from runs/lr/trials/")
    assert command.count("\n") == 1
    facts = json.loads(sweeper("best", "lr", "--json").out)
    assert facts["command"] == command.strip()
    assert facts["values"] == {"learning_rate": 0.001}
    assert facts["runner_up"]["margin"] > 0
    both = sweeper("best", "lr", "--json", "--yaml")
    assert both.code == 2
    assert "choose one of" in both.err


def test_a_winner_of_a_sweep_that_has_not_ended(sweeper: Sweeper, interrupted: RunFolder) -> None:
    out = sweeper("best", "cut").out
    assert "Best so far: " in out
    assert out.endswith("The sweep is interrupted: 1/4 trials have ended.\n")


def test_the_winner_as_yaml_is_the_base_of_another_sweep(
    sweeper: Sweeper, finished: RunFolder, project: Path
) -> None:
    text = sweeper("best", "lr", "--yaml").out
    document = YAML(typ="safe").load(text)
    del document["train"]["weight_decay"]
    document["space"] = {"weight_decay": {"grid": [0.1, 0.2]}}
    path = project / "next.yaml"
    with path.open("w") as file:
        YAML().dump(document, file)
    spec, source = load_spec(path)
    (first, _) = make_plan(spec, Path(str(spec.data)), source).trials
    assert first.config.learning_rate == 0.001
    assert first.config.d_model == 16


@pytest.mark.parametrize("sections", [{}, {"seeds": [3, 4]}, {"train": {"grad_clip": None}}])
def test_the_winner_as_yaml_is_run_as_it_is(
    sweeper: Sweeper, project: Path, tiny_plan: Any, sections: dict[str, Any]
) -> None:
    plan = tiny_plan(space=GRID, **sections)
    folder = create_run_folder(project / "runs", plan.spec, "lr", "space.yaml")
    sweep = drive(folder, plan)
    path = project / "best.yaml"
    path.write_text(sweeper("best", "lr", "--yaml").out)
    spec, source = load_spec(path)
    (only,) = make_plan(spec, Path(str(spec.data)), source).trials
    winner = best_trial(sweep.state)
    assert winner is not None
    assert only.config == winner.config
    assert sweeper("plan", str(path), "--no-probe").code == 0


@pytest.mark.parametrize("sections", [{}, {"train": {"grad_clip": None, "dtype": "bfloat16"}}])
def test_the_winners_settings_from_the_start_are_advised_first(
    sweeper: Sweeper, project: Path, tiny_plan: Any, sections: dict[str, Any]
) -> None:
    plan = tiny_plan(space=GRID, **sections)
    folder = create_run_folder(project / "runs", plan.spec, "lr", "space.yaml")
    winner = best_trial(drive(folder, plan).state)
    assert winner is not None
    said = sweeper("best", "lr").out
    fresh, further = re.findall(r"^  (python -m trainable .*)$", said, re.M)
    assert "--resume_from" in further
    assert "worse than as many steps from the start" in said
    config, options = parse_command_line(shlex.split(fresh)[3:])
    twice = 2 * winner.config.max_steps
    assert config == replace(winner.config, max_steps=twice)
    assert options.resume_from is None
    told = json.loads(sweeper("best", "lr", "--json").out)
    assert (told["fresh_command"], told["command"]) == (fresh, further)
    write_report(folder)
    page = html.unescape(folder.report.read_text())
    shown = [shlex.split(each) for each in re.findall(r"<code>(python -m .*?)</code>", page)]
    assert [words[:3] for words in shown[:3]] == [
        ["python", "-m", "trainable"],
        ["python", "-m", "trainable"],
        ["python", "-m", "sweeper"],
    ]
    assert parse_command_line(shown[0][3:])[0] == config
    weights = Path(shown[1][shown[1].index("--resume_from") + 1])
    assert weights.is_absolute(), "the page is opened from anywhere"
    assert weights.is_file()
    assert shown[2][4] == str(folder.path.resolve())


def test_without_a_winner_a_script_is_told_by_the_exit_code(
    sweeper: Sweeper, project: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(space={"learning_rate": {"grid": [0.6, 0.7]}})
    drive(create_run_folder(project / "runs", plan.spec, "bad", "space.yaml"), plan)
    for form in ([], ["--command"], ["--json"], ["--yaml"]):
        assert sweeper("best", "bad", *form).code == 1
    assert "no trial has completed" in sweeper("best", "bad", "--command").err
    assert "no winner" in sweeper("best", "bad").out
    assert "diverged" in sweeper("status", "bad").out
    assert "No loss has been measured yet." in sweeper("trial", "bad", "0").out
