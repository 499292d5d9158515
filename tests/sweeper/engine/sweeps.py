"""Sweeps under each scheduler, and what was decided in them."""

import errno
import os
from pathlib import Path
from typing import Any

from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import result_rows
from tests.sweeper.journals import raw_events

GRID = {"learning_rate": {"grid": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 0.7]}}
FORMS = {
    "stop": {"type": "asha", "mode": "stop", "grace_steps": 4},
    "promote": {"type": "asha", "mode": "promote", "grace_steps": 4},
    "tokens": {
        "type": "asha",
        "mode": "promote",
        "clock": "tokens",
        "grace_tokens": 4 * 64,
        "brackets": 2,
    },
    # Brackets of 4 and of 3 trials; the second gets 2.
    "hyperband": {"type": "hyperband", "grace_steps": 4, "reduction_factor": 2},
    "median": {"type": "median", "grace_steps": 4, "min_trials": 1},
}
PBT = {
    "scheduler": {"type": "pbt", "interval_steps": 4},
    "space": {"learning_rate": {"grid": [1e-4, 1e-3, 5e-3, 0.7]}},
    # More checkpoints than rungs: of those in between others must not take over.
    "train": {"checkpoint_every_steps": 2},
}


def new_folder(tmp_path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def decisions(folder: RunFolder) -> list[tuple[Any, ...]]:
    """All evaluations and what was decided, in order."""
    return [
        (e["trial"], e["metrics"]["step"], e["metrics"]["val_loss"], e["decision"], e["rank"])
        for e in raw_events(folder.journal)
        if e["event"] == "report"
    ]


def table(folder: RunFolder, sweep: Sweep) -> list[dict[str, Any]]:
    rows = result_rows(sweep.state, folder)
    return [{k: v for k, v in row.items() if k != "checkpoint"} for row in rows]


def full(*args: object, **named: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
