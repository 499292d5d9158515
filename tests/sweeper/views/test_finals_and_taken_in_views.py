"""Trials of the finals, and trials that are taken from another sweep, in every view of a sweep."""

import json
from pathlib import Path
from typing import Any

import optuna
import pyarrow.parquet as pq
import pytest

from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.session.terms import SessionTerms
from sweeper.engine.warm_starting import Here, read_warm_start
from sweeper.record.follower import mirror
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import write_tables
from sweeper.spec.reading.yaml_source import read_yaml
from sweeper.views.report import write_report
from sweeper.views.trackers.optuna_mirror import OptunaMirror, default_storage
from sweeper.views.trackers.tensorboard_mirror import TensorBoardMirror
from sweeper.views.trackers.wandb_mirror import WandbMirror
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.commands.conftest import Sweeper, project, sweeper
from tests.sweeper.in_process import drive

__all__ = ["project", "sweeper"]


@pytest.fixture
def folder(project: Path, tiny_plan: Any, tmp_path: Path) -> RunFolder:
    """`wider`: three trials are taken from `first`, one is its own, and three are its finals'."""
    warm_start = None
    for name, rates in (("first", [1e-4, 1e-3, 1e-2]), ("wider", [1e-4, 1e-3, 3e-3, 1e-2])):
        plan = tiny_plan(
            name=name,
            space={"learning_rate": {"grid": rates}},
            scheduler={"type": "fifo"},
            search={"from": "first"} if name == "wider" else {},
            finals={"top": 3, "seeds": 1} if name == "wider" else None,
        )
        fingerprint = take_fingerprint(plan.spec, REFERENCE)
        if name == "wider":
            here = Here(plan=plan, fingerprint=fingerprint)
            source = read_yaml(tmp_path / "space.yaml")
            warm_start = read_warm_start(plan.spec, project / "runs", source, here)
        made = create_run_folder(project / "runs", plan.spec, None, "space.yaml")
        sweep = drive(made, plan, SessionTerms(fingerprint=fingerprint), warm_start)
        write_tables(sweep.state, made)
    return made


def test_commands(folder: RunFolder, sweeper: Sweeper) -> None:
    trials = json.loads(sweeper("status", "wider", "--json").out)["ranking"]
    taken = [trial["trial_id"] for trial in trials if trial["taken_from"] is not None]
    assert len(taken) == 3
    assert "taken from trial 000" in sweeper("trial", "wider", taken[0]).out
    assert "it is trial 000" in sweeper("export", "wider", taken[0], "out").err
    rows = [line for line in sweeper("status", "wider").out.splitlines() if "completed" in line]
    assert sum("completed, taken" in row for row in rows) == 3
    assert len(rows) == 7
    best = json.loads(sweeper("best", "wider", "--json").out)
    assert (best["point"], best["verdict"]["kind"]) == ({"learning_rate": 1e-3}, "clear")
    assert best["verdict"]["text"] in " ".join(sweeper("best", "wider").out.split())
    assert "learning_rate 0.001, beats the finalists" in sweeper("list").out


def test_tables_and_report(folder: RunFolder) -> None:
    rows = pq.read_table(folder.results).to_pylist()
    assert sum(row["taken_from"] is not None for row in rows) == 3
    page = write_report(folder).path.read_text()
    assert page.count("taken from trial 000") >= 3
    assert "beats learning_rate" in page.replace("\u00a0", " ")


def test_other_tools(folder: RunFolder) -> None:
    mirror(TensorBoardMirror(folder), follow=False)
    assert {path.name[:4] for path in folder.tensorboard.glob("0*/")} == {
        f"{n:04d}" for n in range(7)
    }
    wandb = WandbMirror(folder, "offline")
    wandb.sweep.catch_up()
    shown = {trial.trial_id: trial.taken_from for trial in wandb.incomplete()}
    assert sum(taken is not None for taken in shown.values()) == 3
    assert len(shown) == 7
    assert all(wandb.sweep.rows(wandb.sweep.state.trials[i], after=0) for i in shown)
    mirror(OptunaMirror(folder, default_storage(folder)), follow=False)
    study = optuna.load_study(study_name=folder.name, storage=default_storage(folder))
    assert [trial.params.get("seed") for trial in study.trials] == [None] * 4 + [1] * 3
    assert study.best_trial.params["learning_rate"] == 1e-3
