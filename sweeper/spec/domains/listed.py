"""Domains whose values are listed: numbers or words, or named bundles of settings."""

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Discriminator, Field

from sweeper.spec.domains.domain import Domain
from sweeper.spec.domains.values import Scalar, Settings, each_once, tag, tagged

if TYPE_CHECKING:
    import numpy as np


class _Options(Domain):
    """Listed values, or named bundles that each set several fields at once."""

    def _listed(self) -> list[Scalar] | dict[str, Settings]:
        raise NotImplementedError

    @property
    def is_bundled(self) -> bool:
        return isinstance(self._listed(), dict)

    def values(self) -> list[Scalar]:
        return list(self._listed())

    def sample(self, rng: "np.random.Generator") -> Scalar:
        values = self.values()
        return values[int(rng.integers(len(values)))]

    def near(self, value: Scalar, rng: "np.random.Generator") -> Scalar:
        values = self.values()
        index = values.index(value) + (1 if rng.integers(2) else -1)
        return values[min(max(index, 0), len(values) - 1)]

    def fitted(self, value: Scalar) -> Scalar:
        for option in self.values():
            if option == value and isinstance(option, bool) == isinstance(value, bool):
                return option
        raise ValueError(f"must be one of {', '.join(map(str, self.values()))}, got {value!r}")

    def sets(self, key: str) -> set[str]:
        listed = self._listed()
        if isinstance(listed, dict):
            return {name for bundle in listed.values() for name in bundle}
        return {key}

    def meaning(self, key: str, value: Scalar) -> Settings:
        listed = self._listed()
        if isinstance(listed, dict):
            return listed.get(str(value), {})  # a trial may be of a bundle that was taken out since
        return {key: value}


Values = Annotated[list[Scalar], Field(min_length=1), AfterValidator(each_once)]


def _printable_names(bundles: dict[str, Settings]) -> dict[str, Settings]:
    for name in bundles:
        if not (name and name.isprintable()):
            raise ValueError(f"the name of a bundle must be printable text, got {name!r}")
    return bundles


Bundles = Annotated[dict[str, Settings], Field(min_length=1), AfterValidator(_printable_names)]


def _values_or_bundles(value: object) -> str:
    return tag("bundles" if isinstance(value, dict) else "values")


Listed = Annotated[
    Annotated[Values, tagged("values")] | Annotated[Bundles, tagged("bundles")],
    Discriminator(_values_or_bundles),
]


class Grid(_Options):
    """Every value is tried."""

    grid: Listed

    def _listed(self) -> list[Scalar] | dict[str, Settings]:
        return self.grid


class Choice(_Options):
    """Each value is as likely as any other."""

    choice: Listed

    def _listed(self) -> list[Scalar] | dict[str, Settings]:
        return self.choice
