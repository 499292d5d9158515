"""From a file's `trainer:` section to the loop of one trial."""

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweeper.runtime.trainers.command_trainer import CommandTrainer
from sweeper.runtime.trainers.hook import sweeper_hook
from sweeper.runtime.trainers.job import Job, visible_gpus
from sweeper.runtime.trainers.program.command_line import filled
from sweeper.spec.trainer.config import ProgramConfig
from sweeper.spec.trainer.section import CommandSpec, FunctionSpec, TrainerSpec

PROGRAM_FOLDER = "program"  # within the trial's folder: what the program writes


def starter(
    spec: TrainerSpec, objective: str, folder: Path, silent_s: float | None = None
) -> Callable[..., CommandTrainer]:
    """What makes the loop of a trial, as `TrialLoop` calls it.

    Args:
        folder: The trial's own.
        silent_s: After which a program that says nothing has failed.
    """

    def start(
        config: ProgramConfig, *, resume_from: Path | None, num_threads: int | None
    ) -> CommandTrainer:
        job = job_of(spec, config, objective, folder / PROGRAM_FOLDER)
        job = replace(job, num_threads=num_threads, silent_s=silent_s)
        return CommandTrainer(job, resume_from=resume_from)

    return start


def job_of(
    spec: TrainerSpec,
    config: ProgramConfig,
    objective: str,
    trial_dir: Path,
    gpus: tuple[str, ...] | None = None,
) -> Job:
    """
    Args:
        trial_dir: Where the program writes.
        gpus: Those that it may use; None: those that this process may.
    """
    special = _of_command(spec) if isinstance(spec, CommandSpec) else _of_function(spec, config)
    job = Job(
        settings=config.to_dict(),
        max_steps=config.max_steps,
        eval_every_steps=config.eval_every_steps,
        trial_dir=trial_dir,
        gpus=visible_gpus() if gpus is None else gpus,
        folder=Path(spec.folder),
        objective=objective,
        stop_signal=spec.stop.signal,
        grace_s=spec.stop.grace_s,
        first_metric_s=spec.first_metric_s,
        first_metric_lines=spec.first_metric_lines,
        **special,
    )
    stated = {name: filled(text, job.names) for name, text in spec.env.items()}
    return replace(job, variables={**job.variables, **stated})


def _of_command(spec: CommandSpec) -> dict[str, Any]:
    saved = {} if spec.checkpoint is None else spec.checkpoint.model_dump(exclude={"path"})
    return {
        "command": spec.command,
        "resume": spec.resume,
        "shell": spec.shell,
        "stdout": tuple(spec.metrics.stdout or ()),
        "jsonl": spec.metrics.jsonl,
        "checkpoint": None if spec.checkpoint is None else spec.checkpoint.path,
        **saved,
    }


def _of_function(spec: FunctionSpec, config: ProgramConfig) -> dict[str, Any]:
    """The function is run by the hook, in a process of its own."""
    program = [sys.executable, sweeper_hook.__file__, spec.function]
    return {
        "command": shlex.join(program).replace("{", "{{").replace("}", "}}"),
        "checkpoint": "checkpoint" if spec.checkpoints else None,
        "written": "asked",
        "variables": {"SWEEPER_SETTINGS": json.dumps(config.to_dict())},
    }
