"""What `python -m sweeper stop` does, against drivers in processes of their own."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sweeper.commands.cli import app
from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder
from sweeper.runtime.stopping.requests import request_trial_stop
from sweeper.status import ExitCode, Status
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.sessions import forked_session_of, session_of
from tests.sweeper.runtime.ray_tune.test_kills import go_on_without_ray
from tests.sweeper.waiting import wait_until
from trainable.errors import UserError

pytestmark = pytest.mark.slow
SECTIONS = {
    "space": {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2]}},
    "scheduler": {"type": "fifo"},
    "train": {"eval_every_steps": 2},
    "resources": {"cpu": 1},
    "max_concurrent": 2,
}


def stop(folder: RunFolder, *trial: str) -> tuple[int, str]:
    """The exit code, and all that is said."""
    done = CliRunner().invoke(app, ["stop", str(folder.path), *trial])
    if isinstance(done.exception, UserError):  # `main` says it
        return ExitCode.USER_ERROR, str(done.exception)
    return done.exit_code, done.output


def events(folder: RunFolder) -> list[dict[str, Any]]:
    return list(raw_events(folder.journal)) if folder.journal.exists() else []


def at_the_gate(folder: RunFolder, *trials: str) -> bool:
    """These trials are as far as a `WaitingTrainer` comes without its gate."""
    at = {
        e["trial"] for e in events(folder) if e["event"] == "report" and e["metrics"]["step"] == 6
    }
    return at >= {*trials}


def said_of(folder: RunFolder, since: int) -> dict[str, list[str]]:
    """The trials of the later events, in order, by the kind of event."""
    trials: dict[str, list[str]] = {}
    for event in events(folder)[since:]:
        trials.setdefault(event["event"], []).append(event.get("trial", ""))
    return trials


def test_trials_and_then_the_sweep(tmp_path: Path, write_space: Any, cluster: None) -> None:
    """The second trial of a driver that is killed before it hears of it; the sweep when it has been
    resumed."""
    folder = RunFolder(tmp_path / "runs" / "tiny")
    begin = forked_session_of("WaitingTrainer", "run", write_space(**SECTIONS), tmp_path / "runs")
    wait_until(begin, lambda: at_the_gate(folder, "0000", "0001"))
    assert stop(folder, "0001") == (
        0,
        f"Trial 0001 of {folder.path} has been stopped by hand at step 6. The sweep goes on.\n",
    )
    wait_until(begin, lambda: at_the_gate(folder, "0002"))
    ended = f"{folder.path}: trial 0001 has ended: stopped at step 6 of 16"
    assert stop(folder, "1") == (ExitCode.USER_ERROR, ended)
    code, said = stop(folder, "0009")
    assert code == ExitCode.USER_ERROR
    assert said.startswith(f"{folder.path}: no trial '0009'; ")

    begin.send_signal(signal.SIGSTOP)
    request_trial_stop(folder, "0000")
    begin.kill()
    begin.wait()
    idle = f"{folder.path}: no sweep runs there: it is interrupted. "
    code, said = stop(folder, "0000")
    assert (code, said[: len(idle)]) == (ExitCode.USER_ERROR, idle)

    before = len(events(folder))
    process = session_of("WaitingTrainer", "resume", "tiny", tmp_path / "runs")
    wait_until(process, lambda: {"trial_ended", "trial_started"} <= said_of(folder, before).keys())
    assert said_of(folder, before)["trial_ended"] == ["0000"]
    go_on = f"python -m sweeper resume {folder.called}"
    assert stop(folder) == (
        0,
        f"{folder.path} has stopped: 2 of 3 trials have ended. Go on with: {go_on}\n",
    )
    assert process.wait() == ExitCode.INTERRUPTED
    assert events(folder)[-1]["outcome"] == "interrupted"
    assert folder.checkpoint_folders("0002")
    code, said = stop(folder)
    assert (code, said[: len(idle)]) == (ExitCode.USER_ERROR, idle)

    go_on_without_ray(folder)
    assert said_of(folder, before)["trial_started"] == ["0002", "0002"]
    status = {trial.trial_id: trial.status for trial in read_state(folder).trials.values()}
    assert status == {
        "0000": Status.STOPPED,
        "0001": Status.STOPPED,
        "0002": Status.COMPLETED,
    }
    shown = CliRunner().invoke(app, ["trial", str(folder.path), "0000", "--json"])
    assert json.loads(shown.stdout)["stopped_by_hand"] is True
