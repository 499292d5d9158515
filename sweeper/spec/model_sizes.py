"""The sizes of a model that a space lists, from the smallest to the largest."""

from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.values import Scalar
from sweeper.spec.space import AnyDomain
from sweeper.spec.sweep_spec import SweepSpec
from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.model.model_size import num_params

# What `num_params` depends on so much that another value makes another size.
SIZE_SETTINGS = {"d_model", "d_ff", "num_layers", "vocab_size"}


def changes_size(name: str, domain: AnyDomain) -> bool:
    return not SIZE_SETTINGS.isdisjoint(domain.sets(name))


def sizes_in_order(spec: SweepSpec) -> dict[str, tuple[Scalar, ...]]:
    """The listed names that make a size, each with its values: by their parameters, and those of
    as many parameters by the tokens that they are trained on."""
    return {
        name: _ordered(spec, name, domain)
        for name, domain in spec.space.items()
        if isinstance(domain, Grid | Choice) and changes_size(name, domain)
    }


def _ordered(spec: SweepSpec, name: str, domain: Grid | Choice) -> tuple[Scalar, ...]:
    values = domain.values()
    try:
        configs = [TrainConfig.from_mapping(spec.settings({name: value})) for value in values]
    except ConfigError:  # it takes another swept name to make a model
        return tuple(values)
    sizes = [(num_params(c), c.max_steps * c.batch_size * c.context_length) for c in configs]
    return tuple(values[index] for index in sorted(range(len(values)), key=sizes.__getitem__))
