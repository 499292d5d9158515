"""Commands to type next, as summaries and reports show them."""

import shlex

from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder


def train_command(folder: RunFolder, trial_id: str, checkpoint: str, max_steps: int) -> str:
    """The command that trains a trial's model for as many steps again, from `checkpoint` (the name
    of its folder)."""
    weights = folder.trial(trial_id) / checkpoint / CHECKPOINT_FILE
    output = f"checkpoints/{folder.name}-{trial_id}"
    return (
        f"python -m trainable --resume_from {shlex.quote(str(weights))} "
        f"--max_steps {2 * max_steps} --output_dir {shlex.quote(output)}"
    )


def export_command(folder: RunFolder, trial_id: str) -> str:
    """The command that writes a trial's model as a Hugging Face folder."""
    output = f"models/{folder.name}-{trial_id}"
    return f"python -m sweeper export {folder.called} {trial_id} {shlex.quote(output)}"
