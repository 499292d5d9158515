"""A small world to train in: a Markov chain's tokens, and a model that learns in moments."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainable.config import TrainConfig

VOCAB_SIZE = 8


@pytest.fixture(scope="session")
def transitions() -> np.ndarray:
    """A Markov chain's transition probabilities, shape (VOCAB_SIZE, VOCAB_SIZE)."""
    return np.random.default_rng(0).dirichlet(np.full(VOCAB_SIZE, 0.5), size=VOCAB_SIZE)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory, transitions: np.ndarray) -> Path:
    """A data folder as `sweeper prepare` makes it, of the chain's tokens."""
    folder = tmp_path_factory.mktemp("data")
    uniform = np.random.default_rng(1).random(150_000)
    thresholds = transitions.cumsum(axis=1)
    tokens = np.zeros(len(uniform), dtype=np.uint8)
    for i in range(1, len(tokens)):
        drawn = np.searchsorted(thresholds[tokens[i - 1]], uniform[i])
        tokens[i] = min(drawn, VOCAB_SIZE - 1)
    np.save(folder / "train.npy", tokens[:120_000])
    np.save(folder / "val.npy", tokens[120_000:])
    meta = {"vocab_size": VOCAB_SIZE, "bytes_per_token": 2.0, "dtype": "uint8"}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


MakeConfig = Callable[..., TrainConfig]


@pytest.fixture
def tiny(data_dir: Path) -> MakeConfig:
    """Makes the config of a run of seconds; keywords change it."""

    def make(**changes: Any) -> TrainConfig:
        settings = {
            "train_data": str(data_dir / "train.npy"),
            "val_data": str(data_dir / "val.npy"),
            "d_model": 16,
            "num_heads": 2,
            "d_ff": 32,
            "num_layers": 2,
            "vocab_size": VOCAB_SIZE,
            "context_length": 16,
            "batch_size": 4,
            "learning_rate": 1e-2,
            "min_learning_rate": 1e-3,
            "warmup_steps": 2,
            "max_steps": 8,
            "log_every_steps": 3,
            "eval_every_steps": 4,
            "eval_windows": 6,
            "dtype": "float32",
            "device": "cpu",
        }
        return TrainConfig(**{**settings, **changes})

    return make


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """The machine's number of cores must not decide what a test shows, nor a neighbour's load how
    long it takes: threads wait for one another in every small product."""
    torch.set_num_threads(1)
