"""Shows a sweep in Weights & Biases, from its run folder: each trial is a run.

It is a process of its own beside the driver and lives until its standard input ends
(`python -m sweeper.views.trackers.wandb_mirror FOLDER MODE`): whatever W&B and its servers do, no
trial waits for it.
"""

import os
import shutil
import sys
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from sweeper.errors import WandbError
from sweeper.record.follower import Follower
from sweeper.record.run_folder import RunFolder, write_json
from sweeper.record.state.trial import Trial
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point, point_text
from sweeper.spec.trainer.config import num_params
from sweeper.status import Status
from sweeper.typed_json import read_json
from sweeper.views.format import headline
from trainable.errors import UserError

Mode = Literal["offline", "online"]

PROJECT = "sweeper"  # where WANDB_PROJECT names no other
EVERY_SECONDS = 1.0
FINISH_SECONDS = {"offline": 30.0, "online": 5.0}  # at most, for what is left at the sweep's end
INIT_SECONDS = 20.0  # for a server to answer
AT_ONCE = 8  # runs that are opened, or finished, together
NOTHING_NEW = "nothing new"  # what `sync` says last where all was there
BATCH = 64  # runs between two notes of what is logged


@dataclass
class Logged:
    """How much of a trial is in its W&B run."""

    step: int = 0
    status: str = Status.RUNNING  # running: the run is open, or its process was killed


class WandbMirror:
    """Keeps W&B up to date with a run folder.

    Run ids are stable, so a resumed trial goes on in its run. How much of it is there already,
    `logged.json` says; online, the server does.
    """

    def __init__(self, folder: RunFolder, mode: Mode) -> None:
        self.wandb = import_module("wandb")
        self.folder = folder
        self.mode = mode
        self.sweep = Follower(folder)
        self.logged = _read_logged(folder)
        self.opened = 0  # runs
        self.problem: str | None = None  # why the newest run could not be opened
        self._runs: dict[str, Any] = {}
        self._values: dict[str, Point] = {}  # that each run has been told
        self._offline_before: dict[str, list[Path]] = defaultdict(list)  # by run id
        for part in offline_parts(folder):
            self._offline_before[part.stem.removeprefix("run-")].append(part)
        self._changed = False

    def update(self, *, last: bool = False) -> None:
        """Log what is new. `last`: trials that still run count as interrupted."""
        self.sweep.catch_up()
        if last:
            self.sweep.state.interrupt()
        trials = self.incomplete()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for start in range(0, len(trials), BATCH):
                opened = list(pool.map(self._opened, trials[start : start + BATCH]))
                self._save()  # a kill from here on makes these runs anew
                list(pool.map(self._log, [trial for trial in opened if trial is not None]))
                self._save()

    def incomplete(self) -> list[Trial]:
        """The trials that have begun and are not in W&B as they are now."""
        trials, started = self.sweep.state.trials.values(), self.sweep.started
        begun = (trial for trial in trials if trial.trial_id in started)
        return [trial for trial in begun if not self._is_complete(trial)]

    def _is_complete(self, trial: Trial) -> bool:
        logged = self.logged.get(trial.trial_id)
        return (
            logged is not None
            and trial.status is not Status.RUNNING
            and logged.status == trial.status.value
            and logged.step >= trial.step
        )

    def _opened(self, trial: Trial) -> Trial | None:
        """The trial, with its run open; None if the server does not answer, to be tried again."""
        if trial.trial_id not in self._runs:
            try:
                self._open(trial)
            except self.wandb.errors.Error as error:
                self.problem = str(error).splitlines()[0]
                return None
        return trial

    def _log(self, trial: Trial) -> None:
        run, logged = self._runs[trial.trial_id], self.logged[trial.trial_id]
        if trial.values != self._values[trial.trial_id]:  # it has taken over from another
            run.config.update(_config(trial), allow_val_change=True)
            run.name = _run_name(trial)
            self._values[trial.trial_id] = dict(trial.values)
        for row in self.sweep.rows(trial, logged.step):
            run.log(row.measured(), step=row.step, commit=True)  # else it waits for the next
            logged.step = row.step
        if trial.status is not Status.RUNNING:
            self._finish(trial)

    def _open(self, trial: Trial) -> None:
        run_id = self._run_id(trial)
        after = self._logged_offline(trial.trial_id, run_id) if self.mode == "offline" else 0
        quiet = {
            "silent": True, "console": "off", "disable_git": True, "disable_code": True,
            "disable_job_creation": True, "init_timeout": INIT_SECONDS,
            # Of this process they tell nothing about the trial, and cost nine tenths of the time.
            "x_disable_stats": True, "x_disable_meta": True, "x_save_requirements": False,
            "x_transaction_log_flush_interval": EVERY_SECONDS,
        }  # fmt: skip
        run = self.wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            group=self.folder.name,
            name=_run_name(trial),
            notes=self.sweep.state.spec.description,
            id=run_id,
            resume="allow",
            reinit="create_new",
            mode=self.mode,
            dir=self.folder.path,
            config=_config(trial),
            settings=self.wandb.Settings(**quiet),
        )
        if run.resumed:
            after = run.starting_step - 1
            run.config.update(_config(trial), allow_val_change=True)
        self.opened += 1
        self._runs[trial.trial_id] = run
        self._values[trial.trial_id] = dict(trial.values)
        self.logged[trial.trial_id] = Logged(step=after)
        self._changed = True

    def _logged_offline(self, trial_id: str, run_id: str) -> int:
        """The step up to which the trial's offline files hold it.

        After the process was killed nobody knows: then they are made anew, unless they have been
        uploaded.
        """
        logged = self.logged.get(trial_id, Logged())
        parts = self._offline_before[run_id]
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
            for part in self._offline_before[self._run_id(trial)]:
                _synced_marker(part).touch()
        self.logged[trial.trial_id].status = trial.status.value
        self._changed = True

    def _run_id(self, trial: Trial) -> str:
        """An id that no other sweep has (by the second of its start), the same in every session."""
        stamp = f"{self.sweep.state.sessions[0].started:%Y%m%d%H%M%S}"
        return f"{self.folder.name}-{stamp}-{trial.trial_id}"

    def _save(self) -> None:
        if self._changed:
            logged = {trial_id: asdict(entry) for trial_id, entry in self.logged.items()}
            write_json(self.folder.wandb_logged, logged)
            self._changed = False


