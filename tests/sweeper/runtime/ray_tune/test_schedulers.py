"""Every scheduler that holds trials up or stops them, on a real Ray cluster: killed and resumed."""

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.replay import replay
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.record.tables import result_rows
from sweeper.spec.reading.spec_file import load_spec
from sweeper.status import ExitCode
from tests.sweeper.closed_form import PathTrainer
from tests.sweeper.journals import RawEvent, num_events
from tests.sweeper.runtime.ray_tune.sessions import Driver, forked_session_of
from tests.sweeper.runtime.ray_tune.test_kills import events, undisturbed
from tests.sweeper.waiting import wait_until

KILLS = 2
SPACE = {"learning_rate": {"grid": [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.7]}}
SCHEDULERS = {
    "hyperband": {"type": "hyperband", "grace_steps": 4, "reduction_factor": 2},
    "median": {"type": "median", "grace_steps": 4, "min_trials": 2},
    "pbt": {"type": "pbt", "interval_steps": 4},
    "forks": {"type": "fifo"},
}
LENGTHS = {"max_steps": {"grid": [20, 40, 60]}, "learning_rate": {"grid": [1e-3, 0.7]}}

pytestmark = [
    pytest.mark.slow,
    # Of Ray's search for free ports, and of its processes.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <function Popen.__del__:"
        "pytest.PytestUnraisableExceptionWarning"
    ),
]


def session(*arguments: object) -> Driver:
    return forked_session_of("PathTrainer", *arguments)


def decided(folder: RunFolder) -> list[RawEvent]:
    """What was reported and decided, in order; times aside."""
    kinds = {"trial_created", "report", "promoted", "exploited"}
    # Tune numbers checkpoints anew where a kill has left one that the journal does not know.
    aside = {"time", "checkpoint", "source_checkpoint", "fork"}
    return [
        {key: value for key, value in (event | event.get("fork", {})).items() if key not in aside}
        for event in events(folder)
        if event["event"] in kinds
    ]


def table(folder: RunFolder) -> list[dict[str, Any]]:
    """The results, but for the numbers of the checkpoints."""
    spec, _ = load_spec(folder.spec)
    rows = result_rows(replay(spec, folder), folder)
    return [{key: value for key, value in row.items() if key != "checkpoint"} for row in rows]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_killed_and_resumed_it_decides_the_same(
    tmp_path: Path, write_space: Any, cluster: None, name: str
) -> None:
    # One at a time: with more, who comes first is chance.
    sections = {"space": SPACE, "scheduler": SCHEDULERS[name]}
    if name == "forks":
        sections = sections | {
            "space": LENGTHS, "train": {"schedule": "wsd", "eval_every_steps": 10}
        }  # fmt: skip
    space = write_space(**sections, resources={"cpu": 2})
    folder = RunFolder(tmp_path / "killed" / "tiny")
    whole = undisturbed(space, tmp_path / "whole", PathTrainer)
    rng = random.Random(0)
    for kill in range(KILLS + 1):
        there = num_events(folder.journal)
        begin = ("resume", "tiny") if kill else ("run", space)
        process = session(*begin, folder.path.parent)
        if kill < KILLS:
            limit = there + rng.randint(3, len(events(whole)) // (KILLS + 1))
            wait_until(process, lambda limit=limit: num_events(folder.journal) >= limit)
            process.kill()
        assert process.wait() == (ExitCode.DONE if kill == KILLS else -signal.SIGKILL)
    assert decided(folder) == decided(whole)
    assert table(folder) == table(whole)
    statuses = {row["status"] for row in table(folder)}
    stops = {"stopped"} if name not in ("pbt", "forks") else set()
    assert statuses == {"completed", "diverged"} | stops
    forked = {row["max_steps"]: row["forked_at"] for row in table(folder) if row["forked_at"]}
    assert forked == ({20: 16, 40: 32} if name == "forks" else {})
    for each in (whole, folder):
        rows = table(each)
        ids = {row["trial_id"] for row in rows}
        assert {path.name for path in each.trials.iterdir()} == ids, "a folder a trial"
        for row in rows:
            if row["status"] == "completed":
                saved = each.checkpoint_folders(row["trial_id"])[0] / CHECKPOINT_FILE
                assert json.loads(saved.read_text())["step"] == row["step"]
    if name == "median":
        return
    # What all wait for does not depend on who comes first.
    space = write_space(**sections, resources={"cpu": 1})
    assert session("run", space, tmp_path / "two").wait() == ExitCode.DONE
    assert table(RunFolder(tmp_path / "two" / "tiny")) == table(whole)
