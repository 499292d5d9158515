"""Every view of a sweep names the same trial as the best."""

import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sweeper import load_sweep, summarise
from sweeper.analysis.monitor import Monitor
from sweeper.analysis.summary import load
from sweeper.analysis.summary import summarise as summarise_data
from sweeper.commands import exporting
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import write_tables
from sweeper.runtime.ray_tune.metrics import best_so_far
from sweeper.status import ExitCode
from sweeper.views.report.trial_rows import trial_table
from tests.sweeper.commands.conftest import Sweeper, project, sweeper
from tests.sweeper.in_process import drive

__all__ = ["project", "sweeper"]
NAN = math.nan


@dataclass(frozen=True)
class Planted:
    """Losses at the end by learning rate, one a seed, and whose weights are best."""

    losses: dict[float, list[float]]
    best: tuple[float, int] | None  # learning rate, seed
    mode: str = "min"
    scheduler: str = "fifo"

    @property
    def seeds(self) -> int:
        return len(next(iter(self.losses.values())))


SWEEPS = {
    "the luckiest seed is of a poor point": Planted(
        {1e-3: [2.0, 2.1, 2.2], 1e-2: [1.0, 3.0, 3.5]}, (1e-3, 0)
    ),
    "the same, more is better": Planted(
        {1e-3: [2.0, 2.1, 2.2], 1e-2: [9.0, 1.0, 1.5]}, (1e-2, 0), "max"
    ),
    "means are nearly equal": Planted({1e-3: [2.0, 2.2], 1e-2: [2.1, 2.11]}, (1e-3, 0)),
    "a seed diverged": Planted({1e-3: [NAN, 2.1], 1e-2: [2.0, 2.3]}, (1e-2, 0)),
    "some are stopped": Planted(
        {1e-3: [2.5, 2.0], 1e-2: [1.0, 4.0], 1e-1: [5.0, 5.5]}, (1e-2, 0), scheduler="asha"
    ),
    "without seeds": Planted({1e-3: [2.0], 1e-2: [1.9], 1e-1: [NAN]}, (1e-2, 0)),
    "one trial": Planted({1e-3: [2.0]}, (1e-3, 0)),
    "all diverged": Planted({1e-3: [NAN], 1e-2: [NAN]}, None),
}  # fmt: skip


