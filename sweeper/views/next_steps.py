"""What to type next: the commands that a summary hands to its reader."""

import shlex

from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder


def train_command(folder: RunFolder, trial_id: str, checkpoint: str, max_steps: int) -> str:
    """Trains a trial's model for as many steps again, from `checkpoint` (a folder's name)."""
    weights = folder.trial(trial_id) / checkpoint / CHECKPOINT_FILE
    output = f"checkpoints/{folder.name}-{trial_id}"
    return (
        f"python -m trainable --resume_from {shlex.quote(str(weights))} "
        f"--max_steps {2 * max_steps} --output_dir {shlex.quote(output)}"
    )


def export_command(folder: RunFolder, trial_id: str) -> str:
    """Writes a trial's model as a Hugging Face folder."""
    output = f"models/{folder.name}-{trial_id}"
    return f"python -m sweeper export {folder.called} {trial_id} {shlex.quote(output)}"
