"""Sweeps of closed-form trials in this process, and what can go wrong with them."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from sweeper.engine.audience import Audience
from sweeper.engine.session.terms import SessionTerms
from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan
from sweeper.record.journal import Journal
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder, create_run_folder
from sweeper.record.state.events import Event
from sweeper.record.state.trial import Trial
from sweeper.record.state.warm_start import WarmStart
from sweeper.runtime.in_process import InProcess
from tests.sweeper.closed_form import ClosedFormTrainer, PathTrainer


class Killed(BaseException):
    """The process is gone: nothing may catch this."""


class Mortal:
    """Kills the process before or after its n-th event reaches the journal, which the kernel closes
    then."""

    def __init__(self, monkeypatch: Any, at: int, *, before: bool) -> None:
        append = Journal.append
        count = 0

        def counted(journal: Journal, event: Event) -> None:
            nonlocal count
            count += 1
            if count != at or not before:
                append(journal, event)
            if count == at:
                journal._file.close()
                raise Killed

        monkeypatch.setattr(Journal, "append", counted)


def killed_at_each_event(
    root: Path, plan: Plan, run: Callable[[RunFolder], object], *, before: bool
) -> list[RunFolder]:
    """What a kill leaves on disk, before or after each event of an undisturbed sweep reaches the
    journal: copies of its run folder, in order. What is being deleted in the background is not in
    them."""
    whole = create_run_folder(root / "undisturbed", plan.spec, None, "space.yaml")
    aside = shutil.ignore_patterns(whole.removed.name)
    append = Journal.append
    left: list[RunFolder] = []

    def copy() -> None:
        left.append(RunFolder(root / f"killed{len(left) + 1}" / whole.name))
        shutil.copytree(whole.path, left[-1].path, ignore=aside)

    def copied(journal: Journal, event: Event) -> None:
        if before:
            copy()
        append(journal, event)
        if not before:
            copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "append", copied)
        run(whole)
    return left


Fault = Literal["fails", "is lost", "ends", None]


def never(trial: Trial, step: int) -> Fault:
    return None


def drive(
    folder: RunFolder,
    plan: Plan,
    session: SessionTerms | None = None,
    warm_start: WarmStart | None = None,
    *,
    fault: Callable[[Trial, int], Fault] = never,
) -> Sweep:
    """Run all that is left, one trial at a time; an attempt ends where `fault` says so."""
    with opened(folder, plan, session, warm_start) as sweep:
        Faulty(sweep, fault).run()
        sweep.close("finished")
    return sweep


@contextmanager
def opened(
    folder: RunFolder,
    plan: Plan,
    session: SessionTerms | None = None,
    warm_start: WarmStart | None = None,
) -> Iterator[Sweep]:
    """A sweep whose session just ends where the block does, as after a kill."""
    sweep = Sweep.open(folder, plan, session, warm_start)
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
    """One attempt at a trial; `fail_at`: the step at which it fails for good."""
    if fail_at is not None:
        Faulty(sweep, lambda _, step: "ends" if step == fail_at else None).run_trial(trial)
    else:
        Faulty(sweep, fault).run_trial(trial)


class Failed(Exception):
    """An attempt goes wrong; its argument says how."""


class Faulty(InProcess):
    """The closed-form loop, which goes wrong at the steps that `fault` names."""

    def __init__(self, sweep: Sweep, fault: Callable[[Trial, int], Fault] = never) -> None:
        pbt = sweep.plan.spec.scheduler.type == "pbt"
        super().__init__(sweep, Audience(sweep, []), PathTrainer if pbt else ClosedFormTrainer)
        self.fault = fault

    def run_trial(self, trial: Trial) -> None:
        sound = self.trainer

        class Trainer(sound):  # type: ignore[misc, valid-type]
            def take_step(trainer) -> None:
                super().take_step()
                if (what := self.fault(trial, trainer.step)) is not None:
                    raise Failed(what)

        self.trainer = Trainer
        super().run_trial(trial)
        self.trainer = sound

    def _failed(self, trial: Trial, error: Exception) -> None:
        if not isinstance(error, Failed):
            raise error
        (what,) = error.args
        if what == "ends":
            self.sweep.end(trial.trial_id, error="out of luck")
        else:
            self.sweep.attempt_failed(trial.trial_id, f"it {what}", counted=what == "fails")


def save(trainer: ClosedFormTrainer, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    trainer.save(folder / CHECKPOINT_FILE)
