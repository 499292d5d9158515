"""What trials are compared by: equal steps, equal tokens, or equal arithmetic."""

from typing import Literal

from trainable.config import TrainConfig
from trainable.model.model_size import flops_per_token

Clock = Literal["step", "tokens", "flops"]


def clock_per_step(config: TrainConfig, clock: Clock) -> int:
    """How far one step of a trial moves the clock: a whole number, so that rungs are exact."""
    tokens = config.batch_size * config.context_length
    match clock:
        case "step":
            return 1
        case "tokens":
            return tokens
        case "flops":
            return tokens * flops_per_token(config)
