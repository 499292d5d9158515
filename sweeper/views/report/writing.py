"""Writes the report of a run folder: report.html, and a PNG of each plot."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sweeper.analysis.reading.loading import load, of_state
from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.remarks.remark import Offer
from sweeper.analysis.summary.summarising import Summary, summarise
from sweeper.errors import RunFolderError
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.views.format import duration
from sweeper.views.next_steps import (
    GO_ON_COST,
    export_command,
    fresh_command,
    settings_command,
    train_command,
)
from sweeper.views.report.page import make_page, render
from trainable.atomic_file import write_atomically
from trainable.config import TrainConfig


@dataclass(frozen=True)
class Report:
    """The files that were written."""

    path: Path
    pictures: tuple[Path, ...]


def write_report(
    folder: RunFolder, out: Path | None = None, state: SweepState | None = None
) -> Report:
    """Write the report of a sweep, whether it has ended or not.

    Args:
        out: The folder to write to, made if missing. [the run folder]
        state: That at the end of a session. None: what the folder says.

    Raises:
        RunFolderError: there is no sweep, or the report cannot be written.
    """
    from sweeper.views.report.pictures import write_pictures  # matplotlib takes a second

    summary = _summary(load(folder) if state is None else of_state(state, folder))
    page = _page(summary)
    target = folder if out is None else RunFolder(out)
    try:
        target.path.mkdir(parents=True, exist_ok=True)
        write_atomically(target.report, lambda file: file.write(page))
        pictures = write_pictures(summary, target.plots)
    except OSError as error:
        raise RunFolderError(
            f"{target.path}: the report cannot be written there ({error.strerror}); "
            f"write it elsewhere with: python -m sweeper report {folder.called} --out FOLDER"
        ) from error
    return Report(target.report, pictures)


def report_page(folder: RunFolder) -> bytes:
    """The report of a sweep as it stands, as `write_report` writes it.

    Raises:
        RunFolderError: there is no sweep.
    """
    return _page(_summary(load(folder)))


def _summary(sweep: SweepData) -> Summary:
    """The page is opened from anywhere: paths in it are whole."""
    return summarise(replace(sweep, folder=str(Path(sweep.folder).resolve())))


def _page(summary: Summary) -> bytes:
    """In a path, what is not UTF-8 is escaped."""
    there = RunFolder(Path(summary.sweep.folder))
    page = make_page(summary, _meta_line(summary.sweep), _commands(summary, there))
    return render(page).encode("utf-8", "backslashreplace")


def _meta_line(sweep: SweepData) -> str:
    """`8 trials · finished · 25 Nov 2026 · 1m14s · as of 25 Nov 2026 14:03`."""
    number = len(sweep.trials)
    planned = sweep.num_planned or number
    trials = f"{number:,} of {planned:,} trials" if number < planned else f"{number:,} trials"
    parts = [trials if number != 1 or planned != 1 else "1 trial", sweep.state]
    if sweep.sessions:
        first = sweep.sessions[0].started
        parts.append(f"{first.day} {first:%b %Y}")
        parts.append(duration(_seconds_at_work(sweep)))
    now = datetime.now().astimezone()
    return " · ".join([*parts, f"as of {now.day} {now:%b %Y %H:%M:%S}"])


def _seconds_at_work(sweep: SweepData) -> float:
    spans = [session.ended - session.started for session in sweep.sessions if session.ended]
    return sum(span.total_seconds() for span in spans)


def _commands(summary: Summary, folder: RunFolder) -> tuple[Offer, ...]:
    if summary.winner is None:
        return ()
    trial = summary.winner.trial
    if trial.max_steps is None:
        return ()
    if summary.sweep.spec is not None and not summary.sweep.spec.is_ours:
        purpose = "Its settings, as a file to run with others"
        return (Offer(purpose=purpose, command=settings_command(folder)),)
    commands = []
    if trial.config.keys() >= TrainConfig.__dataclass_fields__.keys():  # an old table may lack some
        fresh = fresh_command(folder, trial.trial_id, trial.config, trial.max_steps)
        purpose = "Train for longer with its settings (--max_steps is free)"
        commands.append(Offer(purpose=purpose, command=fresh))
    checkpoint = Path(trial.checkpoint).name if trial.checkpoint else None
    train = train_command(folder, trial.trial_id, checkpoint, trial.max_steps)
    if train is None:
        return tuple(commands)
    export = export_command(folder, trial.trial_id)
    return (
        *commands,
        Offer(purpose=f"Or train it further ({GO_ON_COST})", command=train),
        Offer(purpose="Export it for Hugging Face", command=export),
    )
