"""The settings that a training program takes: ours, or one that a file describes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any, Literal, cast, get_args, get_type_hints

from sweeper.spec.domains.values import Scalar, Settings
from sweeper.spec.trainer.config import AnyConfig, ProgramConfig
from sweeper.spec.trainer.schedule import scheduled_as
from sweeper.spec.trainer.section import SettingSpec, TrainerSpec
from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.settings import OTHER_NAMES, nearest, shown, typed

# Training settings that a sweep states in another way: setting -> key of the file.
OWNED = {"train_data": "data", "val_data": "data", "val_sets": "data"}
SIZE_SETTINGS = {"d_model", "d_ff", "num_layers", "vocab_size"}  # what decides our num_params


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What may stand under one name. The type is as `trainable.settings.typed` takes it."""

    type: Any
    default: Scalar
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    in_mid_run: bool = False  # a run under way may go on with another value
    shapes_model: bool = False

    @property
    def is_number(self) -> bool:
        return bool({int, float} & set(get_args(self.type) or (self.type,)))

    @property
    def lowest(self) -> float | None:
        return self.above if self.at_least is None else self.at_least

    def problem(self, value: float) -> str | None:
        """What is wrong with a number, whatever the other settings are."""
        if self.at_least is not None and value < self.at_least:
            return f"must be at least {self.at_least:g}, got {shown(value)}"
        if self.above is not None and value <= self.above:
            return f"must be above {self.above:g}, got {shown(value)}"
        if self.at_most is not None and value > self.at_most:
            return f"must be at most {self.at_most:g}, got {shown(value)}"
        return None


@dataclass(frozen=True, kw_only=True)
class KnownSettings:
    """All settings of a program, and a run's config made of them.

    Attributes:
        config: Makes it of values by name. Raises `ConfigError`: a value that no run can have.
        synonyms: Names of settings -> what else people call them.
    """

    by_name: Mapping[str, Setting]
    config: Callable[[Mapping[str, Any]], AnyConfig]
    synonyms: Mapping[str, str]

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    @cached_property
    def types(self) -> dict[str, Any]:
        return {name: setting.type for name, setting in self.by_name.items()}

    @cached_property
    def defaults(self) -> Settings:
        return {name: s.default for name, s in self.by_name.items() if name not in OWNED}

    @property
    def in_mid_run(self) -> tuple[str, ...]:
        """What population based training may sweep."""
        return tuple(name for name, setting in self.by_name.items() if setting.in_mid_run)

    @property
    def of_size(self) -> frozenset[str]:
        """What another model's size may differ in."""
        return frozenset(name for name, setting in self.by_name.items() if setting.shapes_model)

    def is_number(self, name: str) -> bool:
        return self.by_name[name].is_number

    def is_legal(self, name: str, value: float) -> bool:
        """Whether a name may have this value, whatever the others have."""
        return name not in self or self.by_name[name].problem(value) is None

    def bounds(self, name: str) -> tuple[float, float]:
        """The least and the greatest value of a name; infinite where there is none."""
        setting = self.by_name.get(name)
        low, high = (None, None) if setting is None else (setting.lowest, setting.at_most)
        return (-math.inf if low is None else low, math.inf if high is None else high)


def _ours() -> dict[str, Setting]:
    hints = get_type_hints(TrainConfig)
    return {
        field.name: Setting(
            type=hints[field.name],
            default=cast(Scalar, field.default),
            **{key: value for key, value in field.metadata.items() if key != "help"},
            shapes_model=field.name in SIZE_SETTINGS,
        )
        for field in fields(TrainConfig)
    }


def _our_config(values: Mapping[str, Any]) -> AnyConfig:
    return TrainConfig.from_mapping(values)


OURS = KnownSettings(by_name=_ours(), config=_our_config, synonyms=OTHER_NAMES)


def known_settings(trainer: TrainerSpec | None) -> KnownSettings:
    """Those of the program of a file, which has a `trainer:` section or trains with ours."""
    if trainer is None:
        return OURS
    every = trainer.checkpoint_every_steps or trainer.eval_every_steps
    common = {
        "max_steps": Setting(type=int, default=trainer.max_steps, at_least=1),
        "eval_every_steps": Setting(type=int, default=trainer.eval_every_steps, at_least=1),
        "checkpoint_every_steps": Setting(type=int, default=every, at_least=1),
        "seed": Setting(type=int, default=0, at_least=0),
    }
    stated = {name: _setting(spec) for name, spec in trainer.settings.items()}
    by_name = {**stated, **common}
    synonyms = {name: others for name, others in OTHER_NAMES.items() if name in by_name}
    return KnownSettings(
        by_name=by_name, config=partial(_program_config, trainer, by_name), synonyms=synonyms
    )


_TYPES = {"int": int, "float": float, "bool": bool, "str": str}


def _setting(spec: SettingSpec) -> Setting:
    kind = _TYPES[spec.type] if spec.choices is None else Literal[tuple(spec.choices)]
    bounds = spec.model_dump(exclude={"type", "choices"})
    return Setting(type=kind, **bounds)


def _program_config(
    trainer: TrainerSpec, known: Mapping[str, Setting], values: Mapping[str, Any]
) -> ProgramConfig:
    """
    Raises:
        ConfigError: an unknown name, a value of another type, beyond its bounds, or missing; a
            schedule that no run can have.
    """
    if unknown := [name for name in values if name not in known]:
        raise ConfigError(unknown[0], f"no such setting{nearest(unknown[0], list(known))}")
    settings = {}
    for name, setting in known.items():
        value = values.get(name, setting.default)
        if value is None:
            raise ConfigError(name, "is not stated, and trainer.settings has no default")
        settings[name] = typed(name, value, setting.type)
        number = settings[name]
        if isinstance(number, int | float) and (problem := setting.problem(number)) is not None:
            raise ConfigError(name, problem)
    config = ProgramConfig.from_settings(settings)
    if (out := out_of_step(config.eval_every_steps, config.checkpoint_every_steps)) is not None:
        raise ConfigError("checkpoint_every_steps", out)
    try:
        scheduled_as(config, trainer)
    except ConfigError as error:
        stated = {} if trainer.schedule is None else trainer.schedule.stated
        told = [stated.get(error.key), *stated.values(), "max_steps"]
        key = next(name for name in told if isinstance(name, str) and name in known)
        problem = f"{error.key} {error.problem}"
        raise ConfigError(key, f"gives a schedule (trainer.schedule) whose {problem}") from None
    return config


def out_of_step(eval_every_steps: int, checkpoint_every_steps: int) -> str | None:
    """What is wrong with the two: another program's checkpoints belong to its evaluations."""
    if checkpoint_every_steps % eval_every_steps and eval_every_steps % checkpoint_every_steps:
        told = f"must divide eval_every_steps ({eval_every_steps}), or be divided by it"
        return f"{told}, got {checkpoint_every_steps}"
    return None
