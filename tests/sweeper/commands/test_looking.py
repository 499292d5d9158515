"""`list`, `status`, `best`, `trial`: what they show, what scripts get, and bad input."""

import html
import json
import os
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray
import torch
from ruamel.yaml import YAML

from sweeper.plan.plan import Plan, make_plan
from sweeper.record.ranking import best_trial
from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import write_tables
from sweeper.spec.reading.spec_file import load_spec
from sweeper.views.report import write_report
from tests.sweeper.commands.conftest import GRID, Sweeper
from tests.sweeper.in_process import drive, opened
from trainable.command_line.arguments import parse_command_line


@pytest.mark.parametrize(
    "command",
    ["run", "plan", "resume", "list", "status", "best", "trial", "compare", "export", "delete"],
)
def test_help_has_examples(sweeper: Sweeper, command: str) -> None:
    said = sweeper(command, "--help")
    assert said.code == 0
    assert f"$ python -m sweeper {command}" in said.out


def test_list_shows_every_sweep(
    sweeper: Sweeper, finished: RunFolder, interrupted: RunFolder
) -> None:
    heading, *lines = sweeper("list").out.splitlines()
    assert heading.split() == ["sweep", "state", "ended", "objective", "started", "best"]
    by_name = {line.split()[0]: line.split() for line in lines}
    assert by_name["lr"][1:3] == ["finished", "4/4"]
    assert by_name["lr"][-2:] == ["learning_rate", "0.001"]
    assert by_name["cut"][1:3] == ["interrupted", "1/4"]


def test_list_for_scripts(sweeper: Sweeper, finished: RunFolder, interrupted: RunFolder) -> None:
    (finished.path / "sweep.yaml").write_text("space: {}\n")
    lr, cut = sorted(json.loads(sweeper("list", "--json").out), key=lambda s: s["name"] != "lr")
    assert lr["state"] == "unreadable"
    assert "runs/lr/sweep.yaml:1: space: must not be empty" in lr["error"]
    assert cut["trials"]["total"] == 4
    assert cut["trials"]["interrupted"] == 1
    assert cut["seconds_left"] is None


def test_list_without_sweeps(sweeper: Sweeper) -> None:
    assert sweeper("list").out == "No sweeps in runs/ yet. Start one: make sweep\n"
    assert json.loads(sweeper("list", "--json").out) == []


def test_the_versions_are_those_of_what_runs(sweeper: Sweeper) -> None:
    said = sweeper("--version")
    assert (said.code, said.err) == (0, "")
    assert f"torch {torch.__version__}, ray {ray.__version__})" in said.out


@pytest.mark.parametrize("command", ["status", "best", "report", "resume"])
def test_of_no_name_the_newest_sweep_is_meant(
    sweeper: Sweeper, project: Path, finished: RunFolder, command: str
) -> None:
    """That with the latest event, which is said beside the answer."""
    said = sweeper(command)
    assert said.code == 0, said.err
    assert said.err == f"runs/{finished.name}: the newest sweep\n"
    assert said.out == sweeper(command, finished.name).out
    nowhere = sweeper(command, "--runs", "elsewhere")
    assert nowhere.code == 2
    assert nowhere.err == "elsewhere: no sweeps there yet; start one: make sweep\n"


def test_the_newest_is_where_something_happened_last(
    sweeper: Sweeper, finished: RunFolder, interrupted: RunFolder
) -> None:
    journals = [finished.journal, interrupted.journal]
    for folder in (finished, interrupted, finished):
        before = max(journal.stat().st_ctime_ns for journal in journals)
        while folder.journal.stat().st_ctime_ns <= before:  # the clock of files has coarse ticks
            os.utime(folder.journal)
        assert sweeper("status").err == f"runs/{folder.name}: the newest sweep\n"


def test_status_shows_the_trials_best_first(sweeper: Sweeper, finished: RunFolder) -> None:
    said = sweeper("status", "lr")
    first, heading, *lines = said.out.splitlines()
    assert first == "runs/lr/: finished, 4/4 trials ended"
    assert heading.split()[:3] == ["trial", "learning_rate", "curve"]
    assert lines[0].split()[1] == "0.001"
    assert "completed" in lines[0]
    assert "diverged" in lines[-1]
    assert not any(line.endswith(" ") for line in said.out.splitlines())


