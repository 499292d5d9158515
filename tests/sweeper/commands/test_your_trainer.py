"""A sweep of a program that is not ours, from its file to its answer: real processes on Ray."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from sweeper.record.journal import read_journal
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import Evaluated, SessionEnded
from tests.sweeper.waiting import wait_until

pytestmark = pytest.mark.slow

# Learns one number; its accuracy falls with the distance from it.
PROGRAM = textwrap.dedent("""
    import json, pathlib, sys, time
    rate, steps, out, resumes = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3], len(sys.argv) > 4
    saved = pathlib.Path(out, "saved.json")
    first, weight = json.loads(saved.read_text()) if resumes else (0, 1.0)
    for step in range(first + 1, steps + 1):
        weight -= rate * weight
        time.sleep(0.02)
        if step % 10 == 0:
            print(f"after {step} steps: accuracy {1 - abs(weight)}")
            new = saved.with_suffix(".new")
            new.write_text(json.dumps([step, weight]))
            new.replace(saved)
""")
RATES = [0.001, 0.01, 0.05, 0.1]


def accuracy(rate: float, step: int) -> float:
    return 1 - float((1 - rate) ** step)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a sweep that was interrupted, and went on to its end."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "train.py").write_text(PROGRAM)
    document: dict[str, Any] = {
        "trainer": {
            "command": f"{sys.executable} train.py {{rate}} {{max_steps}} {{trial_dir}}",
            "resume": "--resume",
            "metrics": {"stdout": "after {step:d} steps: accuracy {accuracy:f}"},
            "checkpoint": {"path": "saved.json"},
            "settings": {"rate": {"type": "float", "above": 0}},
            "max_steps": 80,
            "eval_every_steps": 10,
        },
        "space": {"rate": {"grid": RATES}},
        "objective": {"metric": "accuracy", "mode": "max"},
        "scheduler": {"type": "asha", "grace_steps": 20, "mode": "promote"},
    }
    with (folder / "mine.yaml").open("w") as file:
        YAML().dump(document, file)
    command = [sys.executable, "-m", "sweeper"]
    run = subprocess.Popen(
        [*command, "run", "mine.yaml", "--no-dashboard"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    journal = RunFolder(folder / "runs" / "mine").journal
    wait_until(run, lambda: journal.exists() and b'"report"' in journal.read_bytes())
    run.send_signal(signal.SIGTERM)
    assert run.wait() == 130
    resumed = subprocess.run(
        [*command, "resume", "mine", "--no-dashboard"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert resumed.returncode == 0, resumed.stderr
    assert "perplexity" not in resumed.stdout
    return folder


@pytest.fixture
def here(swept: Path, sweeper: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`sweeper`, called where the sweep was run."""
    monkeypatch.chdir(swept)
    return sweeper


def test_every_evaluation_is_there_once_with_its_value(swept: Path) -> None:
    events = [e for e in read_journal(RunFolder(swept / "runs" / "mine").journal)]
    assert [e.outcome for e in events if isinstance(e, SessionEnded)] == ["interrupted", "finished"]
    rows = pq.read_table(swept / "runs" / "mine" / "results.parquet").to_pylist()
    rates = {row["trial_id"]: row["rate"] for row in rows}
    seen: dict[str, list[int]] = {}
    for event in events:
        if isinstance(event, Evaluated):
            seen.setdefault(event.trial, []).append(event.metrics.step)
            expected = accuracy(rates[event.trial], event.metrics.step)
            assert event.metrics.value("accuracy") == pytest.approx(expected, abs=1e-12)
    assert all(steps == list(range(10, steps[-1] + 1, 10)) for steps in seen.values())
    best, *_ = rows
    assert (best["rate"], best["status"], best["step"]) == (0.1, "completed", 80)
    assert best["num_params"] is None
    assert best["tokens"] is None


def test_what_can_be_asked_of_it(here: Any) -> None:
    best = json.loads(here("best", "mine", "--json").out)
    assert best["values"] == {"rate": 0.1}
    assert best["command"] is best["fresh_command"] is None
    for command in (
        ["status"], ["best"], ["list"], ["trial", "mine", "0"], ["report"], ["status", "--json"],
        ["tensorboard", "mine"], ["optuna", "mine"], ["plan", "mine.yaml"],
    ):  # fmt: skip
        done = here(*command)
        assert done.code == 0, (command, done.err)
        assert "--json" in command or "perplexity" not in done.out
    for command, told in (
        (["export", "mine", "out"], "only models of our own trainer are exported"),
        (["predict", "mine", "--scale", "10x"], "not a sweep over learning rates"),
        (["backtest", "mine"], "of another trainer the FLOPs are not known"),
        (["best", "mine", "--command"], "how its trainer is started for longer, only you know"),
        (["plan", "mine.yaml", "--for", "10M"], "its model's sizes are not known"),
    ):
        done = here(*command)
        assert (done.code, "Traceback" in done.err) == (2, False), done.err
        assert told in done.err


def test_the_winner_as_a_file_is_run_as_it_is(here: Any) -> None:
    Path("best.yaml").write_text(here("best", "mine", "--yaml").out)
    done = here("plan", "best.yaml")
    assert done.code == 0, done.err
    assert "1 trial," in done.out


def test_a_program_that_has_changed_is_found_out(here: Any) -> None:
    """And so is one of its files that the command does not name."""
    Path("helper.py").touch()
    done = here("resume", "mine", "--set", "finals={}", "--no-dashboard")
    assert done.code == 2
    assert "helper.py" in done.err or "{seed}" in done.err
    os.unlink("helper.py")
