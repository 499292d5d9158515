"""The sizes of the trials of a plan, and how fast each trains."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sweeper.plan.plan import Plan
from trainable.config import TrainConfig
from trainable.model.model_size import flops_per_token


class Shape(NamedTuple):
    """The settings that decide how large a trial is and how fast it trains."""

    d_model: int
    num_heads: int
    num_kv_heads: int | None
    qk_norm: bool
    tie_embeddings: bool
    d_ff: int
    num_layers: int
    vocab_size: int
    context_length: int
    batch_size: int
    eval_windows: int
    dtype: str
    compile: bool
    optimizer: str
    separate_documents: bool
    device: str


def shape_of(config: TrainConfig) -> Shape:
    return Shape(*(getattr(config, name) for name in Shape._fields))


def shapes(plan: Plan) -> dict[Shape, TrainConfig]:
    """Each distinct shape, with the config of the first trial that has it."""
    found: dict[Shape, TrainConfig] = {}
    for trial in plan.trials:
        found.setdefault(shape_of(trial.config), trial.config)
    return found


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast one trial of a shape is while every slot is busy."""

    tokens_per_second: float  # of training, evaluations left out
    evaluation_seconds: float  # of one evaluation


def speed_of_nearest(config: TrainConfig, speeds: Mapping[Shape, Speed]) -> Speed | None:
    """The speed of a shape that was not measured: it computes as fast as the measured one whose
    size is nearest."""
    flops = flops_per_token(config)
    measured = {shape: flops_per_token(_resized(config, shape)) for shape in speeds}
    if not measured:
        return None
    nearest = min(measured, key=lambda shape: abs(math.log(measured[shape] / flops)))
    ratio = flops / measured[nearest]
    evaluated = config.eval_windows * config.context_length
    evaluated_there = nearest.eval_windows * nearest.context_length
    return Speed(
        tokens_per_second=speeds[nearest].tokens_per_second / ratio,
        evaluation_seconds=speeds[nearest].evaluation_seconds
        * ratio
        * (evaluated / evaluated_there),
    )


def _resized(config: TrainConfig, shape: Shape) -> TrainConfig:
    return TrainConfig(**{**config.to_dict(), **shape._asdict()})
