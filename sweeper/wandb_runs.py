"""Weights & Biases: one run a trial, the sweep as their group, all from the driver's process.

Tune's own callback starts two processes a trial and doubles what a resumed trial repeats.
"""

from importlib import import_module
from typing import Any, Literal

from sweeper.errors import WandbError
from sweeper.run_folder import RunFolder
from sweeper.screen import settings
from sweeper.status import Status
from sweeper.sweep import Metrics, Sweep, SweepState, Trial
from sweeper.watchers import read_metrics

PROJECT = "sweeper"


def require_login(mode: Literal["offline", "online"]) -> None:
    """Refuse `online` without a key before anything starts; never asks for one.

    Raises:
        WandbError: there is no key.
    """
    wandb: Any = import_module("wandb")  # a second to import, and seldom wanted
    if mode == "online" and not wandb.login(prompt=False):
        raise WandbError(
            "--wandb online: no API key; run `wandb login`, set WANDB_API_KEY, "
            "or log to files with --wandb offline"
        )


class WandbRuns:
    """Logs a running sweep (a `Watcher`). Run ids are stable, so a resumed trial goes on in its
    run; what it repeats is left out."""

    def __init__(self, sweep: Sweep, mode: Literal["offline", "online"]) -> None:
        self.wandb: Any = import_module("wandb")
        self.folder = sweep.folder
        self.mode = mode
        self.state = sweep.state
        self._runs: dict[str, Any] = {}
        self._last_step: dict[str, int] = {}

    def started(self, trial: Trial) -> None:
        if trial.trial_id in self._runs:
            return  # a retry
        rows = read_metrics(self.folder.trial_metrics(trial.trial_id))
        self._last_step[trial.trial_id] = rows[-1]["step"] if rows else 0
        self._runs[trial.trial_id] = self.wandb.init(
            project=PROJECT,
            group=self.folder.name,
            name=f"{trial.trial_id} {settings(trial)}",
            id=_run_id(self.state, self.folder, trial),
            resume="allow",
            reinit="create_new",
            mode=self.mode,
            dir=self.folder.path,
            config={**trial.config.to_dict(), "trial_id": trial.trial_id},
            settings=self.wandb.Settings(silent=True, console="off", disable_git=True),
        )

    def reported(self, trial: Trial, reports: list[Metrics]) -> None:
        run = self._runs[trial.trial_id]
        for report in reports:
            if report["step"] > self._last_step[trial.trial_id]:
                run.log({k: v for k, v in report.items() if v is not None}, step=report["step"])
                self._last_step[trial.trial_id] = report["step"]

    def ended(self, trial: Trial) -> None:
        self._finish(trial)

    def refresh(self, sweep: Sweep) -> None: ...

    def close(self, sweep: Sweep) -> None:
        for trial_id in list(self._runs):
            self._finish(sweep.trials[trial_id])

    def _finish(self, trial: Trial) -> None:
        run = self._runs.pop(trial.trial_id, None)
        if run is not None:
            run.summary["status"] = trial.status.value
            run.finish(exit_code=1 if trial.status is Status.FAILED else 0)


def _run_id(state: SweepState, folder: RunFolder, trial: Trial) -> str:
    """Unique to this sweep (by the second of its start), the same in every session of it."""
    started = state.sessions[0]["time"]
    stamp = "".join(c for c in started.split(".")[0] if c.isdigit())
    return f"{folder.name}-{stamp}-{trial.trial_id}"
