"""Text by the winner and the runner-up of a sweep, from their checkpoints: people see in it what a
loss is."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from sweeper.record.extras.texts import Text, Texts
from sweeper.record.ranking import ranking_of
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from trainable.config import TrainConfig
from trainable.data.meta import read_meta
from trainable.data.token_files import document_at_or_after, open_tokens, separator_of
from trainable.data.tokenizer import find_tokenizer, read_tokenizer

WRITERS = 2
PROMPT_BYTES = 80  # about: as many tokens as that makes in the mean over the data
WRITTEN_BYTES = 250
BYTES_PER_TOKEN = 4.0  # where the data do not say
TEMPERATURE = 0.8
SEED = 0  # of the places in the validation data, and of the drawing
PLACES = 8
LARGEST_BYTES = 2**30  # of a checkpoint: more is not read in a moment
LONGEST_SECONDS = 60.0


def texts_of(state: SweepState, folder: RunFolder) -> Texts | None:
    """None where nobody could write: no checkpoint of the best two is there, small enough and
    sound, or the data have no tokenizer beside them. The folder's log has what went wrong.

    Raises:
        UserError: the data cannot be read.
    """
    best = [point.best.trial for point in ranking_of(state).points[:WRITERS]]
    writers = [(trial, path) for trial in best if (path := _weights(trial, folder)) is not None]
    if not writers or not isinstance(config := writers[0][0].config, TrainConfig):
        return None
    if (found := find_tokenizer(config)) is None:
        return None
    prompt = _prompt(config, read_tokenizer(found))
    written = _written([path for _, path in writers], folder, prompt, _num_tokens(config))
    texts = [
        Text(trial_id=trial.trial_id, step=trial.step, written=text)
        for (trial, _), text in zip(writers, written, strict=True)
        if text is not None
    ]
    return Texts(prompt=prompt, temperature=TEMPERATURE, texts=tuple(texts)) if texts else None


def _weights(trial: Trial, folder: RunFolder) -> Path | None:
    """The file with those that the trial ended with."""
    if trial.checkpoint is None or trial.checkpoint_step != trial.step:
        return None
    path = folder.checkpoint(trial.trial_id, trial.checkpoint) / CHECKPOINT_FILE
    return path if path.is_file() and path.stat().st_size <= LARGEST_BYTES else None


def _prompt(config: TrainConfig, tokenizer: Tokenizer) -> str:
    """From the validation data, where a document begins if they have any: the same each time. Of
    some places the one with the most different letters, which is none amid a rule or a table."""
    tokens = open_tokens(Path(str(config.val_data)), config.data_dtype)
    length, separator = _num_tokens(config, PROMPT_BYTES), separator_of(config)
    last = max(1, len(tokens) - length)

    def prompt_at(place: int) -> str:
        if separator is not None:
            place = document_at_or_after(tokens, place, separator, length)
        text = tokenizer.decode([int(token) for token in tokens[place : place + length]])
        # as it comes back from a model that has read it; no argument holds a zero
        ids = tokenizer.encode(text.replace("\0", " "), add_special_tokens=False).ids
        return str(tokenizer.decode(ids))

    prompts = [prompt_at(int(at)) for at in np.random.default_rng(SEED).integers(last, size=PLACES)]
    return max(prompts, key=lambda prompt: len(set(prompt)))


def _num_tokens(config: TrainConfig, num_bytes: int = WRITTEN_BYTES) -> int:
    per_token = read_meta(Path(str(config.val_data))).bytes_per_token
    return max(1, round(num_bytes / (per_token or BYTES_PER_TOKEN)))


def _written(
    paths: Sequence[Path], folder: RunFolder, prompt: str, num_tokens: int
) -> list[str | None]:
    """What comes behind the prompt, all at once, each in a process of its own: the driver does
    without torch. None where it did not work."""
    command = [sys.executable, "-m", "trainable.generate", f"--prompt={prompt}", "--device=cpu"]
    command += [f"--num_tokens={num_tokens}", f"--temperature={TEMPERATURE}", f"--seed={SEED}"]
    # Several threads only wait for one another over matrices as small as those of one token.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    with folder.log.open("ab") as log:
        processes = [
            subprocess.Popen(
                [*command, os.path.abspath(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
            for path in paths
        ]
        return [_behind(len(prompt), process) for process in processes]


def _behind(length: int, process: "subprocess.Popen[bytes]") -> str | None:
    try:
        answer, _ = process.communicate(timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    text = answer.decode("utf-8", errors="replace").removesuffix("\n")
    return text[length:] if process.returncode == 0 else None
