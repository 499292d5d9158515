"""The sizes of a model that a space lists, from the smallest to the largest."""

from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.values import Scalar
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.config import num_params, tokens_per_step
from trainable.errors import ConfigError


def sizes_in_order(spec: SweepSpec) -> dict[str, tuple[Scalar, ...]]:
    """The listed names that make a size, each with its values: by their parameters, and those of
    as many parameters (of another trainer, of all) by the tokens that they are trained on."""
    return {
        name: _ordered(spec, name, domain)
        for name, domain in spec.space.items()
        if isinstance(domain, Grid | Choice)
        and not spec.known.of_size.isdisjoint(domain.sets(name))
    }


def _ordered(spec: SweepSpec, name: str, domain: Grid | Choice) -> tuple[Scalar, ...]:
    values = domain.values()
    try:
        configs = [spec.known.config(spec.settings({name: value})) for value in values]
    except ConfigError:  # it takes another swept name to make a model
        return tuple(values)
    sizes = [(num_params(c) or 0, c.max_steps * (tokens_per_step(c) or 1)) for c in configs]
    return tuple(values[index] for index in sorted(range(len(values)), key=sizes.__getitem__))
