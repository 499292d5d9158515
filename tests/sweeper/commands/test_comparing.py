"""`compare` as it is typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.run_folder import RunFolder, create_run_folder
from tests.sweeper.commands.conftest import Sweeper
from tests.sweeper.in_process import drive


@pytest.fixture
def single(project: Path, tiny_plan: Any) -> RunFolder:
    """A sweep of one trial."""
    plan = tiny_plan(space={"learning_rate": {"grid": [1e-3]}}, train={"d_model": 32})
    folder = create_run_folder(project / "runs", plan.spec, "one", "space.yaml")
    drive(folder, plan)
    return folder


def test_on_a_screen(sweeper: Sweeper, finished: RunFolder, single: RunFolder) -> None:
    said = sweeper("compare", "lr", "one")
    assert (said.code, said.err) == (0, "")
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0] == ["sweep", "lr", "one"]
    assert ["trials", "ended", "4/4", "1/1"] in lines
    assert ["train.d_model", "16", "32"] in lines
    assert "The best of them are tied." in said.out, "the closed form knows no d_model"


def test_for_scripts(sweeper: Sweeper, finished: RunFolder, single: RunFolder) -> None:
    facts = json.loads(sweeper("compare", "lr", "one", "--json").out)
    assert [outcome["name"] for outcome in facts["outcomes"]] == ["lr", "one"]
    assert facts["best"] is None
    assert facts["margin"] == 0


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_fits(
    sweeper: Sweeper,
    finished: RunFolder,
    single: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = sweeper("compare", "lr", "one").out.splitlines()
    assert max(map(len, lines)) <= width


def test_one_sweep_is_no_comparison(sweeper: Sweeper, finished: RunFolder) -> None:
    for names in (["lr"], ["lr", "lr"], ["lr", "runs/lr"]):
        said = sweeper("compare", *names)
        assert said.code == 2
        assert said.err.startswith("compare: name two different sweeps or more, got lr")
    assert "did you mean 'lr'" in sweeper("compare", "lr", "lrr").err


def test_sweeps_of_the_same_name_are_called_by_their_paths(
    sweeper: Sweeper, finished: RunFolder, single: RunFolder, project: Path
) -> None:
    (project / "old").mkdir()
    single.path.rename(project / "old" / "lr")
    facts = json.loads(sweeper("compare", "lr", "old/lr", "--json").out)
    assert [outcome["name"] for outcome in facts["outcomes"]] == ["runs/lr", "old/lr"]


def test_a_page_that_cannot_be_written(
    sweeper: Sweeper, finished: RunFolder, single: RunFolder, project: Path
) -> None:
    (project / "file").write_text("")
    said = sweeper("compare", "lr", "one", "--html", "file/c.html")
    assert said.code == 2
    assert said.err.startswith("--html file/c.html: cannot be written")
    assert "sweep" not in said.out
