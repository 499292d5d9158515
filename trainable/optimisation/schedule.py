"""The learning rate: a function of the step alone, so that resuming restores one integer."""

import math
from collections.abc import Callable

from trainable.config import TrainConfig

# What is left of the way from `learning_rate` down to `min_learning_rate`, by the share of the
# decay that is behind. 1-sqrt: https://arxiv.org/abs/2405.18392, which finds it the best of wsd's.
SHAPES: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    "linear": lambda progress: 1 - progress,
    "1-sqrt": lambda progress: 1 - math.sqrt(progress),
}


def learning_rate_at(config: TrainConfig, step: int) -> float:
    """The learning rate of the `step`-th optimiser step, counted from 1.

    Linear warmup from 0 (at step 0, which no run takes) to `learning_rate` at `warmup_steps`. Under
    `constant` it stays. Under `cosine` (https://arxiv.org/abs/1608.03983 without restarts) and
    `linear` it falls from there to `min_learning_rate` at `max_steps`, where it stays; under `wsd`
    (https://arxiv.org/abs/2404.06395) from `decay_begins`.
    """
    if step < config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    stays = config.schedule == "wsd"
    if config.schedule == "constant" or (stays and step <= config.decay_begins):
        return config.learning_rate  # to the last bit: longer runs have it there too
    if step >= config.max_steps:
        return config.min_learning_rate
    begins = config.decay_begins if stays else config.warmup_steps
    shape = SHAPES[config.decay_shape if stays else config.schedule]
    left = shape((step - begins) / (config.max_steps - begins))
    return config.min_learning_rate + left * (config.learning_rate - config.min_learning_rate)
