"""The training settings as a sweep states them: types, defaults, and values derived from others."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, cast, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Discriminator

from sweeper.spec.domains.values import Scalar, Settings, as_written, tag, tagged
from trainable.config import TrainConfig

# Training settings that a sweep states in another way: setting -> key of the file.
OWNED = {"train_data": "data", "val_data": "data"}
TYPES: dict[str, Any] = get_type_hints(TrainConfig)
DEFAULTS: Settings = {
    field.name: cast(Scalar, field.default)
    for field in fields(TrainConfig)
    if field.name not in OWNED
}
# What population based training may sweep.
CHANGEABLE_IN_MID_RUN = tuple(
    field.name for field in fields(TrainConfig) if field.metadata["in_mid_run"]
)


def is_number(name: str) -> bool:
    """Whether this training setting takes numbers."""
    return bool({int, float} & set(get_args(TYPES[name]) or (TYPES[name],)))


def is_legal(name: str, value: float) -> bool:
    """Whether a training setting may have this value, whatever the other settings are."""
    bounds = TrainConfig.__dataclass_fields__[name].metadata
    at_least, above, at_most = bounds["at_least"], bounds["above"], bounds["at_most"]
    return (
        (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (at_most is None or value <= at_most)
    )


def lowest(name: str) -> float | None:
    """The lower bound of a training setting; None if it has none."""
    bounds = TrainConfig.__dataclass_fields__[name].metadata
    bound: float | None = bounds["above"] if bounds["at_least"] is None else bounds["at_least"]
    return bound


class Derived(BaseModel):
    """A multiple of another setting: `{times: 0.1, of: learning_rate}`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    times: float
    of: str


def _value_or_derived(value: object) -> str:
    return tag("derived" if isinstance(value, dict | Derived) else "value")


Stated = Annotated[
    Annotated[Scalar, tagged("value")] | Annotated[Derived, tagged("derived")],
    Discriminator(_value_or_derived),
]


def derive(stated: Mapping[str, Scalar | Derived]) -> Settings:
    """The settings with every derived value worked out. None may be derived from itself.

    A whole setting gets the nearest whole number. What is derived from null is null.
    """
    known: Settings = {}

    def value(name: str) -> Scalar:
        if name not in known:
            formula = stated[name]
            known[name] = (
                _product(name, formula.times, value(formula.of))
                if isinstance(formula, Derived)
                else formula
            )
        return known[name]

    for name in stated:
        value(name)
    return known


def _product(name: str, times: float, factor: Scalar) -> Scalar:
    if factor is None:
        return None
    assert isinstance(factor, int | float), "the spec admits only numbers to derive from"
    product = as_written(times) * as_written(factor)
    return round(product) if TYPES[name] is int and product.is_finite() else float(product)


def derivation_cycle(stated: Mapping[str, object], name: str) -> list[str] | None:
    """The names from `name` over what it is derived from back to itself; None if that never leads
    back."""
    way = [name]
    while isinstance(formula := stated.get(way[-1]), Derived):
        if formula.of == name:
            return [*way, name]
        if formula.of in way:
            return None  # a cycle, but without `name`: it is found at its own names
        way.append(formula.of)
    return None
