"""The axes of a summary: what was swept, between which ends, on which scale."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sweeper.analysis.reading.sweep_data import Parameter
from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.normal import Normal
from sweeper.spec.domains.scale import Scale, numbers_of, scale_of, scale_of_domain
from sweeper.spec.domains.values import Scalar
from sweeper.spec.model_sizes import sizes_in_order
from sweeper.spec.space import AnyDomain
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.settings import OURS


def of_spec(spec: SweepSpec) -> tuple[Parameter, ...]:
    """A parameter for each name of a search space; sizes from the smallest up."""
    sizes = sizes_in_order(spec)
    return tuple(
        replace(p, options=sizes[p.name]) if p.name in sizes else p
        for p in of_space(spec.space, spec.known.of_size)
    )


def of_space(
    space: Mapping[str, AnyDomain], of_size: Collection[str] = OURS.of_size
) -> tuple[Parameter, ...]:
    """
    Args:
        of_size: The settings that shape the model.
    """
    return tuple(
        replace(_of_domain(name, domain), changes_size=not domain.sets(name).isdisjoint(of_size))
        for name, domain in space.items()
    )


def of_values(columns: Mapping[str, Iterable[Scalar]]) -> tuple[Parameter, ...]:
    """A parameter for each name, as well as it can be told from the values that were tried."""
    return tuple(_listed(name, list(dict.fromkeys(values))) for name, values in columns.items())


def joined(parameters: Sequence[Parameter]) -> Parameter:
    """One name as several sweeps have swept it: all that is listed, from the lowest end to the
    highest."""
    options = list(dict.fromkeys(option for p in parameters for option in p.options))
    scales = {parameter.scale for parameter in parameters}
    if all(parameter.options for parameter in parameters) or "category" in scales:
        return _listed(parameters[0].name, options)
    ends = [end for p in parameters for end in (p.low, p.high) if end is not None]
    low, high = min(ends, default=None), max(ends, default=None)
    scale: Scale = "log" if "log" in scales and (low is None or low > 0) else "linear"
    return replace(parameters[0], scale=scale, options=(), low=low, high=high)


def _of_domain(name: str, domain: AnyDomain) -> Parameter:
    if isinstance(domain, Grid | Choice):
        if domain.is_bundled:
            return Parameter(name=name, scale="category", options=tuple(domain.values()))
        return _listed(name, domain.values())
    if isinstance(domain, Normal):  # it has no ends
        return Parameter(name=name, scale="linear", least=_least(name))
    low, high = domain.bounds()
    scale = scale_of_domain(domain)
    return Parameter(name=name, scale=scale, low=low, high=high, least=_least(name))


def _listed(name: str, values: Sequence[Scalar]) -> Parameter:
    if (numbers := numbers_of(values)) is None:
        return Parameter(name=name, scale="category", options=tuple(values))
    return Parameter(
        name=name,
        scale=scale_of(numbers),
        options=tuple(values),
        low=numbers[0],
        high=numbers[-1],
        least=_least(name),
    )


def _least(name: str) -> float | None:
    """The smallest number that our runs accept for this setting; None where there is no such end,
    as for `learning_rate`, which only has to be above 0."""
    setting = OURS.by_name.get(name)
    return setting.at_least if setting is not None and setting.is_number else None