def test_status_for_scripts(sweeper: Sweeper, finished: RunFolder) -> None:
    status = json.loads(sweeper("status", "lr", "--json").out)
    assert status["state"] == "finished"
    ranking = status["ranking"]
    assert ranking[0] == status["best"]
    assert [t["status"] for t in ranking][-1] == "diverged"
    assert ranking[-1]["val_loss"] is None, "what was not measured is null, never 0"
    assert Path(ranking[0]["checkpoint"]).is_file()


def test_watching_what_does_not_run_shows_it_and_ends(
    sweeper: Sweeper, interrupted: RunFolder
) -> None:
    said = sweeper("status", "cut", "--watch")
    assert said.code == 0
    assert said.out.startswith("runs/cut/: interrupted, 1/4 trials ended\n")


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


def test_a_trial_with_its_curve_and_settings(sweeper: Sweeper, finished: RunFolder) -> None:
    best = json.loads(sweeper("best", "lr", "--json").out)["trial_id"]
    out = sweeper("trial", "lr", best).out
    assert out.startswith(f"Trial {best} of lr: completed, step 16/16, number 1 of 4\n")
    assert "●" in out
    assert "learning_rate 0.001 " in out
    assert "d_model 16" in out
    assert sweeper("trial", "lr", str(int(best))).out == out, "zeros in front may be left out"
    facts = json.loads(sweeper("trial", "lr", best, "--json").out)
    assert facts["config"]["d_model"] == 16
    assert [report["step"] for report in facts["evaluations"]] == [4, 8, 12, 16]


def test_a_trial_that_failed_shows_the_end_of_its_error(
    sweeper: Sweeper, project: Path, plan: Plan
) -> None:
    folder = create_run_folder(project / "runs", plan.spec, "ill", "space.yaml")
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        sweep.start(trial.trial_id)
        lines = [f"  frame {number} [red]" for number in range(40)]
        sweep.end(trial.trial_id, error="\n".join(["Traceback", *lines, "ValueError: no"]))
    out = sweeper("trial", "ill", "0000").out
    assert out.splitlines()[-1] == "  ValueError: no"
    assert "frame 39 [red]" in out
    assert "frame 3 " not in out
    assert "all 42 lines: runs/ill/trials/0000/error.txt" in out


@pytest.mark.parametrize("command", ["status", "best", "trial", "export", "delete"])
def test_an_unknown_sweep_is_told_with_the_nearest(
    sweeper: Sweeper, finished: RunFolder, command: str
) -> None:
    more = {"trial": ["0"], "export": ["out"], "delete": ["--checkpoints"]}.get(command, [])
    said = sweeper(command, "lrr", *more)
    assert said == (2, "", "runs/lrr: no sweep there; did you mean 'lr'?\n")


def test_an_unknown_trial_is_told_with_the_nearest(sweeper: Sweeper, finished: RunFolder) -> None:
    said = sweeper("trial", "lr", "00003")
    assert said == (2, "", "runs/lr: no trial '00003'; did you mean '0003'?\n")
    said = sweeper("trial", "lr", "best")
    assert said == (2, "", "runs/lr: no trial 'best'; they go from 0000 to 0003\n")


LOOKING = (["status"], ["status", "--json"], ["best"], ["best", "--json"], ["trial", "0000"])


def look(sweeper: Sweeper, name: str) -> list[Any]:
    return [sweeper(command, name, *more) for command, *more in LOOKING]


def test_a_journal_that_is_missing(sweeper: Sweeper, finished: RunFolder) -> None:
    finished.journal.unlink()
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert "runs/lr/journal.jsonl: is missing, and with it what was decided; " in said.err


def test_a_folder_that_never_began(sweeper: Sweeper, finished: RunFolder) -> None:
    finished.journal.unlink()
    shutil.rmtree(finished.trials)
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert "runs/lr: it has no journal.jsonl, so no sweep ever began in it" in said.err


def test_a_sweep_killed_before_its_first_event(sweeper: Sweeper, finished: RunFolder) -> None:
    shutil.rmtree(finished.trials)
    finished.journal.write_bytes(b'{"event": "session_st')
    status, facts, best, best_facts, trial = look(sweeper, "lr")
    assert status.code == 0
    assert status.out.startswith("runs/lr/: interrupted, 0/4 trials ended\n")
    assert json.loads(facts.out)["ranking"] == []
    assert (best.code, best_facts.code) == (1, 1)
    assert trial.err == "runs/lr: no trial '0000'; it has none yet\n"
    assert sweeper("list").out.split()[6:] == ["lr", "interrupted", "0/4"]


