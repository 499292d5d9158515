"""A budget of bytes on real Ray: paused trials lose their checkpoints, the sweep never its way."""

import io
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from sweeper.commands.sweeping import conclude
from sweeper.record.metrics_files import read_metrics
from sweeper.record.replay import replay
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.running import run_file
from sweeper.runtime.session.preparation import Options
from sweeper.spec.reading.spec_file import load_spec
from sweeper.status import ExitCode, Status
from sweeper.views.format import size
from tests.sweeper.closed_form import SeededTrainer
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.test_kills import state_of, undisturbed

SECTIONS = {
    "space": {"learning_rate": {"grid": [1e-4, 2e-4, 4e-4, 8e-4, 1e-3, 2e-3, 1e-2, 3e-2, 0.7]}},
    "scheduler": {"type": "asha", "mode": "promote", "grace_steps": 4},
    "search": {"algorithm": "grid", "seed": 2},  # an order in which some are promoted late
    "resources": {"cpu": os.cpu_count()},  # one at a time: with more, who comes first is chance
}

TRAINER = "tests.sweeper.runtime.ray_tune.driver:NotingTrainer"


def run(space: Path, runs: Path) -> tuple[RunFolder, SweepState, str]:
    console = Console(file=io.StringIO(), width=100)
    options = Options(runs=runs, dashboard=False, trainer=TRAINER)
    assert conclude(console, run_file(space, console, options)) is ExitCode.DONE
    folder = RunFolder(runs / "tiny")
    spec, _ = load_spec(folder.spec)
    assert isinstance(console.file, io.StringIO)
    return folder, replay(spec, folder), console.file.getvalue()


def decided(folder: RunFolder) -> list[tuple[Any, ...]]:
    """Everything that a report, a pause or a promotion says, in order."""
    keep = ("event", "trial", "decision", "rung", "rank", "of", "status")
    return [
        (*(event.get(key) for key in keep), event.get("metrics", {}).get("step"))
        for event in raw_events(folder.journal)
        if event["event"] in {"report", "trial_paused", "promoted", "trial_ended"}
    ]


@pytest.mark.slow
def test_promoted_after_all_it_starts_again_and_nothing_else_changes(
    tmp_path: Path, write_space: Any, cluster: None
) -> None:
    starts = tmp_path / "starts"
    straight = undisturbed(write_space(**SECTIONS), tmp_path / "straight", SeededTrainer)
    largest = max(e["bytes"] for e in raw_events(straight.journal) if e["event"] == "checkpoint")
    budget = 3 * largest + largest // 2
    assert state_of(straight).checkpoints.high_water > budget

    space = write_space(**SECTIONS, checkpoints={"budget": budget})
    folder, state, shown = run(space, tmp_path / "tight")

    assert decided(folder) == decided(straight)
    assert state.checkpoints.high_water <= budget
    assert {path.name for path in folder.trials.iterdir()} == set(state.trials)
    events = list(raw_events(folder.journal))
    stored: dict[str, set[str]] = {}  # the checkpoints of each trial that are there
    again: set[str] = set()  # trials that were promoted after they had lost their last one
    for event in events:
        if event["event"] == "checkpoint_removed":
            stored[event["trial"]].discard(event["checkpoint"])
        elif event["event"] == "checkpoint":
            stored.setdefault(event["trial"], set()).add(event["checkpoint"])
        elif event["event"] == "promoted" and not stored[event["trial"]]:
            again.add(event["trial"])
    assert again
    assert Status.COMPLETED in {state.trials[trial_id].status for trial_id in again}
    begun = [line.split() for line in starts.read_text().splitlines()]
    for trial_id, trial in state.trials.items():
        from_zero = begun.count([str(trial.config.learning_rate), str(trial.config.seed), "0"])
        assert from_zero == (2 if trial_id in again else 1)
        steps = [row.step for row in read_metrics(folder.trial_metrics(trial_id))]
        assert steps == [seen.step for seen in trial.evaluations], "no row twice, none lost"

    rows = pq.read_table(folder.results)
    metadata = rows.schema.metadata
    assert int(metadata[b"checkpoint_high_water_bytes"]) == state.checkpoints.high_water
    assert f"Checkpoints had {size(state.checkpoints.high_water)} at most" in shown
    assert f"(budget {size(budget)})" in shown
    for row in rows.to_pylist():
        completed = row["status"] == "completed"
        assert (row["checkpoint_bytes"] is not None) is completed
        assert len(folder.checkpoint_folders(row["trial_id"])) == (1 if completed else 0)
