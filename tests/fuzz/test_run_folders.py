"""Run folders of which any file is damaged, gone or something else, under every command: an answer,
or one message, and never a traceback."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import ResourceError
from sweeper.record.metrics_files import write_metrics
from sweeper.record.run_folder import CHECKPOINT_FILE, create_run_folder
from sweeper.record.tables import write_tables
from sweeper.views.report import write_report
from tests.sweeper.commands.conftest import Sweeper, project, sweeper
from tests.sweeper.conftest import quick_disk, tiny_plan, tokens_folder, write_space
from tests.sweeper.in_process import drive
from trainable.loop.training import Trainer

__all__ = ["project", "quick_disk", "sweeper", "tiny_plan", "tokens_folder", "write_space"]

COMMANDS = [
    ["list"],
    ["list", "--json"],
    ["status", "lr"],
    ["status", "lr", "--json"],
    ["best", "lr"],
    ["best", "lr", "--yaml"],
    ["best", "lr", "--json"],
    ["trial", "lr", "0000"],
    ["trial", "lr", "0001", "--json"],
    ["compare", "lr", "other"],
    ["report", "lr"],
    ["predict", "lr", "--scale", "10x"],
    ["export", "lr", "out"],
    ["export", "lr", "0002", "out"],
    ["backtest", "lr"],
    ["delete", "lr", "--checkpoints", "--yes"],
    ["tensorboard", "lr"],
    ["optuna", "lr"],
    ["resume", "lr", "--no-dashboard"],
    ["plan", "runs/lr/sweep.yaml", "--no-probe"],
    [
        "plan",
        "space.yaml",
        "--no-probe",
        "--set",
        "search={algorithm: tpe, num_trials: 3, from: lr}",
    ],
]


def text(rng: random.Random) -> bytes:
    return rng.choice(
        [b"", b"\0", b"{", b"[]", b"null", b"\xff\xfe", b"{}\n", b"[" * 5000, b"1e999"]
    )


def empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def gone(path: Path, rng: random.Random) -> None:
    path.unlink()


def cut(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) + 1)])


def flipped(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 8)):
        if content:
            content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)


def replaced(path: Path, rng: random.Random) -> None:
    path.write_bytes(text(rng))


def lines_mixed(path: Path, rng: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    rng.shuffle(lines)
    path.write_bytes(b"".join(lines[: rng.randint(0, len(lines))] + rng.choices([text(rng), b""])))


def a_folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def a_broken_link(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def a_loop(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def values_changed(path: Path, rng: random.Random) -> None:
    """Of a JSON file, or of a line of one of JSON lines."""
    lines = path.read_bytes().splitlines()
    try:
        number = rng.randrange(len(lines))
        parsed = json.loads(lines[number] if path.suffix == ".jsonl" else path.read_bytes())
        key = rng.choice(sorted(parsed))
    except (ValueError, TypeError, IndexError):
        return replaced(path, rng)
    parsed[key] = rng.choice([None, -1, 1e308, "x", [], {}, True, "\ud800", 2**70])
    lines[number if path.suffix == ".jsonl" else slice(None)] = (
        json.dumps(parsed).encode() if path.suffix == ".jsonl" else [json.dumps(parsed).encode()]
    )
    path.write_bytes(b"\n".join(lines) + b"\n")


HANDS = [
    empty, gone, cut, flipped, replaced, lines_mixed, a_folder, a_broken_link, a_loop,
    values_changed, values_changed,
]  # fmt: skip


@pytest.fixture
def whole(project: Path, tiny_plan: Any, write_space: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep that has finished, with real weights and with all that is ever written of one."""

    def refuse(*_: object) -> None:
        raise ResourceError("nothing is trained here")

    monkeypatch.setattr("sweeper.running.started_workers", refuse)
    write_space(space={"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 0.7]}})
    plan = tiny_plan(space={"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 0.7]}})
    folder = create_run_folder(project / "whole", plan.spec, "lr", "space.yaml")
    sweep = drive(folder, plan)
    write_tables(sweep.state, folder)
    weights = project / "weights.pt"
    Trainer(plan.trials[0].config).save(weights)
    for trial_id, trial in sweep.state.trials.items():
        write_metrics(folder.trial_metrics(trial_id), trial.evaluations)
        for checkpoint in folder.checkpoint_folders(trial_id):
            shutil.copy(weights, checkpoint / CHECKPOINT_FILE)
    write_report(folder)
    return folder.path


def test_no_command_ends_in_a_traceback(
    project: Path, whole: Path, sweeper: Sweeper, tries: Callable[[int], Iterator[random.Random]]
) -> None:
    runs = project / "runs"
    for rng in tries(12):
        shutil.rmtree(runs, ignore_errors=True)
        shutil.rmtree(project / "out", ignore_errors=True)
        for name in ("lr", "other"):
            shutil.copytree(whole, runs / name)
        files = sorted(path for path in (runs / "lr").rglob("*") if path.is_file())
        record = [p for p in files if p.suffix in {".jsonl", ".json", ".yaml", ".parquet"}]
        done = []
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            path, hand = rng.choice(rng.choice([files, record])), rng.choice(HANDS)
            if path.is_file() and not path.is_symlink():
                hand(path, rng)
                done.append((hand.__name__, str(path.relative_to(runs))))
        for command in rng.sample(COMMANDS, 5):
            said = sweeper(*command)
            assert said.code in {0, 1, 2}, (done, command, said)
            assert "Traceback" not in said.err + said.out, (done, command, said)
            if said.code == 2:
                assert said.err.strip(), (done, command)
