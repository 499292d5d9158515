"""The learning rate: a function of the step alone, so that resuming restores one integer."""

import math

from trainable.config import TrainConfig


def learning_rate_at(config: TrainConfig, step: int) -> float:
    """The learning rate of the `step`-th optimiser step, counted from 1.

    Linear warmup from 0 (at step 0, which no run takes) to `learning_rate` at `warmup_steps`, then
    a cosine to `min_learning_rate` at `max_steps`, where it stays
    (https://arxiv.org/abs/1608.03983 without restarts).
    """
    if step < config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    if step >= config.max_steps:
        return config.min_learning_rate
    progress = (step - config.warmup_steps) / (config.max_steps - config.warmup_steps)
    span = config.learning_rate - config.min_learning_rate
    return config.min_learning_rate + 0.5 * (1 + math.cos(math.pi * progress)) * span
