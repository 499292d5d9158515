"""Every setting's bounds: what no table, file or random generator can hold is refused in words."""

import re
from dataclasses import fields
from itertools import pairwise
from typing import Any, get_type_hints

import pytest
import torch

from trainable.command_line.arguments import parse_command_line
from trainable.command_line.options import ProgramOptions
from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.model.model_size import flops_per_token, num_params
from trainable.settings import typed

WHOLE = [name for name, kind in get_type_hints(TrainConfig).items() if kind in (int, int | None)]
FLAGS = [*WHOLE, "keep_checkpoints", "micro_batch_size", "num_threads"]


@pytest.mark.parametrize("value", [2**63, 10**19, 10**20, 10**400, 1e300])
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_past_64_bits_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}: must be at most \d+, got 1?\d"):
        TrainConfig.from_mapping({name: value})


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_past_64_bits_is_refused(flag: str) -> None:
    with pytest.raises(ConfigError, match=f"^{flag}: must be at most "):
        parse_command_line([f"--{flag}", str(2**63)])


def test_every_whole_option_has_its_bound() -> None:
    for spec in fields(ProgramOptions):
        if "int" in str(spec.type):
            assert spec.metadata["at_most"] is not None, spec.name


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (10**400, "learning_rate: must be finite, got inf"),
        (-(10**400), "learning_rate: must be finite, got -inf"),
        (float("nan"), "learning_rate: must be finite, got nan"),
        ("x" * 5000, r"learning_rate: must be a number, got 'x{59}… \(5002 characters\)"),
    ],
)
def test_what_no_number_can_be_is_shown_in_short(value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig.from_mapping({"learning_rate": value})


def test_a_number_too_long_to_write_is_refused() -> None:
    with pytest.raises(ConfigError, match="got a number of thousands of digits"):
        TrainConfig.from_mapping({"seed": 16**5000})


def test_whole_numbers_keep_every_digit() -> None:
    assert typed("seed", 2**63 - 1, int) == 2**63 - 1  # as a float it would be 2**63


def largest(**changes: int) -> TrainConfig:
    bounds = {spec.name: spec.metadata["at_most"] for spec in fields(TrainConfig)}
    shape = ("d_model", "d_ff", "num_layers", "vocab_size", "context_length")
    return TrainConfig(**{name: bounds[name] for name in shape}, **changes)


def test_what_is_counted_fits_64_bits_up_to_the_bounds() -> None:
    config = largest(batch_size=1, max_steps=2000)
    for number in (num_params(config), flops_per_token(config)):
        assert torch.tensor(number, dtype=torch.int64).item() == number
    most = (2**63 - 1) // (32 * 1024)
    tokens = TrainConfig(max_steps=most).max_steps * 32 * 1024
    assert torch.tensor(tokens, dtype=torch.int64).item() == tokens
    with pytest.raises(ConfigError, match=re.escape(f"max_steps: must be at most {most} (batch")):
        TrainConfig(max_steps=most + 1)


def test_the_largest_seed_trains() -> None:
    seed = TrainConfig(seed=2**63 - 1).seed
    torch.Generator().manual_seed(seed)


def test_the_default_warmup_has_no_cliff() -> None:
    warmups = [TrainConfig.from_mapping({"max_steps": n}).warmup_steps for n in range(1, 30_000)]
    assert all(0 <= later - earlier <= 1 for earlier, later in pairwise(warmups))
    assert warmups[999] == warmups[1000] == 100
    assert warmups[9_999] == warmups[-1] == TrainConfig.from_mapping({}).warmup_steps == 1000
    assert TrainConfig.from_mapping({"max_steps": 1001, "warmup_steps": 1000}).warmup_steps == 1000


def test_a_length_that_cannot_be_is_told_as_such() -> None:
    with pytest.raises(ConfigError, match="max_steps: must be at least 1, got -5"):
        TrainConfig.from_mapping({"max_steps": -5})
