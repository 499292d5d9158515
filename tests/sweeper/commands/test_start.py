"""What a command loads before it answers: a person waits for all of it. By name, since the time
would depend on the machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.plan.plan import Plan
from sweeper.record.run_folder import create_run_folder
from tests.sweeper.in_process import drive

REMEDY = "import it in the function that uses it, or under TYPE_CHECKING if only types need it"
PROGRAM = """
import runpy, sys
sys.argv[1:] = {arguments}
try:
    runpy.run_module("sweeper", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
print(*sys.modules, file=sys.stderr)
"""


def loaded_by(*arguments: str, folder: Path) -> set[str]:
    """All modules of the process at its end."""
    command = [sys.executable, "-c", PROGRAM.format(arguments=list(arguments))]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout
    return set(done.stderr.split())


def test_help_loads_no_more_than_the_names_of_the_commands(tmp_path: Path) -> None:
    loaded = loaded_by("--help", folder=tmp_path)
    ours = {name for name in loaded if name.split(".")[0] in ("sweeper", "trainable")}
    assert {name for name in ours if name.count(".")} == {
        "sweeper.commands",
        "sweeper.commands.cli",
        "sweeper.errors",
        "sweeper.status",
        "trainable.errors",
    }
    third_parties = {"numpy", "pyarrow", "pydantic", "ruamel", "filelock", "tokenizers", "optuna"}
    assert not third_parties & loaded, f"--help waits for {third_parties & loaded}: {REMEDY}"


@pytest.mark.parametrize("arguments", [("list",), ("status", "lr"), ("trial", "lr", "0000")])
def test_looking_loads_nothing_that_trains_stores_or_draws(
    arguments: tuple[str, ...], plan: Plan, project: Path
) -> None:
    folder = create_run_folder(project / "runs", plan.spec, "lr", "space.yaml")
    drive(folder, plan)
    loaded = loaded_by(*arguments, folder=project)
    third_parties = {"numpy", "pyarrow", "torch", "ray", "wandb", "optuna", "scipy", "tokenizers"}
    assert not third_parties & loaded, f"{arguments} waits for {third_parties & loaded}: {REMEDY}"
    rooms = ("engine", "runtime", "running", "analysis.summary", "views.report", "views.trackers")
    ours = {f"sweeper.{room}" for room in (*rooms, "plan.forecast", "strategy.simulation")}
    assert not ours & loaded, f"{arguments} waits for {ours & loaded}: {REMEDY}"
