"""`export NAME [ID] OUT`: a trial's model as a Hugging Face folder, written whole or not at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from sweeper.analysis.monitor import Monitor
from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.in_bucket import fetch
from sweeper.errors import RunFolderError
from sweeper.record.buckets.addresses import is_address
from sweeper.record.ranking import ranked, ranking_of
from sweeper.record.state.trial import Trial
from sweeper.views.json_output import checkpoint_file
from sweeper.views.verdict import why_none
from trainable.atomic_file import new_folder_beside

SHOWN_TRIALS = 10


class ExportError(RunFolderError):
    """A model cannot be exported, or not to this folder."""


def export_trial(monitor: Monitor, trial_id: str | None, out: Path) -> tuple[Trial, str]:
    """Write the model of a trial, or of the winner, to a new folder. Returns what the trainable's
    own exporter says (`python -m trainable.export`, a process of its own since it needs torch).

    Raises:
        RunFolderError: no such trial; no winner yet.
        ExportError: its checkpoint is gone or damaged; `out` has files in it, or cannot be made.
    """
    if not monitor.state.spec.is_ours:
        raise ExportError(
            f"{monitor.folder.path}: only models of our own trainer are exported; the checkpoints "
            f"of yours are in {monitor.folder.trials}/"
        )
    trial = _chosen(monitor, trial_id)
    if trial.checkpoint is not None:
        monitor.folder.fetch_checkpoint(trial.trial_id, trial.checkpoint)
    checkpoint = checkpoint_file(monitor.folder, trial)
    if checkpoint is None:
        raise ExportError(
            f"{monitor.folder.path}: trial {trial.trial_id} ({trial.status}) has no checkpoint; "
            + (f"it is {trial.taken_from}; " if trial.taken_from else "")
            + _trials_with_one(monitor)
        )
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ExportError(f"{out}: is there already; name a new folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = new_folder_beside(out)
    except OSError as error:
        raise ExportError(f"{out}: cannot be made: {error.strerror}") from None
    try:
        said = _run_exporter(checkpoint, staging, _tokenizer_in_bucket(monitor.state.spec.data))
        os.rename(staging, out)  # over an empty folder too
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return trial, said.replace(str(staging), str(out))


def _chosen(monitor: Monitor, trial_id: str | None) -> Trial:
    if trial_id is not None:
        return monitor.trial(trial_id)
    if monitor.best is None:
        raise RunFolderError(
            f"{monitor.folder.path}: {why_none(ranking_of(monitor.state))}, so there is no best; "
            "name one: "
            f"python -m sweeper export {monitor.folder.called} ID OUT ({_trials_with_one(monitor)})"
        )
    return monitor.best


def _trials_with_one(monitor: Monitor) -> str:
    there = [
        t.trial_id for t in ranked(monitor.state) if checkpoint_file(monitor.folder, t) is not None
    ]
    if not there:
        return "no trial has one"
    more = len(there) - SHOWN_TRIALS
    return f"these have one, best first: {', '.join(there[:SHOWN_TRIALS])}" + (
        f" and {more} more" if more > 0 else ""
    )


def _tokenizer_in_bucket(data: str | None) -> Path | None:
    """Beside data in a bucket; the checkpoint knows only where the trial's machine had them."""
    if data is None or not is_address(data):
        return None
    folder = CorpusFolder(fetch(data, only={CorpusFolder.NAMES[2]}))
    return folder.tokenizer if folder.tokenizer.is_file() else None


def _run_exporter(checkpoint: Path, folder: Path, tokenizer: Path | None) -> str:
    stated = [] if tokenizer is None else [f"--tokenizer={tokenizer}"]
    done = subprocess.run(
        [sys.executable, "-m", "trainable.export", str(checkpoint), str(folder), *stated],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        problem = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ExportError(problem.removeprefix("error: "))
    return done.stdout.strip()
