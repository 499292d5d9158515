"""Weights & Biases: one W&B run for each of our runs, however often it is resumed."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from trainable.atomic_file import write_atomically
from trainable.command_line.options import ProgramOptions
from trainable.command_line.output_folder import OutputFolder
from trainable.config import TrainConfig
from trainable.errors import UserError
from trainable.loop.metrics import Metrics
from trainable.model.model_size import num_params


class WandbLogError(UserError):
    """Weights & Biases cannot be used as asked."""


class WandbLog:
    """Logs metrics to the run whose id the output folder holds, or to a new one.

    Those of a step logged before (a run resumed from an older checkpoint repeats some) are left
    out: theirs only grows, and ours repeats to the same numbers.

    Raises:
        WandbLogError: no login and no offline mode, or no connection.
    """

    def __init__(
        self, folder: OutputFolder, config: TrainConfig, options: ProgramOptions, *, resumed: bool
    ) -> None:
        wandb: Any = import_module("wandb")  # seconds to import, and seldom wanted
        self._file = folder.wandb_file
        known = _remembered(self._file) if resumed and self._file.exists() else {}
        self._project: str = known.get("project", options.wandb_project)
        self._last_step: int = known.get("last_step", 0)
        try:
            self._run = wandb.init(
                project=self._project,
                name=options.wandb_run_name,
                config={**config.to_dict(), "num_params": num_params(config)},
                dir=folder.root,
                id=known.get("run_id"),
                resume="allow" if known else None,
            )
        except wandb.errors.Error as error:
            raise WandbLogError(
                f"Weights & Biases: {error}; `wandb login`, or WANDB_MODE=offline to log to files"
            ) from error
        self._remember()

    def log(self, metrics: Metrics) -> None:
        if metrics.step <= self._last_step:
            return
        self._run.log(metrics.measured(), step=metrics.step)
        self._last_step = metrics.step
        self._remember()

    def finish(self, exit_code: int) -> None:
        self._run.finish(exit_code=exit_code)

    def _remember(self) -> None:
        remembered = {
            "run_id": self._run.id,
            "project": self._project,
            "last_step": self._last_step,
        }
        text = json.dumps(remembered)
        write_atomically(self._file, lambda file: file.write(text.encode()))


def _remembered(file: Path) -> dict[str, Any]:
    """What an earlier session of the run has written of it."""
    kinds = {"run_id": str, "project": str, "last_step": int}
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        known = None
    if not isinstance(known, dict) or any(type(known.get(key)) is not kinds[key] for key in kinds):
        raise WandbLogError(f"{file}: damaged; remove it, and the run is logged as a new one")
    return known
