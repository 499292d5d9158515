"""Trials that fork from a trunk, in every view of a sweep."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sweeper.analysis.reading.loading import load
from sweeper.analysis.summary.rungs import savings_of
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import write_tables
from sweeper.views.report import write_report
from tests.sweeper.commands.conftest import Sweeper, project, sweeper
from tests.sweeper.in_process import drive

__all__ = ["project", "sweeper"]


@pytest.fixture
def folder(project: Path, tiny_plan: Any) -> RunFolder:
    """Three lengths from one trunk: 64 + 16 steps, and decays of 4 and 8."""
    plan = tiny_plan(
        train={"schedule": "wsd", "eval_every_steps": 10},
        space={"max_steps": {"grid": [20, 40, 80]}},
        scheduler={"type": "fifo"},
    )
    made = create_run_folder(project / "runs", plan.spec, None, "space.yaml")
    write_tables(drive(made, plan).state, made)
    return made


def test_commands(folder: RunFolder, sweeper: Sweeper) -> None:
    ranking = json.loads(sweeper("status", "tiny", "--json").out)["ranking"]
    trunk, *_ = [trial["trial_id"] for trial in ranking if trial["forked_from"] is None]
    forks = {t["max_steps"]: t for t in ranking if t["forked_from"] == trunk}
    assert {steps: trial["forked_at"] for steps, trial in forks.items()} == {20: 16, 40: 32}
    told = sweeper("trial", "tiny", forks[20]["trial_id"]).out
    assert f"forked from trial {trunk} at step 16" in told
    rows = [line for line in sweeper("status", "tiny").out.splitlines() if "completed" in line]
    assert sum(f"completed, fork of {trunk}" in row for row in rows) == 2


def test_tables_and_report(folder: RunFolder) -> None:
    rows = {row["max_steps"]: row for row in pq.read_table(folder.results).to_pylist()}
    assert [rows[steps]["forked_at"] for steps in (20, 40, 80)] == [16, 32, None]
    trunk = rows[80]["trial_id"]
    page = write_report(folder).path.read_text()
    assert f"forked from trial {trunk} at step 16" in page
    assert "forks from a trunk (2)" in page
    assert f"forks from {trunk} at step 32" in page
    assert "What trunks spared" in page
    assert "saved <strong>34%</strong>" in page, "92 of 140 steps"


def test_what_was_trained_once_is_counted_once(folder: RunFolder) -> None:
    savings = savings_of(load(folder))
    assert savings is not None and savings.tokens is not None and savings.seconds is not None
    assert savings.tokens.spent == pytest.approx((80 + 4 + 8) * 4 * 16)
    assert savings.tokens.full == pytest.approx((80 + 40 + 20) * 4 * 16)
    assert savings.seconds.spent == pytest.approx(0.92)
