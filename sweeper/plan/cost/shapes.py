"""How large planned trials are, and how fast: those that share a shape train alike."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sweeper.plan.placement import Placement, stated_share
from sweeper.plan.plan import Plan, PlannedTrial
from sweeper.spec.trainer.config import AnyConfig, ours
from trainable.config import TrainConfig
from trainable.model.model_size import flops_per_token, num_params


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


def shape_of(config: AnyConfig) -> Shape | None:
    """None where another trainer keeps it to itself."""
    if not isinstance(config, TrainConfig):
        return None
    return Shape(*(getattr(config, name) for name in Shape._fields))


def shapes(plan: Plan) -> dict[Shape, TrainConfig]:
    """Each distinct shape, with the config of the first trial that has it."""
    found: dict[Shape, TrainConfig] = {}
    for trial in plan.trials:
        if (shape := shape_of(trial.config)) is not None:
            found.setdefault(shape, ours(trial.config))
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


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the sweep would run on. None means not known."""

    slots: int
    free_memory: int | None  # bytes
    placement: Placement | None = None  # what of it a trial gets


@dataclass(frozen=True, kw_only=True)
class ShapeForecast:
    name: str  # the swept values that make it, as `size small`
    num_trials: int
    num_params: int | None  # None, as below: of another trainer nobody knows it
    memory: int | None  # bytes of a training step (`Share.memory`), the framework itself left out
    fits: bool | None  # whether at least one sequence at a time does; None: not known
    flops_per_token: int | None
    speed: Speed | None
    is_measured: bool  # else its speed is that of the nearest measured one, at the same FLOP/s


def shape_forecast(
    plan: Plan, trials: list[PlannedTrial], machine: Machine, speeds: Mapping[Shape, Speed]
) -> ShapeForecast:
    """
    Args:
        trials: Of the plan, all of one shape.
    """
    stated = trials[0].config
    shape = shape_of(stated)
    if shape is None:
        return ShapeForecast(
            name=_name(plan, trials),
            num_trials=len(trials),
            num_params=None,
            memory=None,
            fits=None,
            flops_per_token=None,
            speed=None,
            is_measured=False,
        )
    config, free = ours(stated), machine.free_memory
    share = stated_share(plan.spec.resources, trials[0].values)
    return ShapeForecast(
        name=_name(plan, trials),
        num_trials=len(trials),
        num_params=num_params(config),
        memory=share.memory(config, at_once=config.batch_size),
        fits=None if free is None else share.memory(config, at_once=1) <= free,
        flops_per_token=flops_per_token(config),
        speed=speeds.get(shape) or speed_of_nearest(config, speeds),
        is_measured=shape in speeds,
    )


def _name(plan: Plan, trials: list[PlannedTrial]) -> str:
    names = []
    for key, domain in plan.spec.space.items():
        if domain.sets(key) & set(Shape._fields):
            at = [t.values[key] for t in trials if key in t.values]
            names += [f"{key} {'/'.join(dict.fromkeys(map(str, at)))}"] if at else []
    return ", ".join(names) or "all trials"
