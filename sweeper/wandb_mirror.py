"""What Weights & Biases is shown of a sweep: one run a trial, made from the run folder.

A process of its own beside the driver (`python -m sweeper.wandb_mirror FOLDER MODE`, until its
standard input ends): whatever W&B and its servers do, no trial waits for it.
"""

import json
import os
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from sweeper.errors import WandbError
from sweeper.following import Follower
from sweeper.run_folder import RunFolder, write_json
from sweeper.screen import settings
from sweeper.status import Status
from sweeper.sweep import Trial
from trainable.model_size import num_params

PROJECT = "sweeper"  # where WANDB_PROJECT names no other
EVERY_SECONDS = 1.0
FINISH_SECONDS = 4.0  # for what is left when the sweep ends
INIT_SECONDS = 20.0  # for a server to answer
AT_ONCE = 8  # runs that are uploaded together


@dataclass
class Logged:
    """How much of a trial is in its W&B run."""

    step: int = 0
    status: str = Status.RUNNING  # running: the run is open, or its process was killed


class WandbMirror:
    """Brings W&B up to date with a run folder.

    Run ids are stable, so a resumed trial goes on in its run. What of it is there already is known
    from `logged.json`; online, from the server.
    """

    def __init__(self, folder: RunFolder, mode: Literal["offline", "online"]) -> None:
        self.wandb: Any = import_module("wandb")
        self.folder = folder
        self.mode = mode
        self.sweep = Follower(folder)
        self.logged = _read_logged(folder)
        self.problem: str | None = None  # why the newest run could not be opened
        self._runs: dict[str, Any] = {}
        self._saving = threading.Lock()

    def update(self) -> None:
        """Log what is new."""
        self.sweep.catch_up()
        for trial in self.incomplete():
            self._log(trial)

    def close(self) -> None:
        """Log all there is, and finish every run."""
        self.sweep.catch_up()
        self.sweep.state.interrupt()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(self._log, self.incomplete()):
                pass  # raises what was raised

    def incomplete(self) -> list[Trial]:
        """The trials that have begun and are not yet in W&B as they are."""
        begun = (trial for trial in self.sweep.state.trials.values() if trial.attempts)
        return [trial for trial in begun if not self._is_complete(trial)]

    def _is_complete(self, trial: Trial) -> bool:
        logged = self.logged.get(trial.trial_id)
        return (
            logged is not None
            and trial.status is not Status.RUNNING
            and logged.status == trial.status.value
            and logged.step >= trial.step
        )

    def _log(self, trial: Trial) -> None:
        run = self._runs.get(trial.trial_id)
        if run is None and (run := self._open(trial)) is None:
            return
        logged = self.logged[trial.trial_id]
        for row in self.sweep.rows(trial, logged.step):
            measured = {key: value for key, value in row.items() if value is not None}
            run.log(measured, step=row["step"], commit=True)  # else it waits for the next
            logged.step = row["step"]
        if trial.status is not Status.RUNNING:
            self._finish(trial)

    def _open(self, trial: Trial) -> Any:
        """The trial's run; None where the server does not answer: it is tried again."""
        run_id = self._run_id(trial)
        after = self._logged_offline(trial.trial_id, run_id) if self.mode == "offline" else 0
        quiet = {
            "silent": True, "console": "off", "disable_git": True, "disable_code": True,
            "disable_job_creation": True, "init_timeout": INIT_SECONDS,
            # Of this process they tell nothing about the trial, and cost nine tenths of the time.
            "x_disable_stats": True, "x_disable_meta": True, "x_save_requirements": False,
            "x_transaction_log_flush_interval": EVERY_SECONDS,
        }  # fmt: skip
        told = {"trial_id": trial.trial_id, "num_params": num_params(trial.config)}
        try:
            run = self.wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                group=self.folder.name,
                name=f"{trial.trial_id} {settings(trial)}",
                notes=self.sweep.state.spec.description,
                id=run_id,
                resume="allow",
                reinit="create_new",
                mode=self.mode,
                dir=self.folder.path,
                config={**trial.values, **trial.config.to_dict(), **told},
                settings=self.wandb.Settings(**quiet),
            )
        except self.wandb.errors.Error as error:
            self.problem = str(error).splitlines()[0]
            return None
        if run.resumed:
            after = run.starting_step - 1
        self._runs[trial.trial_id] = run
        self.logged[trial.trial_id] = Logged(step=after)
        self._save()
        return run

    def _logged_offline(self, trial_id: str, run_id: str) -> int:
        """The step up to which the trial's offline files hold it.

        A killed process leaves that open: they are then made anew, unless they are on a server.
        """
        logged = self.logged.get(trial_id, Logged())
        parts = offline_parts(self.folder, run_id)
        if logged.status == Status.RUNNING and not any(is_synced(part) for part in parts):
            for part in parts:
                shutil.rmtree(part.parent)
            return 0
        return logged.step

    def _finish(self, trial: Trial) -> None:
        run = self._runs.pop(trial.trial_id)
        run.summary.update(_summary(trial))
        run.finish(exit_code=1 if trial.status is Status.FAILED else 0)
        if self.mode == "online":  # what was logged offline before is there now
            for part in offline_parts(self.folder, self._run_id(trial)):
                _synced_marker(part).touch()
        self.logged[trial.trial_id].status = trial.status.value
        self._save()

    def _run_id(self, trial: Trial) -> str:
        """Unique to this sweep (by the second of its start), the same in every session of it."""
        started = self.sweep.state.sessions[0]["time"]
        stamp = "".join(c for c in started.split(".")[0] if c.isdigit())
        return f"{self.folder.name}-{stamp}-{trial.trial_id}"

    def _save(self) -> None:
        with self._saving:
            logged = {trial_id: asdict(entry) for trial_id, entry in list(self.logged.items())}
            write_json(self.folder.wandb_logged, logged)


