"""Commands to type next, as summaries and reports show them."""

import shlex
from collections.abc import Mapping

from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.spec.domains.values import Scalar
from trainable.config import TrainConfig

# Measured with three seeds, against as many steps with one schedule from their start to their end.
GO_ON_COST = (
    "its learning rate has come down already: measured 0.07 nats worse than as many steps from the "
    "start"
)
# By default its length follows from that of the run, which is free to be set.
ALWAYS_STATED = ("warmup_steps",)


def fresh_command(
    folder: RunFolder, trial_id: str, config: Mapping[str, Scalar], max_steps: int
) -> str:
    """The command that trains with a trial's settings from the start, for twice as many steps, or
    as many as are put there: all settings that are not the defaults."""
    defaults = {name: field.default for name, field in TrainConfig.__dataclass_fields__.items()}
    flags = [
        _flag(name, value)
        for name, value in config.items()
        if name != "max_steps" and (value != defaults[name] or name in ALWAYS_STATED)
    ]
    output = f"checkpoints/{folder.name}-{trial_id}-long"
    ending = f"--max_steps {2 * max_steps} --output_dir {shlex.quote(output)}"
    return " ".join(["python -m trainable", *flags, ending])


def _flag(name: str, value: Scalar) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name} {'none' if value is None else shlex.quote(str(value))}"


def train_command(
    folder: RunFolder, trial_id: str, checkpoint: str | None, max_steps: int
) -> str | None:
    """The command that trains a trial's model for as many steps again, from `checkpoint` (the name
    of its folder); None if that is gone."""
    if checkpoint is None:
        return None
    weights = folder.trial(trial_id) / checkpoint / CHECKPOINT_FILE
    if not weights.is_file():
        return None
    output = f"checkpoints/{folder.name}-{trial_id}"
    return (
        f"python -m trainable --resume_from {shlex.quote(str(weights))} "
        f"--max_steps {2 * max_steps} --output_dir {shlex.quote(output)}"
    )


def settings_command(folder: RunFolder) -> str:
    """The command that writes the winner's settings as a search-space file."""
    return f"python -m sweeper best {folder.called} --yaml"


def export_command(folder: RunFolder, trial_id: str) -> str:
    """The command that writes a trial's model as a Hugging Face folder."""
    output = f"models/{folder.name}-{trial_id}"
    return f"python -m sweeper export {folder.called} {trial_id} {shlex.quote(output)}"
