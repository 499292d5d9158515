"""`python -m trainable`: train a language model.

Exit codes: 0 done, 1 diverged, 2 a mistake of the user's, 130 interrupted.
"""

import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from types import FrameType
from typing import Any, Self

from trainable.command_line.arguments import parse_command_line
from trainable.command_line.console import ConsoleLog, metrics_line, say
from trainable.command_line.options import DEFAULT_OUTPUT_DIR, ProgramOptions
from trainable.command_line.output_folder import OutputFolder, unused_folder
from trainable.command_line.program import exit_code_of
from trainable.command_line.wandb_log import WandbLog
from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.followers.leader import start_trainer
from trainable.loop.processes import Together
from trainable.loop.training import Trainer
from trainable.weights.checkpoint import saved_step


class StopRequest:
    """Set by Ctrl-C, SIGTERM or a terminal that goes away; the loop sees it after the step. A
    signal that is ignored stays so, as under nohup.

    The handlers from before are back after the first signal, so that a second one kills at once.
    """

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Self:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
            numbers.append(signal.SIGHUP)
        self._before = {number: signal.signal(number, self._request) for number in numbers}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self.__exit__()


def main(arguments: Sequence[str] | None = None) -> int:
    def work() -> int:
        config, options = parse_command_line(sys.argv[1:] if arguments is None else arguments)
        group = _of_torchrun(options)
        if group is not None and not group.leads:
            return follow(_trainer(config, options, group))
        with StopRequest() as stop:
            return run(config, options, stop, group)

    return exit_code_of(work)


def run(
    config: TrainConfig, options: ProgramOptions, stop: StopRequest, group: Together | None
) -> int:
    """Train to the end or until a signal, leading the group if there is one. Returns the exit
    code."""
    checkpoint = Path(options.resume_from) if options.resume_from else None
    folder = OutputFolder(Path(options.output_dir))
    goes_on = checkpoint is not None and checkpoint.parent.resolve() == folder.root.resolve()
    numbered = options.output_dir == DEFAULT_OUTPUT_DIR
    if goes_on:
        _require_no_shorter(folder, config.max_steps)
    elif not numbered:
        folder.require_no_run()
    with closing(_trainer(config, options, group)) as trainer:
        held = folder.locked() if goes_on else unused_folder(folder.root, numbered=numbered)
        with held as folder:
            if str(folder.root) != options.output_dir:
                say(f"{options.output_dir} holds another run; this one is in {folder.root}")
            options = replace(options, output_dir=str(folder.root))
            folder.begin(config, step=trainer.step)
            return _train_and_log(trainer, folder, options, stop)


def _of_torchrun(options: ProgramOptions) -> Together | None:
    group = Together.of_torchrun()
    if group is not None and options.processes > 1:
        raise ConfigError(
            "processes", f"must not be given under torchrun, which has started {group.size}"
        )
    return group


def _trainer(config: TrainConfig, options: ProgramOptions, group: Together | None) -> Trainer:
    given: dict[str, Any] = {
        "resume_from": Path(options.resume_from) if options.resume_from else None,
        "num_threads": options.num_threads,
        "micro_batch_size": options.micro_batch_size,
    }
    if group is not None:
        return Trainer(config, processes=group, **given)
    return start_trainer(config, processes=options.processes, **given)


def follow(trainer: Trainer) -> int:
    """Take part in a run that another process of torchrun's leads; that one answers the signals."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    trainer.follow()
    return 0


def _require_no_shorter(folder: OutputFolder, max_steps: int) -> None:
    """Refuse a run that would end before what is in its folder, and replace it."""
    there = max(folder.last_step, saved_step(folder.final_checkpoint) or 0)
    if max_steps < there:
        raise ConfigError(
            "max_steps",
            f"must be at least {there}, the step to which {folder.root} holds a run that this one "
            f"would overwrite (or name another --output_dir), got {max_steps}",
        )


def _train_and_log(
    trainer: Trainer, folder: OutputFolder, options: ProgramOptions, stop: StopRequest
) -> int:
    wandb_log = None
    if options.use_wandb:
        resumed = options.resume_from is not None
        wandb_log = WandbLog(folder, trainer.config, options, resumed=resumed)
    exit_code = 1
    try:
        exit_code = _train(trainer, folder, options, wandb_log, stop)
    finally:
        if wandb_log is not None:
            wandb_log.finish(exit_code)
    return exit_code


def _train(
    trainer: Trainer,
    folder: OutputFolder,
    options: ProgramOptions,
    wandb_log: WandbLog | None,
    stop: StopRequest,
) -> int:
    config = trainer.config
    with ConsoleLog(step=trainer.step, max_steps=config.max_steps) as console:
        console.say(
            f"{trainer.num_params:,} parameters, {str(trainer.dtype).removeprefix('torch.')} on "
            f"{_devices(trainer)}, step {trainer.step} of {config.max_steps}"
        )
        micro_batch_size = trainer.micro_batch_size
        for metrics in trainer.train():
            console.step_done(trainer.step)
            if trainer.micro_batch_size != micro_batch_size:
                micro_batch_size = trainer.micro_batch_size
                console.say(f"out of memory: {micro_batch_size} sequences at a time from here on")
            if metrics is not None:
                folder.append_metrics(metrics)
                console.say(metrics_line(metrics, config.max_steps))
                if wandb_log is not None:
                    wandb_log.log(metrics)
                if metrics.diverged:
                    console.say(
                        f"diverged: {config.max_skipped_steps} steps in a row had a loss or "
                        "gradient that is not finite; try a lower learning_rate or more warmup"
                    )
                    return 1
            if trainer.step % config.checkpoint_every_steps == 0 or stop.requested:
                saved = folder.checkpoint(trainer.step)
                trainer.save(saved)
                if options.keep_checkpoints is not None:
                    folder.prune_checkpoints(options.keep_checkpoints, step=trainer.step)
            if stop.requested:
                console.say(f"interrupted; go on with: {resume_command(options, saved)}")
                return 130
        trainer.save(folder.final_checkpoint)
        console.say(f"done: {folder.final_checkpoint}")
    return 0


def _devices(trainer: Trainer) -> str:
    size = trainer.processes.size
    return str(trainer.device) if size == 1 else f"{trainer.device.type} in {size} processes"


def resume_command(options: ProgramOptions, checkpoint: Path) -> str:
    """The command that goes on as before: the checkpoint holds the config, but not these
    options."""
    group = Together.of_torchrun()
    start = ["python"]
    if group is not None:
        machines = group.size // group.local_size
        several = [f"--nnodes={machines}"] if machines > 1 else []  # how they meet is the user's
        start = ["torchrun", *several, f"--nproc_per_node={group.local_size}"]
    words = [*start, "-m", "trainable", "--resume_from", str(checkpoint)]
    for spec in fields(options):
        value = getattr(options, spec.name)
        if value is True:
            words.append(f"--{spec.name}")
        elif value != spec.default and spec.name != "resume_from":
            words += [f"--{spec.name}", str(value)]
    return shlex.join(words)


if __name__ == "__main__":
    sys.exit(main())
