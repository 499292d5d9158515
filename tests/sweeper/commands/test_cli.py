"""The program as a person runs it: real processes, real training, real kills."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sweeper.record.metrics_files import read_metrics
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from tests.sweeper.journals import raw_events
from tests.sweeper.waiting import wait_until
from trainable.config import TrainConfig
from trainable.loop.training import Trainer

SLOW = {"max_steps": 240, "d_model": 64, "eval_every_steps": 20, "dtype": "float32"}
SPACE = {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 3e-2]}}
ASHA = {"type": "asha", "grace_steps": 40}


def sweeper(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "sweeper", *map(str, arguments)]


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        sweeper(*arguments), cwd=folder, capture_output=True, text=True, check=False
    )


def events(folder: RunFolder) -> list[dict[str, Any]]:
    return list(raw_events(folder.journal)) if folder.journal.exists() else []


def start_and_wait(
    folder: RunFolder, holds: Callable[[RunFolder], bool], *arguments: object
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        sweeper(*arguments, "--no-dashboard"),
        cwd=folder.path.parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(process, lambda: holds(folder))
    return process


def one_is_under_way(folder: RunFolder) -> bool:
    return bool(read_metrics(folder.trial_metrics("0000")))


def one_has_ended_and_one_is_under_way(folder: RunFolder) -> bool:
    seen = events(folder)
    ended = {e["trial"] for e in seen if e["event"] == "trial_ended"}
    saved = {e["trial"] for e in seen if e["event"] == "checkpoint"}
    return bool(ended) and bool(saved - ended)


@pytest.mark.slow
def test_ended_and_killed_in_mid_sweep_it_goes_on_from_its_checkpoints(
    tmp_path: Path, write_space: Any
) -> None:
    space = write_space(train=SLOW, space=SPACE, scheduler=ASHA, max_concurrent=1)
    folder = RunFolder(tmp_path / "runs" / "tiny")
    process = start_and_wait(folder, one_is_under_way, "run", space)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 130
    assert events(folder)[-1]["outcome"] == "interrupted"
    assert (folder.checkpoint_folders("0000")[-1] / CHECKPOINT_FILE).stat().st_size > 0
    row = run(tmp_path, "list").stdout.splitlines()[1]
    assert row.split()[:3] == ["tiny", "interrupted", "0/4"]

    process = start_and_wait(folder, one_has_ended_and_one_is_under_way, "resume", "tiny")
    process.kill()
    process.wait()
    before = events(folder)
    ended = {e["trial"]: e["status"] for e in before if e["event"] == "trial_ended"}
    status = run(tmp_path, "status", "tiny")
    assert "interrupted" in status.stdout
    resumed = run(tmp_path, "resume", "tiny", "--no-dashboard")
    assert resumed.returncode == 0, resumed.stderr

    after = events(folder)
    assert after[: len(before)] == before, "the past is never rewritten"
    new = after[len(before) :]
    assert not {e["trial"] for e in new if "trial" in e} & set(ended), "what has ended stays so"
    for trial_id in {e["trial"] for e in after if e["event"] == "report"}:
        steps = [
            e["metrics"]["step"] for e in after if e.get("trial") == trial_id and "metrics" in e
        ]
        assert steps == sorted(set(steps)), "each step is reported once"
        rows = [row.step for row in read_metrics(folder.trial_metrics(trial_id))]
        assert rows == sorted(set(rows))
    assert_rungs_are_asha(after)

    results = {row["trial_id"]: row for row in pq.read_table(folder.results).to_pylist()}
    assert len(results) == 4
    for trial_id, was in ended.items():
        assert results[trial_id]["status"] == was
    last = {e["trial"]: e["metrics"] for e in after if e["event"] == "report"}
    for trial_id, row in results.items():
        assert (row["step"], row["val_loss"]) == (
            last[trial_id]["step"],
            last[trial_id]["val_loss"],
        )

    for created in (event for event in after if event["event"] == "trial_created"):
        recorded = {
            e["metrics"]["step"]: e["metrics"]["val_loss"]
            for e in after
            if e["event"] == "report" and e["trial"] == created["id"]
        }
        assert recorded == trained_at_once(created["config"], max(recorded))


def assert_rungs_are_asha(journal: list[dict[str, Any]]) -> None:
    """Every verdict, over both sessions, from nothing but the values at its rung so far."""
    rungs: dict[int, list[float]] = {}
    for event in journal:
        if event["event"] == "report" and event["rung"] is not None:
            value = event["metrics"]["val_loss"]
            at_rung = rungs.setdefault(event["rung"], [])
            at_rung.append(value)
            assert event["of"] == len(at_rung)
            assert event["rank"] == sorted(at_rung).index(value) + 1
            goes_on = 2 * event["rank"] <= len(at_rung) + 1
            assert event["decision"] == ("continue" if goes_on else "stop")


def trained_at_once(config: dict[str, Any], last_step: int) -> dict[int, float | None]:
    """The losses of a trial that nothing has cut off, by step: bitwise those of one in pieces."""
    trainer = Trainer(TrainConfig.from_mapping(config), num_threads=1)
    losses = {}
    for metrics in trainer.train():
        if metrics is not None and metrics.val_loss is not None:
            losses[metrics.step] = metrics.val_loss
        if trainer.step == last_step:
            break
    return losses


@pytest.mark.slow
def test_a_whole_sweep_and_what_can_be_asked_of_it(tmp_path: Path, write_space: Any) -> None:
    space = write_space(
        train={"max_steps": 64},
        space=SPACE,
        scheduler={"type": "asha", "grace_steps": 16},
        max_concurrent=1,
    )
    first = run(tmp_path, "run", space, "--no-dashboard", "--wandb", "offline")
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    folder = RunFolder(tmp_path / "runs" / "tiny")
    rows = pq.read_table(folder.results).to_pylist()
    winner = rows[0]
    assert f"Best: learning_rate {winner['learning_rate']:g}" in first.stdout
    assert f"validation loss {winner['val_loss']:.4f}" in first.stdout
    assert winner["val_loss"] == min(r["val_loss"] for r in rows if r["status"] == "completed")

    wandb_runs = [path.name for path in folder.wandb.glob("offline-run-*")]
    assert sorted(name[-4:] for name in wandb_runs) == sorted(r["trial_id"] for r in rows)

    record = folder.journal.read_bytes()
    taken = run(tmp_path, "run", space, "--no-dashboard", "--name", "tiny")
    assert taken.returncode == 2
    assert "python -m sweeper resume tiny" in taken.stderr
    assert "Traceback" not in taken.stderr
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["tiny"]

    single = ("--set", "space.learning_rate.grid=[1e-3]")
    second = run(tmp_path, "run", space, "--no-dashboard", "--quiet", *single)
    assert (second.returncode, second.stdout, second.stderr) == (0, "runs/tiny-2\n", "")
    assert folder.journal.read_bytes() == record, "an older sweep is left as it was"

    assert "there is nothing to go on with" in run(tmp_path, "resume", "tiny").stdout
    assert [line.split()[:3] for line in run(tmp_path, "list").stdout.splitlines()[1:]] == [
        ["tiny", "finished", "4/4"],
        ["tiny-2", "finished", "1/1"],
    ]
    best = run(tmp_path, "best", "tiny").stdout
    command = next(line for line in best.splitlines() if "--resume_from" in line)
    further = subprocess.run(
        [sys.executable, *shlex.split(command)[1:]],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert further.returncode == 0, further.stderr
    metrics = next((tmp_path / "checkpoints").rglob("metrics.jsonl"))
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps[0] > 64
    assert steps[-1] == 128


@pytest.mark.parametrize("command", ["status", "best", "resume"])
def test_an_unknown_sweep_is_named_with_the_nearest(tmp_path: Path, command: str) -> None:
    (tmp_path / "runs" / "tiny").mkdir(parents=True)
    (tmp_path / "runs" / "tiny" / "journal.jsonl").touch()
    result = run(tmp_path, command, "tinny")
    assert result.returncode == 2
    assert result.stderr == "runs/tinny: no sweep there; did you mean 'tiny'?\n"