def _summary(trial: Trial) -> dict[str, Any]:
    """Beside the last value of every metric, which W&B keeps itself."""
    losses = [report["val_loss"] for report in trial.reports if report["val_loss"] is not None]
    perplexities = [r["val_perplexity"] for r in trial.reports if r["val_perplexity"] is not None]
    summary = {
        "status": trial.status.value,
        "best_val_loss": min(losses, default=None),
        "best_val_perplexity": min(perplexities, default=None),
        "rung": trial.rung,
        "error": trial.error and trial.error.splitlines()[-1],
    }
    return {key: value for key, value in summary.items() if value is not None}


def _read_logged(folder: RunFolder) -> dict[str, Logged]:
    path = folder.wandb_logged
    stored = json.loads(path.read_text()) if path.exists() else {}
    return {trial_id: Logged(**entry) for trial_id, entry in stored.items()}


def offline_parts(folder: RunFolder, run_id: str = "*") -> list[Path]:
    """The files of a run that was logged offline: one for each time that it was opened."""
    return sorted(folder.wandb.glob(f"offline-run-*/run-{run_id}.wandb"))


def is_synced(part: Path) -> bool:
    """Whether it has been uploaded (`wandb sync` leaves a marker)."""
    return _synced_marker(part).exists()


def _synced_marker(part: Path) -> Path:
    return part.with_name(part.name + ".synced")


def main() -> None:
    """Mirror a folder until standard input ends, then finish within `FINISH_SECONDS`."""
    folder = RunFolder(Path(sys.argv[1]))
    ending = threading.Event()

    def wait_for_the_end() -> None:
        os.read(0, 1)  # unbuffered: Python could not exit while a thread holds the buffer
        ending.set()
        threading.Event().wait(FINISH_SECONDS)
        print(f"not all was uploaded within {FINISH_SECONDS:.0f} s", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    with FileLock(folder.wandb_lock):  # that of a driver killed just now may be at its end
        mirror = WandbMirror(folder, "online" if sys.argv[2] == "online" else "offline")
        while not ending.wait(EVERY_SECONDS):
            mirror.update()
        mirror.close()
    if mirror.incomplete():
        raise WandbError(mirror.problem or "the sweep went on meanwhile")


if __name__ == "__main__":
    main()
