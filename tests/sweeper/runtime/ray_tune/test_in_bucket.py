"""A sweep in a bucket of a real server, with trials in Ray's processes, whose machine goes down."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.record.buckets.bucket import Bucket
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.stores.places import runs_folder
from sweeper.record.stores.presence import PRESENCE
from sweeper.status import ExitCode
from tests.sweeper.runtime.ray_tune.conftest import LOOKED_AT
from tests.sweeper.runtime.ray_tune.driver import GATE, ROOT
from tests.sweeper.runtime.ray_tune.sessions import forked_session_of
from tests.sweeper.runtime.ray_tune.test_kills import decided, rows, state_of, undisturbed
from tests.sweeper.runtime.ray_tune.test_resume import session
from tests.sweeper.waiting import wait_until

SECTIONS = {
    "space": {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2]}},
    "train": {"eval_every_steps": 2, "checkpoint_every_steps": 2},
    "scheduler": {"type": "asha", "mode": "promote", "grace_steps": 2},  # rungs at 2 and 8
    "resources": {"cpu": 2},  # one at a time: with more, who comes first is chance
}


@pytest.mark.slow
def test_killed_and_resumed_on_another_machine_it_decides_as_on_a_disk(
    tmp_path: Path,
    write_space: Any,
    tokens_folder: Path,
    s3: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the data in the bucket, too."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for variable, name in LOOKED_AT.items():
        monkeypatch.setenv(variable, str(tmp_path / name))
    gate = Path(tmp_path / LOOKED_AT[GATE])
    space = write_space(**SECTIONS)
    whole = undisturbed(space, tmp_path / "whole")
    data = Bucket(f"{s3}-data")
    for name in ("meta.json", "val.npy", "train.npy"):
        data.put(name, tokens_folder / name)
    space = write_space(**SECTIONS, data=data.address)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "one"))
    driver = forked_session_of("HangingTrainer", "run", space, s3)
    wait_until(driver, gate.with_suffix(".waited-at").exists)
    driver.kill()
    driver.wait()

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    gate.touch()
    Bucket(f"{s3}/tiny").delete([PRESENCE])  # as after the half minute in which it may be believed
    assert session("resume", "tiny", s3).wait() == ExitCode.DONE
    folder = find_run_folder(runs_folder(s3), "tiny")
    assert str(tmp_path / "another") in str(folder.path)
    assert decided(folder) == decided(whole)
    assert without_places(rows(state_of(folder), folder)) == without_places(
        rows(state_of(whole), whole)
    )


def without_places(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each machine has the data elsewhere."""
    return [{k: v for k, v in row.items() if not k.endswith("_data")} for row in rows]