def test_a_folder_without_its_spec(sweeper: Sweeper, finished: RunFolder) -> None:
    finished.spec.unlink()
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert said.err.startswith("runs/lr/sweep.yaml: no such file; restore it from a copy, or ")
    assert "unreadable" in sweeper("list").out


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_folder_without_its_journal(
    sweeper: Sweeper, finished: RunFolder, is_folder: bool
) -> None:
    write_tables(read_state(finished), finished)
    finished.journal.unlink()
    if is_folder:
        finished.journal.mkdir()
    problem = "cannot be read (Is a directory); restore" if is_folder else "no such file; restore"
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert said.err.startswith(f"runs/lr/journal.jsonl: {problem} it from a copy")
        assert is_folder or said.err.endswith("is shown by: python -m sweeper report lr\n")
    finished.results.unlink()
    said = sweeper("status", "lr")
    assert (said.code, said.err.split("runs/lr")[1][:15]) == (2, "/journal.jsonl:")
    shutil.rmtree(finished.trials)
    if not is_folder:
        assert "so no sweep ever began in it; start one: " in sweeper("status", "lr").err


def test_a_spec_of_another_version(sweeper: Sweeper, finished: RunFolder) -> None:
    finished.spec.write_text(finished.spec.read_text() + "newer_key: 1\n")
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert "newer_key: no such key" in said.err


def test_events_that_lack_what_this_version_writes(sweeper: Sweeper, finished: RunFolder) -> None:
    record = finished.journal.read_text()
    finished.journal.write_text(record.replace(', "rung": 4', "", 1))
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert said.err.startswith("runs/lr/journal.jsonl:")
        assert said.err.count("\n") == 1
    assert "unreadable" in sweeper("list").out


def test_an_event_of_another_version(sweeper: Sweeper, finished: RunFolder) -> None:
    with finished.journal.open("a") as file:
        file.write('{"event": "trial_cloned", "time": "2026-01-01T00:00:00+00:00"}\n')
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert "does not know: 'trial_cloned'" in said.err


def test_only_the_journal_and_the_spec_are_needed(sweeper: Sweeper, finished: RunFolder) -> None:
    """The rest may be lost: tables, metrics, configs, checkpoints."""
    shutil.rmtree(finished.trials)
    for said in look(sweeper, "lr"):
        assert said.code == 0
    assert sweeper("status", "lr").out.count("\n") == 6
    command = sweeper("best", "lr", "--command")
    assert command.code == 2
    assert "is gone" in command.err
    assert "python -m trainable --resume_from" not in sweeper("best", "lr").out
    assert json.loads(sweeper("best", "lr", "--json").out)["command"] is None


def test_looking_changes_nothing(sweeper: Sweeper, finished: RunFolder) -> None:
    def contents() -> dict[Path, bytes]:
        files = (path for path in finished.path.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in files if path.name != ".lock"}

    before = contents()
    look(sweeper, "lr")
    assert contents() == before


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_of_a_table_is_longer_than_the_screen(
    sweeper: Sweeper, finished: RunFolder, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for out in (sweeper("status", "lr").out, sweeper("list").out):
        assert max(map(len, out.splitlines())) <= width


@pytest.mark.parametrize(
    ("command", "arguments"), [("trial", ["0000"]), ("tensorboard", []), ("status", [])]
)
def test_damage_in_what_a_trial_has_measured_is_told_by_line(
    sweeper: Sweeper, interrupted: RunFolder, command: str, arguments: list[str]
) -> None:
    """Once a driver runs it, `status` reads what its running trials have measured, too."""
    for trial_id in ("0000", "0001"):
        interrupted.trial_metrics(trial_id).parent.mkdir(exist_ok=True)
        interrupted.trial_metrics(trial_id).write_text('{"step": 1}\n{"step": "two"}\n')
    with interrupted.locked():
        said = sweeper(command, "cut", *arguments)
    assert said.code == 2
    assert "metrics.jsonl:2: damaged line of metrics (step: " in said.err
    assert "Traceback" not in said.err
