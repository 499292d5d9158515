"""Weights of a model with scales of its own (`parametrisation`) as those of one without, and back.

Each scale stands before or behind a product with weights, which can take it in. So what a Hugging
Face folder describes is what is computed here, whichever way it was trained.
"""

import math

from torch import Tensor

from trainable.config import TrainConfig
from trainable.model.parametrisation import (
    INTO_RESIDUAL,
    attention_scale,
    branch_scale,
    output_scale,
)


def without_scales(config: TrainConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that compute the same in a model without scales."""
    return {name: weight * _scale(config, name) for name, weight in weights.items()}


def with_scales(config: TrainConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that compute the same in the model of `config`."""
    return {name: weight / _scale(config, name) for name, weight in weights.items()}


def _scale(config: TrainConfig, name: str) -> float:
    if config.parametrisation == "standard":
        return 1.0
    if name.endswith("q_norm.weight" if config.qk_norm else "q_proj.weight"):
        return attention_scale(config) * math.sqrt(config.head_dim)
    if name.endswith(INTO_RESIDUAL):
        return branch_scale(config)
    return output_scale(config) if name == "model.norm.weight" else 1.0
