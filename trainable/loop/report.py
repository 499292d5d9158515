"""What a training run says of itself as it goes: one `Report` every few steps."""

import math
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Report:
    """The state of a run after `step` optimiser steps. `None` means not measured, never 0.

    `train_loss` is the mean over the steps since the report before, skipped steps left out; the
    losses are in nats a token. `val_bits_per_byte` compares runs across tokenizers.
    """

    step: int
    tokens: int
    train_loss: float | None
    val_loss: float | None
    val_perplexity: float | None
    val_bits_per_byte: float | None
    learning_rate: float
    grad_norm: float
    tokens_per_second: float
    train_seconds: float
    skipped_steps: int
    diverged: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields, with `None` where a number is not finite: JSON has no NaN."""
        values = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }


def perplexity(loss: float) -> float:
    """exp of a loss in nats a token; infinite where a float cannot hold it."""
    return math.exp(loss) if loss < 700 else math.inf


def bits_per_byte(loss: float, bytes_per_token: float) -> float:
    """A loss in nats a token as bits a byte of text, which survives a change of vocabulary."""
    return loss / math.log(2) / bytes_per_token
