"""Text by the winner and the runner-up of a sweep, from their checkpoints: people see in it what a
loss is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from sweeper.record.ranking import ranking_of
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.texts import Text, Texts
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


def texts_of(state: SweepState, folder: RunFolder) -> Texts | None:
    """None where there is nobody to write: no checkpoint of the best two is there or small enough,
    or the data have no tokenizer beside them.

    Raises:
        UserError: the data or a checkpoint cannot be read.
    """
    best = [point.best.trial for point in ranking_of(state).points[:WRITERS]]
    writers = [(trial, path) for trial in best if (path := _weights(trial, folder)) is not None]
    if not writers or not isinstance(config := writers[0][0].config, TrainConfig):
        return None
    if (found := find_tokenizer(config)) is None:
        return None
    tokenizer = read_tokenizer(found)
    prompt = _prompt(config, tokenizer)
    with _one_thread():
        texts = [
            Text(
                trial_id=trial.trial_id, step=trial.step, written=_written(path, tokenizer, prompt)
            )
            for trial, path in writers
        ]
    return Texts(prompt=tokenizer.decode(prompt), temperature=TEMPERATURE, texts=tuple(texts))


def _weights(trial: Trial, folder: RunFolder) -> Path | None:
    """The file with those that the trial ended with."""
    if trial.checkpoint is None or trial.checkpoint_step != trial.step:
        return None
    path = folder.checkpoint(trial.trial_id, trial.checkpoint) / CHECKPOINT_FILE
    return path if path.is_file() and path.stat().st_size <= LARGEST_BYTES else None


def _prompt(config: TrainConfig, tokenizer: Tokenizer) -> list[int]:
    """From the validation data, where a document begins if they have any: the same each time. Of
    some places the one with the most different letters, which is none amid a rule or a table."""
    tokens = open_tokens(Path(str(config.val_data)), config.data_dtype)
    length, separator = _num_tokens(config, PROMPT_BYTES), separator_of(config)
    last = max(1, len(tokens) - length)

    def prompt_at(place: int) -> list[int]:
        if separator is not None:
            place = document_at_or_after(tokens, place, separator, length)
        return [int(token) for token in tokens[place : place + length]]

    prompts = [prompt_at(int(at)) for at in np.random.default_rng(SEED).integers(last, size=PLACES)]
    return max(prompts, key=lambda prompt: len(set(tokenizer.decode(prompt))))


def _num_tokens(config: TrainConfig, num_bytes: int) -> int:
    per_token = read_meta(Path(str(config.val_data))).bytes_per_token
    return max(1, round(num_bytes / (per_token or BYTES_PER_TOKEN)))


@contextmanager
def _one_thread() -> Iterator[None]:
    """For matrices as small as those of one token several threads only wait for one another."""
    import torch  # takes seconds, and most sessions of a sweep do without

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _written(path: Path, tokenizer: Tokenizer, prompt: Sequence[int]) -> str:
    """What comes behind the prompt; of the averaged weights, where those were evaluated."""
    import torch

    from trainable.command_line.checkpoint_argument import end_of_its_texts
    from trainable.generate import build_model, printable
    from trainable.model.generation import generate_tokens
    from trainable.weights.checkpoint import read_checkpoint

    read = read_checkpoint(path)
    evaluated = replace(read, model=read.average or read.model)
    tokens = generate_tokens(
        build_model(evaluated, torch.device("cpu")),
        read.config,
        prompt,
        num_tokens=_num_tokens(read.config, WRITTEN_BYTES),
        temperature=TEMPERATURE,
        seed=SEED,
        end_of_text=end_of_its_texts(read, tokenizer),
    )
    whole: str = tokenizer.decode([*prompt, *tokens])
    return printable(whole[len(tokenizer.decode(list(prompt))) :])
