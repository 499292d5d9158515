"""What is to run for one trial, with everything that its command names filled in."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sweeper.runtime.trainers.place import STEP_FIELD, Place
from sweeper.runtime.trainers.program.command_line import arguments, filled
from sweeper.runtime.trainers.program.fields import LinePattern

HOOK_FOLDER = Path(__file__).parent / "hook"  # where `import sweeper_hook` finds it

HOOKS_METRICS = ".sweeper-metrics.jsonl"  # what `sweeper_hook` writes, where no file is stated


def visible_gpus() -> tuple[str, ...]:
    """The names of those that this process is given; empty also where nobody has said."""
    return tuple(name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A training program as one trial runs it.

    Attributes:
        trial_dir: The trial's own folder, for whatever the program writes.
        folder: Where the program is started.
        written: When the checkpoint of an evaluation is written: after its metrics, before them, or
            when `sweeper_hook` asks for one.
        first_metric_s, first_metric_lines: The program has failed if it has said nothing of a step
            in so many seconds, and in so many lines.
        silent_s: And later, if it has said nothing at all in so many seconds; None: it may.
    """

    command: str
    settings: Mapping[str, Any]
    max_steps: int
    eval_every_steps: int
    trial_dir: Path
    folder: Path
    objective: str = "val_loss"
    resume: str = ""
    shell: bool = False
    stdout: tuple[str, ...] = ()
    jsonl: str | None = None
    checkpoint: str | None = None
    marker: str | None = None
    written: Literal["after", "before", "asked"] = "after"
    stop_signal: str = "SIGTERM"
    grace_s: float = 60.0
    num_threads: int | None = None
    gpus: tuple[str, ...] = ()
    first_metric_s: float = 1800.0
    first_metric_lines: int = 10_000
    silent_s: float | None = None
    variables: Mapping[str, str] = field(default_factory=dict)  # of the environment, beside ours

    @property
    def names(self) -> dict[str, Any]:
        """What stands for what in braces."""
        return {
            **self.settings,
            "trial_dir": self.trial_dir,
            "max_steps": self.max_steps,
            "num_gpus": len(self.gpus),
            "gpus": ",".join(self.gpus),
        }

    def arguments(self, resume_from: Path | None, resume_step: int = 0) -> list[str]:
        """
        Raises:
            TrainerError: the command names what is no setting.
        """
        names = {**self.names, "resume_from": resume_from or "", "resume_step": resume_step}
        text = f"{self.command} {self.resume}" if resume_from is not None else self.command
        return arguments(text, names, shell=self.shell)

    def environment(self, resume_from: Path | None) -> dict[str, str]:
        stated = self.variables.get("PYTHONPATH") or os.environ.get("PYTHONPATH")
        paths = [str(HOOK_FOLDER), *filter(None, [stated])]
        ours = {
            "SWEEPER_TRIAL_DIR": str(self.trial_dir),
            "SWEEPER_METRICS": str(self.metrics_file),
            "SWEEPER_STOP_AT": str(self.answer_file),
            "PYTHONPATH": os.pathsep.join(paths),
        }
        if resume_from is not None:
            ours["SWEEPER_RESUME_FROM"] = str(resume_from)
        usual = {"PYTHONUNBUFFERED": "1"}
        if self.gpus:
            usual["CUDA_VISIBLE_DEVICES"] = ",".join(self.gpus)
        if self.num_threads is not None:
            usual["OMP_NUM_THREADS"] = str(self.num_threads)
        # What a sweep that runs within a sweep's trial would take for its own.
        theirs = {k: v for k, v in os.environ.items() if not k.startswith("SWEEPER_")}
        return {**theirs, **usual, **self.variables, **ours}

    @property
    def patterns(self) -> list[LinePattern]:
        return [LinePattern(text) for text in self.stdout]

    @property
    def metrics_file(self) -> Path:
        return self.trial_dir / filled(self.jsonl or HOOKS_METRICS, self.names)

    @property
    def answer_file(self) -> Path:
        return self.trial_dir / ".sweeper-answer"

    @property
    def place(self) -> Place | None:
        if self.checkpoint is None:
            return None
        marker = None if self.marker is None else self._filled(self.marker)
        return Place(path=str(self.trial_dir / self._filled(self.checkpoint)), marker=marker)

    def _filled(self, text: str) -> str:
        """With all but the step, which is the program's to fill in."""
        return STEP_FIELD.join(filled(part, self.names) for part in text.split(STEP_FIELD))

    @property
    def signal(self) -> int:
        return int(signal.Signals[self.stop_signal])
