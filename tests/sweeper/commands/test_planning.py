"""`plan` refuses what `run` would refuse, in the same words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeper.record.run_folder import RunFolder
from tests.sweeper.commands.conftest import Sweeper
from tests.sweeper.commands.test_bad_input import IN_THE_DATA, IN_THE_FILE, SPACE, contents


@pytest.fixture
def space(project: Path) -> Path:
    (project / "data").mkdir()
    for name in ("train", "val"):
        np.save(project / "data" / f"{name}.npy", (np.arange(500) % 64).astype(np.uint8))
    (project / "data" / "meta.json").write_text('{"vocab_size": 64, "bytes_per_token": 1.0}')
    (project / "space.yaml").write_text(SPACE)
    return project / "space.yaml"


def require_refused(sweeper: Sweeper, *more: str) -> str:
    """What both say, and neither writes anything."""
    before = contents(Path.cwd())
    planned = sweeper("plan", "space.yaml", "--no-probe", *more)
    run = sweeper("run", "space.yaml", "--no-dashboard", *more)
    assert (planned.code, planned.out) == (2, "")
    assert (run.code, run.err) == (2, planned.err)
    assert contents(Path.cwd()) == before
    return planned.err


@pytest.mark.parametrize("mistake", IN_THE_FILE)
def test_a_mistake_in_the_file(space: Path, sweeper: Sweeper, mistake: str) -> None:
    good, bad, message = IN_THE_FILE[mistake]
    space.write_text(SPACE.replace(good, bad, 1))
    assert message in require_refused(sweeper)


@pytest.mark.parametrize("mistake", IN_THE_DATA)
@pytest.mark.parametrize("name", ["train.npy", "val.npy"])
def test_a_mistake_in_the_data(space: Path, sweeper: Sweeper, name: str, mistake: str) -> None:
    spoil, message = IN_THE_DATA[mistake]
    spoil(space.parent / "data" / name)
    told = require_refused(sweeper)
    assert name in told
    assert message in told


@pytest.mark.parametrize(
    ("name", "objective", "message"),
    [
        ("lrr", "{}", "space.yaml:7: search.from: runs/lrr: no sweep there; did you mean 'lr'?"),
        ("lr", "{metric: train_loss}", "that sweep's objective is min val_loss, and this one's"),
    ],
)
def test_a_sweep_to_go_on_from_that_will_not_do(
    space: Path, sweeper: Sweeper, finished: RunFolder, name: str, objective: Any, message: str
) -> None:
    drawn = SPACE.replace("grid: [1e-3, 1e-2]", "loguniform: [1e-4, 1e-1]")
    search = f"search: {{algorithm: tpe, num_trials: 4, from: {name}}}\nobjective: {objective}\n"
    space.write_text(drawn + search)
    assert message in require_refused(sweeper)


def test_a_sweep_to_go_on_from_is_looked_for_where_runs_are(
    space: Path, sweeper: Sweeper, finished: RunFolder
) -> None:
    drawn = SPACE.replace("grid: [1e-3, 1e-2]", "loguniform: [1e-4, 1e-1]")
    space.write_text(f"{drawn}search: {{algorithm: tpe, num_trials: 4, from: lr}}\n")
    assert sweeper("plan", "space.yaml", "--no-probe").code == 0
    assert "other/lr: no sweep there" in require_refused(sweeper, "--runs", "other")


def test_a_name_for_a_file_leads_to_the_file(project: Path, sweeper: Sweeper) -> None:
    (project / "search_spaces").mkdir()
    for name in ("lr.yaml", "warmup.yaml"):
        (project / "search_spaces" / name).write_text(SPACE)
    said = {
        name: sweeper(command, name)
        for command, name in (("run", "lr"), ("plan", "lrr"), ("run", "warmup.yml"), ("run", "x"))
    }
    assert {code for code, _, _ in said.values()} == {2}
    assert said["lr"].err == "lr: no such file; did you mean 'search_spaces/lr.yaml'?\n"
    assert said["lrr"].err == "lrr: no such file; did you mean 'search_spaces/lr.yaml'?\n"
    assert said["warmup.yml"].err.endswith("did you mean 'search_spaces/warmup.yaml'?\n")
    assert said["x"].err == "x: no such file\n"


def test_a_run_folder_in_the_place_of_a_file_leads_to_its_space(
    sweeper: Sweeper, finished: RunFolder
) -> None:
    said = sweeper("run", "runs/lr")
    assert (said.code, said.err) == (
        2, "runs/lr: is a folder; name a file in it, as runs/lr/sweep.yaml\n"
    )  # fmt: skip


def test_a_key_on_the_command_line_leads_to_where_it_stands(space: Path, sweeper: Sweeper) -> None:
    told = require_refused(sweeper, "--set", "max_steps=10", "--set", "lr=3")
    assert told.splitlines() == [
        "--set max_steps: no such key; did you mean 'train.max_steps'?",
        "--set lr: no such key; did you mean 'train.learning_rate'?",
    ]


def test_a_resumed_sweep_is_told_the_same(sweeper: Sweeper, interrupted: RunFolder) -> None:
    said = sweeper("resume", "cut", "--set", "max_steps=10")
    told = "--set max_steps: no such key; did you mean 'train.max_steps'?\n"
    assert (said.code, said.err) == (2, told)


def test_data_in_the_home_folder_are_found(
    space: Path, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    space.write_text(SPACE.replace("data: data", "data: ~/data"))
    assert sweeper("plan", "space.yaml", "--no-probe").code == 0
    space.write_text(SPACE.replace("data: data", "data: ~/dta"))
    assert f"no folder {tmp_path}/dta" in require_refused(sweeper)
