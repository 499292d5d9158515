"""What scripts are told of a sweep: the `--json` of the commands. What was not measured is null."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweeper.analysis.monitor import Look
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.record.state.sweep_state import SweepState, Trial
from sweeper.record.tables import objective, ranked, runner_up
from sweeper.spec.train_settings import OWNED
from sweeper.status import Status
from sweeper.views.next_steps import train_command
from trainable.errors import UserError

Facts = dict[str, Any]
MEASURED = (
    "val_loss",
    "val_perplexity",
    "val_bits_per_byte",
    "train_loss",
    "tokens",
    "tokens_per_second",
    "train_seconds",
)


def sweep_facts(look: Look) -> Facts:
    """A sweep: its state, how many trials are where, its best, how long it has to go."""
    state, left, best = look.state, look.time_left(), look.best
    counts = {status.value: len(state.with_status(status)) for status in Status}
    return {
        "name": look.folder.name,
        "path": str(look.folder.path),
        "state": look.state_name,
        "description": state.spec.description,
        "started": state.sessions[0]["time"] if state.sessions else None,
        "objective": state.spec.objective.model_dump(),
        "trials": {"total": look.num_trials, "ended": look.num_ended, **counts},
        "seconds_left": None if left is None else asdict(left),
        "best": None if best is None else trial_facts(state, best, look.folder),
    }


def unreadable_facts(folder: RunFolder, error: UserError) -> Facts:
    """A sweep that cannot be read, and why."""
    return {
        "name": folder.name,
        "path": str(folder.path),
        "state": "unreadable",
        "error": str(error),
    }


def status_facts(look: Look) -> Facts:
    """A sweep with all its trials, best first."""
    trials = [trial_facts(look.state, trial, look.folder) for trial in ranked(look.state)]
    return {**sweep_facts(look), "ranking": trials}


def trial_facts(state: SweepState, trial: Trial, folder: RunFolder) -> Facts:
    """A trial: its swept values, where it stands, its last evaluation."""
    last = trial.last_report or {}
    newest = trial.progress or last
    return {
        "trial_id": trial.trial_id,
        "status": trial.status.value,
        "values": trial.values,
        "objective": objective(state, trial),
        "step": newest.get("step", 0),
        "max_steps": trial.config.max_steps,
        "rung": trial.rung,
        "attempts": trial.attempts,
        **{name: last.get(name) for name in MEASURED},
        "checkpoint": _text(checkpoint_file(folder, trial)),
        "error": trial.error,
    }


def whole_trial_facts(look: Look, trial: Trial) -> Facts:
    """A trial with its config and every evaluation."""
    return {
        **trial_facts(look.state, trial, look.folder),
        "config": trial.config.to_dict(),
        "evaluations": trial.reports,
    }


def best_facts(look: Look, best: Trial) -> Facts:
    """The winner, by how much it is ahead, and the command that trains it further."""
    second = runner_up(look.state, best)
    command = None
    if best.checkpoint is not None and checkpoint_file(look.folder, best) is not None:
        max_steps = best.config.max_steps
        command = train_command(look.folder, best.trial_id, best.checkpoint, max_steps)
    return {
        "sweep": look.folder.name,
        **trial_facts(look.state, best, look.folder),
        "config": best.config.to_dict(),
        "runner_up": None
        if second is None
        else {
            "trial_id": second.trial.trial_id,
            "values": second.trial.values,
            "step": second.step,
            "margin": second.margin,
        },
        "command": command,
    }


def as_sections(state: SweepState, trial: Trial) -> Facts:
    """A trial as `data:` and `train:` of a search-space file."""
    settings = {k: v for k, v in trial.config.to_dict().items() if k not in OWNED}
    return {"data": state.spec.data, "train": settings}


def checkpoint_file(folder: RunFolder, trial: Trial) -> Path | None:
    """The newest checkpoint of a trial, if it is still there."""
    if trial.checkpoint is None:
        return None
    path = folder.trial(trial.trial_id) / trial.checkpoint / CHECKPOINT_FILE
    return path if path.is_file() else None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
