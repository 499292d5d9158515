"""Drives a `Sweep` without Ray: one trial after another, checkpoints as files in the run folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sweeper.engine.session.session import Session
from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan
from sweeper.record.journal import Journal
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.record.state.sweep_state import Trial
from sweeper.record.state.warm_start import WarmStart
from sweeper.status import Decision
from tests.sweeper.closed_form import ClosedFormTrainer, PathTrainer


class Killed(BaseException):
    """The process is gone: nothing may catch this."""


class Mortal:
    """Kills the process before or after its n-th event reaches the journal."""

    def __init__(self, monkeypatch: Any, at: int, *, before: bool) -> None:
        append = Journal.append
        count = 0

        def counted(journal: Journal, event: str, **fields: Any) -> Any:
            nonlocal count
            count += 1
            if count == at and before:
                raise Killed
            record = append(journal, event, **fields)
            if count == at:
                raise Killed
            return record

        monkeypatch.setattr(Journal, "append", counted)


Fault = Literal["fails", "is lost", None]


def never(trial: Trial, step: int) -> Fault:
    return None


def drive(
    folder: RunFolder,
    plan: Plan,
    session: Session | None = None,
    warm_start: WarmStart | None = None,
    *,
    fault: Callable[[Trial, int], Fault] = never,
) -> Sweep:
    """Run all that is left, one trial at a time; an attempt ends where `fault` says so."""
    with opened(folder, plan, session, warm_start) as sweep:
        while (trial := sweep.next_trial()) is not None:
            run_trial(sweep, trial, fault=fault)
        assert sweep.is_over
        sweep.close("finished")
    return sweep


@contextmanager
def opened(
    folder: RunFolder,
    plan: Plan,
    session: Session | None = None,
    warm_start: WarmStart | None = None,
) -> Iterator[Sweep]:
    """A sweep whose session just ends where the block does, as after a kill."""
    sweep = Sweep(folder, plan, session, warm_start)
    try:
        yield sweep
    finally:
        sweep.journal.close()


def run_trial(
    sweep: Sweep,
    trial: Trial,
    fail_at: int | None = None,
    fault: Callable[[Trial, int], Fault] = never,
) -> None:
    folders = sweep.folder.checkpoint_folders(trial.trial_id)
    resume_from = folders[0] / CHECKPOINT_FILE if folders else None
    kind = PathTrainer if sweep.plan.spec.scheduler.type == "pbt" else ClosedFormTrainer
    trainer = kind(trial.config, resume_from=resume_from, num_threads=None)
    sweep.start(trial.trial_id)
    last = sweep.state.checkpoints.last_name.get(trial.trial_id)
    number = 0 if last is None else int(last.split("_")[1]) + 1
    for metrics in trainer.train():
        if trainer.step == fail_at:
            sweep.end(trial.trial_id, error="out of luck")
            return
        if (what := fault(trial, trainer.step)) is not None:
            sweep.attempt_failed(trial.trial_id, f"it {what}", counted=what == "fails")
            return
        decision = Decision.CONTINUE
        if metrics is not None:
            decision = sweep.evaluated(trial.trial_id, metrics)
        if trainer.step % trial.config.checkpoint_every_steps == 0:
            name = f"checkpoint_{number:06d}"
            save(trainer, sweep.folder.trial(trial.trial_id) / name)
            sweep.checkpointed(trial.trial_id, name, trainer.step)
            number += 1
        if decision is not Decision.CONTINUE:
            break
    sweep.release(trial.trial_id)


def save(trainer: ClosedFormTrainer, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    trainer.save(folder / CHECKPOINT_FILE)
