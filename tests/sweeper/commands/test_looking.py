"""`list`, `status`, `trial`: what they show, what scripts get, and names that are not there."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import ray
import torch

from sweeper.plan.plan import Plan
from sweeper.record.journal import begin_journal
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.stores.places import runs_folder
from sweeper.views.serve.looks import Looks
from tests.sweeper.commands.conftest import Sweeper
from tests.sweeper.in_process import opened
from tests.sweeper.servers import refuse_to_read


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


def test_what_a_bucket_does_not_let_one_read_keeps_no_other_from_being_listed(
    sweeper: Sweeper, tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"file://{tmp_path}/bucket"
    for name in ("bad", "good"):
        create_run_folder(runs_folder(address), tiny_plan().spec, name, "space.yaml")
        begin_journal(RunFolder(runs_folder(address) / name))
    refuse_to_read("bad", monkeypatch)
    listed = json.loads(sweeper("list", "--json", "--runs", address).out)
    assert [(each["name"], each["state"], each.get("error")) for each in listed] == [
        ("bad", "unreadable", "cannot be read (it is another's)"), ("good", "interrupted", None),
    ]  # fmt: skip
    _, bad, good = sweeper("list", "--runs", address).out.splitlines()
    assert bad.split(maxsplit=2) == ["bad", "unreadable", "cannot be read (it is another's)"]
    assert good.startswith("good")
    shown = Looks(runs_folder(address)).shown()
    assert [(each["name"], each["state"]) for each in shown] == [
        ("bad", "unreadable"), ("good", "interrupted"),
    ]  # fmt: skip
    assert shown[0]["progress"] == "cannot be read (it is another's)"


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


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_of_a_table_is_longer_than_the_screen(
    sweeper: Sweeper, finished: RunFolder, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for out in (sweeper("status", "lr").out, sweeper("list").out):
        assert max(map(len, out.splitlines())) <= width