@pytest.fixture(params=SWEEPS)
def planted(
    request: Any, project: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[RunFolder, str | None]:
    """A sweep that has ended, and the id of its best trial."""
    of: Planted = SWEEPS[request.param]

    def loss_at(config: Any, step: int) -> float:
        return of.losses[config.learning_rate][config.seed] + 1 / step

    monkeypatch.setattr("tests.sweeper.closed_form.loss_at", loss_at)
    scheduler = {"type": of.scheduler} | ({"grace_steps": 4} if of.scheduler == "asha" else {})
    plan = tiny_plan(
        space={"learning_rate": {"grid": list(of.losses)}},
        objective={"metric": "val_loss", "mode": of.mode},
        scheduler=scheduler,
        train={"eval_every_steps": 4, "checkpoint_every_steps": 4},
        **({"seeds": list(range(of.seeds))} if of.seeds > 1 else {}),
    )
    folder = create_run_folder(project / "runs", plan.spec, "lr", "space.yaml")
    sweep = drive(folder, plan)
    write_tables(sweep.state, folder)
    trials = {(t.config.learning_rate, t.config.seed): t for t in sweep.trials.values()}
    return folder, None if of.best is None else trials[of.best].trial_id


def exported(sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> str | None:
    taken: list[Path] = []

    def export(checkpoint: Path, folder: Path, tokenizer: Path | None) -> str:
        taken.append(checkpoint)
        return "done"

    monkeypatch.setattr(exporting, "_run_exporter", export)
    sweeper("export", "lr", "out")
    return taken[0].parents[1].name if taken else None


def from_tables(folder: RunFolder) -> str | None:
    """As a report tells it of a folder whose journal is damaged."""
    copy = RunFolder(folder.path.parent.parent / "copy")
    shutil.copytree(folder.path, copy.path)
    copy.journal.write_text("damaged\n")
    data = load(copy)
    assert data.notes
    winner = summarise_data(data).winner
    return None if winner is None else winner.trial.trial_id


def named(value: dict[str, Any] | None) -> str | None:
    return None if value is None else value["trial_id"]


def test_every_view_names_it(
    planted: tuple[RunFolder, str | None], sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, best = planted
    other = folder.path.parent / "other"
    shutil.copytree(folder.path, other)

    def asked(*command: str) -> Any:
        return json.loads(sweeper(*command, "--json").out or "null")

    screen = re.search(r"Best: .*\(trial (\d+)", sweeper("best", "lr").out)
    further = re.search(r"trials/(\d+)/", sweeper("best", "lr", "--command").out)
    yaml = re.search(r"Trial (\d+) of", sweeper("best", "lr", "--yaml").out)
    loaded = load_sweep("lr")
    summary = summarise(loaded)
    gauge = best_so_far(Monitor(folder).state)
    starred = [row.trial_id for row in trial_table(summary).rows if row.is_winner]
    views: dict[str, str | None] = {
        "screen": screen and screen[1],
        "best --json": named(asked("best", "lr")),
        "best --command": further and further[1],
        "best --yaml": yaml and yaml[1],
        "list --json": named(next(s for s in asked("list") if s["name"] == "lr")["best"]),
        "status --json": named(asked("status", "lr")["best"]),
        "compare --json": asked("compare", "lr", "other")["outcomes"][0]["best_trial"],
        "export": exported(sweeper, monkeypatch),
        "python": loaded.best and loaded.best.trial_id,
        "gauge": gauge and gauge[0].trial_id,
        "report": summary.winner and summary.winner.trial.trial_id,
        "report's table": starred[0] if starred else None,
        "report of tables": from_tables(folder),
    }
    assert views == dict.fromkeys(views, best)
    first: dict[str, Callable[[], str]] = {
        "status --json": lambda: asked("status", "lr")["ranking"][0]["trial_id"],
        "results.parquet": lambda: pq.read_table(folder.results).to_pylist()[0]["trial_id"],
        "python": lambda: loaded.trials[0].trial_id,
        "report": lambda: summary.sweep.trials[0].trial_id,
        "table": lambda: sweeper("status", "lr").out.splitlines()[2].split()[0],
    }
    if best is not None:
        assert {view: ask() for view, ask in first.items()} == dict.fromkeys(first, best)
    assert sweeper("best", "lr").code == (ExitCode.FAILED if best is None else ExitCode.DONE)
    sweeper("delete", "lr", "--checkpoints", "--yes")
    kept = {path.parent.name for path in folder.trials.glob("*/checkpoint_*")}
    assert kept == ({best} if best is not None else set())


def test_they_agree_on_the_next_one_and_on_the_margin(
    planted: tuple[RunFolder, str | None], sweeper: Sweeper
) -> None:
    _, best = planted
    if best is None:
        return
    told = json.loads(sweeper("best", "lr", "--json").out)
    winner = summarise(load_sweep("lr")).winner
    assert winner is not None
    assert told["mean"] == winner.best.mean
    if told["runner_up"] is None:
        assert winner.margin is None
        return
    assert winner.margin is not None
    assert told["runner_up"]["trial_id"] == winner.margin.trial.trial_id
    assert told["runner_up"]["margin"] == winner.margin.value
    screen = sweeper("best", "lr").out
    assert re.search(rf"\(trial {winner.margin.trial.trial_id}\) by (\d\.\d+)", screen)
    tied = [] if winner.noise is None else [dict(p.point) for p in winner.noise.tied[1:]]
    assert [point["point"] for point in told["tied"] or []] == tied
    assert ("tied with" in screen) == bool(tied)
