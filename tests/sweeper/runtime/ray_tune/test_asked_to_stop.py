"""`python -m sweeper stop`, against drivers in processes of their own."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder
from sweeper.runtime.stopping.requests import request_trial_stop
from sweeper.status import ExitCode, Status
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.conftest import LOOKED_AT
from tests.sweeper.runtime.ray_tune.driver import GATE, ROOT
from tests.sweeper.runtime.ray_tune.sessions import session_of
from tests.sweeper.waiting import wait_until

pytestmark = pytest.mark.slow
SECTIONS = {
    "space": {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2]}},
    "scheduler": {"type": "fifo"},
    "train": {"eval_every_steps": 2},
    "resources": {"cpu": 1},
    "max_concurrent": 2,
}


@pytest.fixture
def gate(tmp_path: Path, cluster: None) -> Path:
    """The file without which a `WaitingTrainer` waits."""
    return tmp_path / LOOKED_AT[GATE]


def stop(folder: RunFolder, *trial: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sweeper", "stop", str(folder.path), *trial]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def events(folder: RunFolder) -> list[dict[str, Any]]:
    return list(raw_events(folder.journal)) if folder.journal.exists() else []


def at_the_gate(folder: RunFolder, *trials: str) -> bool:
    """These trials are as far as they come without it."""
    at = {
        e["trial"] for e in events(folder) if e["event"] == "report" and e["metrics"]["step"] == 6
    }
    return at >= {*trials}


def test_a_trial_then_the_sweep(tmp_path: Path, write_space: Any, gate: Path) -> None:
    folder = RunFolder(tmp_path / "runs" / "tiny")
    process = session_of("WaitingTrainer", "run", write_space(**SECTIONS), tmp_path / "runs")
    wait_until(process, lambda: at_the_gate(folder, "0000", "0001"))

    said = stop(folder, "0001")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == (
        f"Trial 0001 of {folder.path} has been stopped by hand at step 6. The sweep goes on.\n"
    )
    wait_until(process, lambda: at_the_gate(folder, "0002"))
    again = stop(folder, "1")
    assert again.returncode == ExitCode.USER_ERROR
    assert again.stderr == f"{folder.path}: trial 0001 has ended: stopped at step 6 of 16\n"
    unknown = stop(folder, "0009")
    assert unknown.returncode == ExitCode.USER_ERROR
    assert unknown.stderr.startswith(f"{folder.path}: no trial '0009'; ")

    said = stop(folder)
    assert (said.returncode, said.stderr) == (0, "")
    go_on = f"python -m sweeper resume {folder.called}"
    assert said.stdout == (
        f"{folder.path} has stopped: 1 of 3 trials have ended. Go on with: {go_on}\n"
    )
    assert process.wait() == ExitCode.INTERRUPTED
    assert events(folder)[-1]["outcome"] == "interrupted"
    assert {folder.checkpoint_folders(name)[0].name for name in ("0000", "0002")}
    idle = stop(folder)
    assert idle.returncode == ExitCode.USER_ERROR
    assert idle.stderr.startswith(f"{folder.path}: no sweep runs there: it is interrupted. ")

    gate.touch()
    before = len(events(folder))
    assert session_of("WaitingTrainer", "resume", "tiny", tmp_path / "runs").wait() == 0
    later = [e["trial"] for e in events(folder)[before:] if e["event"] == "trial_started"]
    assert sorted(later) == ["0000", "0002"]
    status = {trial.trial_id: trial.status for trial in read_state(folder).trials.values()}
    assert status == {
        "0000": Status.COMPLETED,
        "0001": Status.STOPPED,
        "0002": Status.COMPLETED,
    }


def test_a_driver_that_is_killed_before_it_hears_of_it(
    tmp_path: Path, write_space: Any, gate: Path
) -> None:
    folder = RunFolder(tmp_path / "runs" / "tiny")
    process = session_of("WaitingTrainer", "run", write_space(**SECTIONS), tmp_path / "runs")
    wait_until(process, lambda: at_the_gate(folder, "0000", "0001"))
    process.send_signal(signal.SIGSTOP)
    request_trial_stop(folder, "0000")
    process.kill()
    process.wait()
    dead = stop(folder, "0000")
    assert dead.returncode == ExitCode.USER_ERROR
    assert dead.stderr.startswith(f"{folder.path}: no sweep runs there: it is interrupted. ")

    gate.touch()
    before = len(events(folder))
    assert session_of("WaitingTrainer", "resume", "tiny", tmp_path / "runs").wait() == 0
    later = events(folder)[before:]
    assert "0000" not in {e["trial"] for e in later if e["event"] == "trial_started"}
    (ended,) = (e for e in later if e["event"] == "trial_ended" and e["trial"] == "0000")
    assert ended["status"] == "stopped"
    shown = subprocess.run(
        [sys.executable, "-m", "sweeper", "trial", str(folder.path), "0000", "--json"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(shown.stdout)["stopped_by_hand"] is True
