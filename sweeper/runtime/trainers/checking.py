"""What a training program can do in a sweep, found out by running it briefly: with kills, and in
two parts."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sweeper.errors import TrainerError
from sweeper.record.run_folder import CHECKPOINT_FILE
from sweeper.runtime.trainers.command_trainer import CommandTrainer
from sweeper.runtime.trainers.job import Job
from sweeper.runtime.trainers.place import is_renamed
from sweeper.runtime.trainers.saved import sizes
from trainable.errors import CheckpointError

EVALUATIONS = 3  # of a run
LEVELS = (
    "metrics only: whole runs, and stopping",
    "checkpoints: pauses, promotions, resuming after a kill",
    "exact: a trial that has paused ends as if it never had",
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was looked at, and what is so. `missing`: what would make it good; None where it is."""

    what: str
    found: str
    missing: str | None = None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Of a program. `level`: the index into LEVELS that it has reached; None: not even metrics."""

    found: tuple[Finding, ...]
    level: int | None

    @property
    def missing(self) -> str | None:
        """What is missing for the next level."""
        return next((f.missing for f in self.found if f.missing is not None), None)


Told = Callable[[Finding], None]


def check_trainer(job_in: Callable[[Path], Job], folder: Path, told: Told) -> Findings:
    """Run the program up to its third evaluation some times. It is ended at its second: one that
    begins anew in place of going on would be at the first.

    Args:
        job_in: The job of a trial whose folder is this.
        told: Hears of each finding as it comes.
    """
    check = _Check(job_in, folder)
    found: list[Finding] = []
    level: int | None = None
    for reached, finding in check.findings():
        found.append(finding)
        told(finding)
        if finding.missing is not None:
            break
        level = reached if reached is not None else level
    return Findings(found=tuple(found), level=level)


class _Check:
    def __init__(self, job_in: Callable[[Path], Job], folder: Path) -> None:
        self.job_in = job_in
        self.folder = folder
        self.straight: dict[int, float] = {}  # the objective by step, of a run without a stop
        self.in_parts = 0.0  # at the last of these steps, after an end at the one before

    def findings(self) -> Iterator[tuple[int | None, Finding]]:
        """Each with the level that is reached by it. None is asked for after one that misses
        something."""
        yield 0, self._metrics()
        job = self.job_in(self.folder)
        if job.checkpoint is None:
            problem = "say where the program saves itself: trainer.checkpoint"
            yield None, Finding(what="checkpoint", found="none is stated", missing=problem)
        yield None, self._ended_by(job.stop_signal, job.grace_s)
        yield 1, self._ended_by("SIGKILL", 0.0)
        yield 2, self._same_numbers()

    def _metrics(self) -> Finding:
        """A straight run up to the last of the evaluations."""
        began = time.monotonic()
        trainer = CommandTrainer(self.job_in(self.folder / "straight"))
        seconds = 0.0
        try:
            for step, value in _evaluations(trainer):
                seconds = seconds or time.monotonic() - began
                self.straight[step] = value
                if len(self.straight) == EVALUATIONS:
                    break
        except TrainerError as error:
            return Finding(what="metrics", found="not as they should be", missing=str(error))
        finally:
            trainer.close()
        if len(self.straight) < EVALUATIONS:
            problem = (
                f"evaluate at least {EVALUATIONS} times in max_steps: a smaller eval_every_steps"
            )
            return Finding(what="metrics", found="of too few steps", missing=problem)
        steps, name = ", ".join(map(str, self.straight)), trainer.job.objective
        return Finding(what="metrics", found=f"{name} at {steps}, the first after {seconds:.1f} s")

    def _ended_by(self, name: str, grace_s: float) -> Finding:
        """Whether it goes on from the checkpoint of an evaluation when it is ended there."""
        _, first, second = self.straight
        what, folder = f"ended by {name}", self.folder / name
        job = self.job_in(folder)
        kept = folder / "checkpoint_000001" / CHECKPOINT_FILE
        trainer = CommandTrainer(job)
        again: CommandTrainer | None = None
        try:
            _run_to(trainer, first)
            if trainer.save(kept) != first:
                marked = "" if job.marker is None else f", and a new {job.marker} with it,"
                problem = f"{job.checkpoint}{marked} must be written {job.written} the metrics of "
                problem += (
                    "each evaluation (trainer.checkpoint); keep every one, not the best alone"
                )
                return Finding(what=what, found=f"no checkpoint of {first}", missing=problem)
            saved = self._how_saved(trainer, first)
            began = time.monotonic()
            trainer.job = replace(job, stop_signal=name, grace_s=grace_s)
            trainer.close()
            ended = f"gone after {time.monotonic() - began:.1f} s"
            again = CommandTrainer(self.job_in(folder), resume_from=kept)
            self.in_parts = _run_to(again, second)
        except (TrainerError, CheckpointError) as error:
            return Finding(what=what, found="it does not go on", missing=str(error))
        finally:
            trainer.close()
            if again is not None:
                again.close()
        size = sum(sizes(kept.parent).values()) / 1e6
        return Finding(what=what, found=f"{ended}; goes on from {first} ({size:.1f} MB{saved})")

    def _how_saved(self, trainer: CommandTrainer, step: int) -> str:
        assert trainer.place is not None
        path, is_marked = trainer.place.at(step), trainer.place.marker is not None
        if is_marked or not path.is_dir() or is_renamed(path):
            return ""
        return ", a folder written in place: without trainer.checkpoint.marker it could be torn"

    def _same_numbers(self) -> Finding:
        """In two parts, with a kill between them, as straight."""
        *_, second = self.straight
        what, straight = "the same numbers", self.straight[second]
        if self.in_parts == straight:
            return Finding(what=what, found=f"{straight!r} at {second}, straight and in two parts")
        return Finding(
            what=what,
            found=f"{straight!r} at {second} straight, and {self.in_parts!r} in two parts",
            missing="save and restore all that decides the next step: the optimizer, the place in "
            "the data, each random number generator (and on a GPU, deterministic operations)",
        )


def _evaluations(trainer: CommandTrainer) -> Iterator[tuple[int, float]]:
    name = trainer.job.objective
    for metrics in trainer.train():
        if metrics is not None and (value := metrics.value(name)) is not None:
            yield metrics.step, value


def _run_to(trainer: CommandTrainer, step: int) -> float:
    """The value at this step."""
    for reached, value in _evaluations(trainer):
        if reached >= step:
            return value
    raise TrainerError(f"it did not come to step {step}")
