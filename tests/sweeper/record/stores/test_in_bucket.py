"""Run folders in a bucket. `LocalStore` has the semantics of a bucket, save that it never fails."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.record.run_folder import RunFolder, create_run_folder, list_run_folders
from sweeper.record.stores.places import runs_folder
from tests.sweeper.in_process import drive, opened
from tests.sweeper.journals import raw_events

SECTIONS: dict[str, Any] = {
    "space": {"learning_rate": {"loguniform": [1e-4, 1e-1]}},
    "search": {"algorithm": "random", "num_trials": 8, "seed": 3},
    "scheduler": {"type": "asha", "grace_steps": 4, "reduction_factor": 2},
}


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"file://{tmp_path}/bucket"


def decisions(folder: RunFolder) -> list[Any]:
    return [
        {k: v for k, v in event.items() if k not in {"time", "bytes", "checkpoint"}}
        for event in raw_events(folder.journal)
        if event["event"] not in {"session_started", "session_ended", "watcher_failed"}
    ]


def test_a_sweep_in_a_bucket_decides_as_one_on_a_disk(
    tiny_plan: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**SECTIONS)
    here = create_run_folder(tmp_path / "runs", plan.spec, "one", "space.yaml")
    drive(here, plan)
    folder = create_run_folder(runs_folder(bucket), plan.spec, "one", "space.yaml")
    with folder.locked():
        drive(folder, plan)
    assert decisions(folder) == decisions(here)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    (found,) = list_run_folders(runs_folder(bucket))
    assert found.path != folder.path
    assert found.journal.read_bytes() == folder.journal.read_bytes()
