"""Text by the winner and the runner-up of a sweep, from their checkpoints: people see in it what a
loss is."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from sweeper.record.exhibits.texts import WRITERS, Text, Texts
from sweeper.record.ranking import ranking_of
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from trainable.config import TrainConfig
from trainable.data.meta import read_meta
from trainable.data.token_files import document_at_or_after, open_tokens, separator_of
from trainable.data.tokenizer import find_tokenizer, printable, read_tokenizer

PROMPT_BYTES = 80  # about: as many tokens as that makes in the mean over the data
WRITTEN_BYTES = 250
BYTES_PER_TOKEN = 4.0  # where the data do not say
TEMPERATURE = 0.8
SEED = 0  # of the places in the validation data, and of the drawing
PLACES = 8
LARGEST_BYTES = 2**30  # of a checkpoint: more is not read in a moment
LONGEST_SECONDS = 60.0  # for both
LAST_SECONDS = 1.0  # even then, to read what has ended
LOOK_SECONDS = 0.1  # between two looks whether it is to be skipped


@dataclass(frozen=True, kw_only=True)
class Writer:
    trial: Trial
    config: TrainConfig
    tokenizer: Path
    weights: Path


def writers_of(state: SweepState, folder: RunFolder) -> tuple[Writer, ...]:
    """The best first. Nobody where no checkpoint of the best two is there, small enough, or the
    data have no tokenizer beside them."""
    best = [point.best.trial for point in ranking_of(state).points[:WRITERS]]
    return tuple(
        Writer(trial=trial, config=trial.config, tokenizer=tokenizer, weights=weights)
        for trial in best
        if isinstance(trial.config, TrainConfig)
        and (tokenizer := find_tokenizer(trial.config)) is not None
        and (weights := _weights(trial, folder)) is not None
    )


def texts_by(
    writers: Sequence[Writer], folder: RunFolder, skipped: threading.Event
) -> Texts | None:
    """None where nobody could write: no checkpoint is sound. The folder's log has what went wrong.

    Args:
        skipped: Once it is set, nobody writes any more.

    Raises:
        UserError: the data or the tokenizer cannot be read.
    """
    config = writers[0].config
    prompt = _prompt(config, read_tokenizer(writers[0].tokenizer))
    weights = [of.weights for of in writers]
    written = _written(weights, folder, prompt, _num_tokens(config), skipped)
    texts = [
        Text(trial_id=of.trial.trial_id, step=of.trial.step, written=text)
        for of, text in zip(writers, written, strict=True)
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
    paths: Sequence[Path],
    folder: RunFolder,
    prompt: str,
    num_tokens: int,
    skipped: threading.Event,
) -> list[str | None]:
    """What comes behind the prompt, all at once, each in a process of its own: the driver does
    without torch. None where it did not work."""
    command = [sys.executable, "-m", "trainable.generate", f"--prompt={prompt}", "--device=cpu"]
    command += [f"--num_tokens={num_tokens}", f"--temperature={TEMPERATURE}", f"--seed={SEED}"]
    # Several threads only wait for one another over matrices as small as those of one token.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    end = time.monotonic() + LONGEST_SECONDS
    processes = []
    with folder.log.open("ab") as log, ExitStack() as stack:
        for path in paths:
            process = subprocess.Popen(
                [*command, os.path.abspath(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            processes.append(process)
        return [_behind(prompt, process, end, skipped) for process in processes]


def _behind(
    prompt: str, process: "subprocess.Popen[bytes]", end: float, skipped: threading.Event
) -> str | None:
    end = max(end, time.monotonic() + LAST_SECONDS)
    while not skipped.is_set() and time.monotonic() < end:
        with suppress(subprocess.TimeoutExpired):
            answer, _ = process.communicate(timeout=LOOK_SECONDS)
            break
    else:
        return None
    text, beginning = answer.decode("utf-8", errors="replace"), printable(prompt)
    if process.returncode != 0 or not text.startswith(beginning):
        return None
    return text.removeprefix(beginning).removesuffix("\n")
