"""A checkpoint as people name it: a file, or a folder that has some."""

import sys
from pathlib import Path

from tokenizers import Tokenizer

from trainable.command_line.output_folder import OutputFolder
from trainable.data.tokenizer import end_of_text, separator_of_the_data
from trainable.errors import CheckpointError
from trainable.weights.checkpoint import Checkpoint, newest_good_checkpoint, read_checkpoint


def checkpoints_in(folder: Path) -> list[Path]:
    """Those of an output folder, else any files named as checkpoints are; the newest first."""
    others = sorted(folder.glob("*.pt"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return OutputFolder(folder).checkpoints() or others


def find_checkpoint(path: Path) -> tuple[Path, Checkpoint]:
    """The checkpoint at `path`; of a folder the newest good one, with a warning for each that is
    damaged.

    Raises:
        CheckpointError: there is none, or it cannot be read.
    """
    if not path.is_dir():
        return path, read_checkpoint(path)
    found = newest_good_checkpoint(checkpoints_in(path))
    for problem in found.bad:
        print(f"warning: {problem}", file=sys.stderr)
    if found.path is None or found.checkpoint is None:
        hugging_face = (path / "config.json").is_file() and not found.bad
        reason = "; load a Hugging Face folder with transformers" if hugging_face else ""
        raise CheckpointError(f"{path}: there is no checkpoint in it that can be read{reason}")
    return found.path, found.checkpoint


def end_of_its_texts(checkpoint: Checkpoint, tokenizer: Tokenizer | None) -> int | None:
    """The token after each text that the model was trained on: as the checkpoint says, or the
    data, or the tokenizer by a name that is known."""
    candidates = [checkpoint.end_of_text, separator_of_the_data(checkpoint.config)]
    if tokenizer is not None:
        candidates.append(end_of_text(tokenizer))
    known = (token for token in candidates if token is not None)
    token = next(known, None)
    return token if token is not None and token < checkpoint.config.vocab_size else None
