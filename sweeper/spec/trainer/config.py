"""The settings of one run, whichever program trains it; and what is known of the model, where its
program is ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from sweeper.spec.domains.values import Scalar, Settings
from trainable.config import TrainConfig
from trainable.model import model_size

# What every run has, whatever its program calls it.
COMMON = ("max_steps", "eval_every_steps", "checkpoint_every_steps", "seed")


@dataclass(frozen=True, kw_only=True)
class ProgramConfig:
    """A run of a program that is not ours: what it is told, and what a sweep has to know of it."""

    settings: Mapping[str, Scalar]  # the program's own
    max_steps: int
    eval_every_steps: int
    checkpoint_every_steps: int
    seed: int = 0

    def to_dict(self) -> Settings:
        return {**self.settings, **{name: getattr(self, name) for name in COMMON}}

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> Self:
        own = {name: value for name, value in values.items() if name not in COMMON}
        return cls(settings=own, **{name: values[name] for name in COMMON})


AnyConfig = TrainConfig | ProgramConfig


def num_params(config: AnyConfig) -> int | None:
    """None where nobody knows."""
    return model_size.num_params(config) if isinstance(config, TrainConfig) else None


def tokens_per_step(config: AnyConfig) -> int | None:
    """None where nobody knows."""
    if isinstance(config, TrainConfig):
        return config.batch_size * config.context_length
    return None


def flops_per_step(config: AnyConfig) -> int | None:
    """None where nobody knows."""
    if isinstance(config, TrainConfig):
        return config.batch_size * config.context_length * model_size.flops_per_token(config)
    return None


def ours(config: AnyConfig) -> TrainConfig:
    """Where the sweep is known to train with `trainable`."""
    assert isinstance(config, TrainConfig)
    return config
