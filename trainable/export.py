"""`python -m trainable.export CKPT OUT`: a checkpoint as a Hugging Face Llama folder."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from trainable.errors import CheckpointError, UserError
from trainable.weights.checkpoint import checkpoint_config, read_checkpoint
from trainable.weights.pretrained import find_tokenizer, write_llama_folder


def export(checkpoint: Path, folder: Path, tokenizer: Path | None = None) -> Path | None:
    """Write `folder` from `checkpoint`, with the tokenizer if there was one.

    Raises:
        CheckpointError: the checkpoint cannot be read, or the folder has files in it.
    """
    parts = read_checkpoint(checkpoint)
    config = checkpoint_config(parts, checkpoint)
    if folder.exists() and any(folder.iterdir()):
        raise CheckpointError(f"{folder}: is not empty; name a new folder")
    tokenizer = tokenizer or find_tokenizer(config)
    write_llama_folder(folder, config, parts["model"], tokenizer)
    return tokenizer


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainable.export", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint of python -m trainable")
    parser.add_argument("out", type=Path, help="the folder to make")
    parser.add_argument("--tokenizer", type=Path, help="default: the one beside the training data")
    given = parser.parse_args(arguments)
    try:
        tokenizer = export(given.checkpoint, given.out, given.tokenizer)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{given.out}: " + ("with " if tokenizer else "without ") + "tokenizer.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
