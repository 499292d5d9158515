"""`python -m trainable.export CKPT OUT`: a checkpoint as a Hugging Face Llama folder."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from trainable.command_line.checkpoint_argument import end_of_its_texts, find_checkpoint
from trainable.command_line.program import exit_code_of
from trainable.data.tokenizer import find_tokenizer, read_tokenizer
from trainable.errors import CheckpointError
from trainable.weights.llama_writing import write_llama_folder


def export(checkpoint: Path, folder: Path, tokenizer: Path | None = None) -> Path | None:
    """Write `folder` from `checkpoint`, with the tokenizer if there was one.

    Raises:
        CheckpointError: the checkpoint cannot be read, or the folder has files in it.
        DataError: `tokenizer` is none.
    """
    _, read = find_checkpoint(checkpoint)
    if folder.exists() and any(folder.iterdir()):
        raise CheckpointError(f"{folder}: is not empty; name a new folder")
    tokenizer = tokenizer or find_tokenizer(read.config)
    end = end_of_its_texts(read, read_tokenizer(tokenizer) if tokenizer else None)
    write_llama_folder(folder, read.config, read.model, tokenizer, end)
    return tokenizer


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainable.export", description=__doc__)
    parser.add_argument(
        "checkpoint", type=Path, help="a checkpoint of python -m trainable, or a folder of them"
    )
    parser.add_argument("out", type=Path, help="the folder to make")
    parser.add_argument("--tokenizer", type=Path, help="default: the one beside the training data")
    given = parser.parse_args(arguments)

    def work() -> int:
        tokenizer = export(given.checkpoint, given.out, given.tokenizer)
        print(f"{given.out}: " + ("with " if tokenizer else "without ") + "tokenizer.json")
        return 0

    return exit_code_of(work)


if __name__ == "__main__":
    sys.exit(main())
