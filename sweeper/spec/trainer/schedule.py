"""What the learning rate of a run does, where it is known: from our own config, or as a file
declares it for another program, in the same words."""

from collections.abc import Mapping

from sweeper.spec.domains.values import Scalar
from sweeper.spec.trainer.config import AnyConfig
from sweeper.spec.trainer.section import TrainerSpec
from trainable.config import TrainConfig

WORDS_OF_KIND = ("schedule", "decay_shape")  # all others are numbers


def scheduled_as(config: AnyConfig, trainer: TrainerSpec | None) -> TrainConfig | None:
    """A run of ours whose learning rates are those of this one; None where nobody knows them.

    Raises:
        ConfigError: no run can have them.
    """
    if isinstance(config, TrainConfig):
        return config
    if trainer is None or trainer.schedule is None:
        return None
    settings = config.to_dict()
    stated = {word: _value(told, settings) for word, told in trainer.schedule.stated.items()}
    return TrainConfig.from_mapping({**stated, "max_steps": config.max_steps})


def _value(told: Scalar, settings: Mapping[str, Scalar]) -> Scalar:
    """The name of a setting stands for what that is."""
    return settings.get(told, told) if isinstance(told, str) else told