def _run_name(trial: Trial) -> str:
    return f"{trial.trial_id} {point_text(trial.values)}"


def _config(trial: Trial) -> dict[str, Scalar]:
    told: dict[str, Scalar] = {"trial_id": trial.trial_id, "num_params": num_params(trial.config)}
    return {**trial.values, **trial.config.to_dict(), **told}


def _summary(trial: Trial) -> dict[str, object]:
    """The summary of a run. The last value of every metric, W&B adds itself."""
    seen = trial.evaluations
    losses = [m.val_loss for m in seen if m.val_loss is not None]
    perplexities = [m.val_perplexity for m in seen if m.val_perplexity is not None]
    summary = {
        "status": trial.status.value,
        "taken_from": trial.taken_from,
        "best_val_loss": min(losses, default=None),
        "best_val_perplexity": min(perplexities, default=None),
        "rung": trial.rung,
        "error": trial.error and headline(trial.error),
    }
    return {key: value for key, value in summary.items() if value is not None}


def _read_logged(folder: RunFolder) -> dict[str, Logged]:
    """
    Raises:
        WandbError: the file is there, and says nothing of the kind.
    """
    path = folder.wandb_logged
    try:
        return read_json(dict[str, Logged], path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        problem = f"damaged ({error}); remove it, and what it knew of is logged again"
        raise WandbError(f"{path}: {problem}") from None


def offline_parts(folder: RunFolder, run_id: str = "*") -> list[Path]:
    """The files of a run that was logged offline: one for each time that it was opened."""
    return sorted(folder.wandb.glob(f"offline-run-*/run-{run_id}.wandb"))


def is_synced(part: Path) -> bool:
    """Whether it has been uploaded (`wandb sync` leaves a marker)."""
    return _synced_marker(part).exists()


def _synced_marker(part: Path) -> Path:
    return part.with_name(part.name + ".synced")


def main() -> None:
    """Mirror a folder until standard input ends, and then finish within seconds. Or `sync` it:
    upload all that is missing, however long it takes, and say whether there was anything."""
    folder = RunFolder(Path(sys.argv[1]))
    try:
        _mirror(folder, sys.argv[2])
    except UserError as error:
        sys.exit(str(error))


def _mirror(folder: RunFolder, how: str) -> None:
    if how == "sync":
        mirror = WandbMirror(folder, "online")
        mirror.update(last=True)
        _require_complete(mirror)
        print("uploaded" if mirror.opened else NOTHING_NEW, flush=True)
        os._exit(0)  # every run is finished: nothing is left to wait for
    _follow(folder, "online" if how == "online" else "offline")


def _follow(folder: RunFolder, mode: Mode) -> None:
    ending = threading.Event()

    def wait_for_the_end() -> None:
        os.read(0, 1)  # unbuffered: Python could not exit while a thread holds the buffer
        ending.set()
        threading.Event().wait(FINISH_SECONDS[mode])
        print(f"not done after {FINISH_SECONDS[mode]:.0f} s", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    with FileLock(folder.wandb_lock):  # that of a driver killed just now may be at its end
        mirror = WandbMirror(folder, mode)
        while not ending.wait(EVERY_SECONDS):
            mirror.update()
        mirror.update(last=True)
        mirror.wandb.teardown()  # until then, not all need be in the files
    _require_complete(mirror)


def _require_complete(mirror: WandbMirror) -> None:
    if mirror.incomplete():
        print(mirror.problem or "the sweep went on meanwhile", file=sys.stderr, flush=True)
        os._exit(1)


if __name__ == "__main__":
    main()
