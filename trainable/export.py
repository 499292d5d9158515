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


def export(
    checkpoint: Path, folder: Path, tokenizer: Path | None = None, *, averaged: bool = False
) -> Path | None:
    """Write `folder` from `checkpoint`, with the tokenizer if there was one.

    Args:
        averaged: the average of the weights in their place.

    Raises:
        CheckpointError: the checkpoint cannot be read or holds no average, or the folder has files
            in it.
        DataError: `tokenizer` is none.
    """
    found, read = find_checkpoint(checkpoint)
    if averaged and not read.average:
        raise CheckpointError(
            f"{found}: holds no average of weights; train with --ema_fraction, or leave out --ema"
        )
    if folder.exists() and any(folder.iterdir()):
        raise CheckpointError(f"{folder}: is not empty; name a new folder")
    tokenizer = tokenizer or find_tokenizer(read.config)
    end = end_of_its_texts(read, read_tokenizer(tokenizer) if tokenizer else None)
    weights = read.average if averaged else read.model
    write_llama_folder(folder, read.config, weights, tokenizer, end)
    return tokenizer


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainable.export", description=__doc__)
    parser.add_argument(
        "checkpoint", type=Path, help="a checkpoint of python -m trainable, or a folder of them"
    )
    parser.add_argument("out", type=Path, help="the folder to make")
    parser.add_argument("--tokenizer", type=Path, help="default: the one beside the training data")
    parser.add_argument("--ema", action="store_true", help="the average of the weights")
    given = parser.parse_args(arguments)

    def work() -> int:
        tokenizer = export(given.checkpoint, given.out, given.tokenizer, averaged=given.ema)
        print(f"{given.out}: " + ("with " if tokenizer else "without ") + "tokenizer.json")
        return 0

    return exit_code_of(work)


if __name__ == "__main__":
    sys.exit(main())
