"""The training settings as a sweep states them, and values derived from others."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator

from sweeper.spec.domains.values import Scalar, Settings, as_written, tag, tagged


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


def derive(stated: Mapping[str, Scalar | Derived], types: Mapping[str, Any]) -> Settings:
    """The settings with every derived value worked out. None may be derived from itself.

    A whole setting gets the nearest whole number. What is derived from null is null.

    Args:
        types: Of the settings, by their names.
    """
    known: Settings = {}

    def value(name: str) -> Scalar:
        if name not in known:
            formula = stated[name]
            known[name] = (
                _product(types[name], formula.times, value(formula.of))
                if isinstance(formula, Derived)
                else formula
            )
        return known[name]

    for name in stated:
        value(name)
    return known


def _product(kind: Any, times: float, factor: Scalar) -> Scalar:
    if factor is None:
        return None
    assert isinstance(factor, int | float), "the spec admits only numbers to derive from"
    product = as_written(times) * as_written(factor)
    return round(product) if kind is int and product.is_finite() else float(product)


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
