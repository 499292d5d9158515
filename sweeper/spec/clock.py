"""What trials are compared by: equal steps, equal tokens, or equal arithmetic."""

from typing import Literal

from sweeper.spec.trainer.config import AnyConfig, flops_per_step, tokens_per_step

Clock = Literal["step", "tokens", "flops"]


def clock_per_step(config: AnyConfig, clock: Clock) -> int:
    """How far one step of a trial moves the clock: a whole number, so that rungs are exact."""
    pace = {"step": lambda _: 1, "tokens": tokens_per_step, "flops": flops_per_step}[clock](config)
    assert pace is not None, "a file is refused whose trainer does not know its clock"
    return pace
