"""A sweep's folder, its exports and its mirrors have the modes that the umask gives, so that
colleagues can read and resume what they should."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeper.analysis.monitor import Monitor
from sweeper.commands.exporting import export_trial
from sweeper.record.follower import mirror
from sweeper.record.run_folder import CHECKPOINT_FILE, create_run_folder
from sweeper.record.tables import write_tables
from sweeper.views.report import write_report
from sweeper.views.trackers.optuna_mirror import OptunaMirror, default_storage
from tests.sweeper.in_process import drive
from trainable.loop.training import Trainer


@pytest.fixture(params=[0o002, 0o022, 0o027, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_modes_follow_the_umask(umask: int, tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(train={"eval_every_steps": 4, "checkpoint_every_steps": 4})
    folder = create_run_folder(tmp_path / "new", plan.spec, None, "space.yaml")
    sweep = drive(folder, plan)
    write_tables(sweep.state, folder)
    best = Monitor(folder).best
    assert best is not None and best.checkpoint is not None
    # In place of the closed-form trial's: a real one, for the real exporter.
    real = folder.checkpoint(best.trial_id, best.checkpoint) / CHECKPOINT_FILE
    real.unlink()
    Trainer(sweep.plan.trials[0].config).save(real)
    export_trial(Monitor(folder), None, tmp_path / "new" / "out")
    mirror(OptunaMirror(folder, default_storage(folder)), follow=False)
    write_report(folder)
    written = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    names = {path.name for path in written}
    assert {
        "optuna.db",
        "model.safetensors",
        "report.html",
        "results.parquet",
        "sweep.yaml",
        "trials",
    } <= names
    for path in written:
        expected = (0o777 if path.is_dir() else 0o666) & ~umask
        assert path.stat().st_mode & 0o777 == expected, path
