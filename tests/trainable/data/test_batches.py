from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainable.config import TrainConfig
from trainable.data.batches import TrainingBatches, gather_windows, training_windows
from trainable.data.token_files import document_at_or_after, evaluation_starts

TOKENS = np.arange(5000, dtype=np.uint16)  # a token is its own place


def windows(**settings: int) -> torch.Tensor:
    defaults = {"seed": 0, "step": 1, "batch_size": 8, "context_length": 10}
    return training_windows(TOKENS, **{**defaults, **settings})


def test_a_batch_is_a_function_of_seed_and_step_alone() -> None:
    assert torch.equal(windows(step=7), windows(step=7))
    assert not torch.equal(windows(step=7), windows(step=8))
    assert not torch.equal(windows(step=7), windows(step=7, seed=1))
    # Seeds and steps are not added up: (1, 2) and (2, 1) have nothing in common.
    assert not torch.equal(windows(seed=1, step=2), windows(seed=2, step=1))


def test_a_window_is_a_run_of_the_text() -> None:
    batch = windows()
    assert batch.shape == (8, 11) and batch.dtype == torch.int64
    assert torch.equal(batch.diff(dim=1), torch.ones(8, 10, dtype=torch.int64))


def test_windows_begin_with_documents_wherever_these_are() -> None:
    """Of documents of 1 to 40 tokens, with 0 after each."""
    lengths = np.random.default_rng(0).integers(1, 40, size=400)
    tokens = np.concatenate([[*range(1, length + 1), 0] for length in lengths]).astype(np.uint8)
    begins = {0, *(np.flatnonzero(tokens == 0) + 1)}
    drawn = [
        training_windows(tokens, seed=0, step=step, batch_size=50, context_length=10, separator=0)
        for step in range(40)
    ]
    windows = torch.cat(drawn)
    assert (windows[:, 0] == 1).all()
    places = [document_at_or_after(tokens, place, 0, 10) for place in range(len(tokens) - 10)]
    last = len(tokens) - 11
    for place, found in enumerate(places):
        behind = [begin for begin in begins if place <= begin <= last]
        assert found == min(behind, default=0)


def test_a_file_of_one_document_has_one_window_that_begins_with_it() -> None:
    found = training_windows(
        TOKENS + 1, seed=0, step=1, batch_size=3, context_length=10, separator=0
    )
    assert (found == torch.arange(1, 12)).all()


def test_the_whole_file_is_drawn_from_its_very_ends_too() -> None:
    starts = torch.cat([windows(step=step, batch_size=1000)[:, 0] for step in range(60)])
    assert starts.min() == 0
    assert starts.max() == 5000 - 11
    counts = torch.histc(starts.float(), bins=10, min=0, max=4990)
    assert counts.min() > 0.95 * counts.mean()


def test_a_file_of_one_window_is_enough() -> None:
    batch = training_windows(TOKENS[:11], seed=0, step=0, batch_size=2, context_length=10)
    assert torch.equal(batch, torch.arange(11).repeat(2, 1))


@given(num_tokens=st.integers(12, 5000), num_windows=st.integers(1, 300), length=st.integers(1, 11))
def test_evaluation_windows_span_the_file(num_tokens: int, num_windows: int, length: int) -> None:
    tokens = TOKENS[:num_tokens]
    starts = evaluation_starts(tokens, num_windows=num_windows, context_length=length)
    assert starts[0] == 0
    if num_windows > 1:
        assert starts[-1] == num_tokens - length - 1
    assert len(gather_windows(tokens, starts, length)) == num_windows
    assert np.ptp(np.diff(starts)) <= 1 if num_windows > 2 else True


@pytest.mark.parametrize("steps", [[1, 2, 3], [5, 6, 2, 3, 9]])
def test_reading_ahead_changes_no_batch(tiny: Callable[..., TrainConfig], steps: list[int]) -> None:
    config = tiny(context_length=10, vocab_size=len(TOKENS))
    batches = TrainingBatches(TOKENS, config, torch.device("cpu"))
    for step in steps:
        assert torch.equal(batches.take(step), windows(step=step, batch_size=4))
