"""docs/python.md is run, block by block, on a real sweep; docs/watching.md names what there is."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sweeper.commands.cli import app
from sweeper.runtime.ray_tune.metrics import PER_TRIAL
from sweeper.views.trackers.grafana import board, queries

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def blocks(name: str) -> list[str]:
    return BLOCK.findall((DOCS / name).read_text())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # pandas', DuckDB's, Optuna's
def test_the_examples_in_python_are_run(
    tmp_path: Path, tokens_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/mine").symlink_to(tokens_folder)
    names: dict[str, Any] = {}
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        for code in blocks("python.md"):
            exec(compile(code, "docs/python.md", "exec"), names)
    (printed,) = (line for line in shown.getvalue().splitlines() if line.startswith("<sweep lr:"))
    (in_doc,) = re.findall(r"# (<sweep lr: .*>)", (DOCS / "python.md").read_text())
    assert re.sub(r"[\d.]+", "0", printed) == re.sub(r"[\d.]+", "0", in_doc)
    assert len(names["trials"]) == names["curves"].shape[1] == 3
    assert names["sweep"].state == "finished"

    assert CliRunner().invoke(app, ["optuna", "lr"]).exit_code == 0
    assert CliRunner().invoke(app, ["tensorboard", "lr"]).exit_code == 0
    for code in blocks("watching.md"):
        exec(compile(code, "docs/watching.md", "exec"), names)
    assert names["study"].best_params == names["sweep"].best.values


def test_every_metric_and_command_of_the_page_exists() -> None:
    page = (DOCS / "watching.md").read_text()
    told = {f"ray_sweeper_trial_{key}" for key in PER_TRIAL}
    told |= {"ray_sweeper_trial_set_loss", "ray_sweeper_trials", "ray_sweeper_best_objective"}
    asked = set(re.findall(r"ray_sweeper_\w+", " ".join(queries(board()))))
    assert asked == told
    for name in told:
        assert name in page or f"…{name.removeprefix('ray_sweeper_trial')}" in page
    commands = set(re.findall(r"python -m sweeper ([\w-]+)", page))
    assert commands >= {"tensorboard", "optuna", "grafana", "wandb-sync"}
    for command in commands:
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command
