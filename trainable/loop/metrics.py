"""What a training run says of itself as it goes: one `Metrics` every few steps."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The state of a run after `step` optimiser steps. `None` means not measured, never 0.

    `train_loss` is the mean over the steps since the metrics before, skipped steps left out; the
    losses are in nats a token. `val_bits_per_byte` compares runs across tokenizers. A number that
    is not finite becomes `None` here, once for all: JSON has no NaN.
    """

    step: int
    tokens: int | None = None
    train_loss: float | None = None
    val_loss: float | None = None
    val_perplexity: float | None = None
    val_bits_per_byte: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None
    tokens_per_second: float | None = None
    train_seconds: float | None = None
    skipped_steps: int | None = None
    diverged: bool = False

    def __post_init__(self) -> None:
        for name in _NAMES:
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                object.__setattr__(self, name, None)

    def value(self, name: str) -> float | None:
        """The one of this name: that of an objective, or a column's."""
        value: float | None = getattr(self, name)
        return value

    def to_dict(self) -> dict[str, Any]:
        """As a line of `metrics.jsonl` has it."""
        return {name: getattr(self, name) for name in _NAMES}

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Self:
        """What there is of these fields; whatever else is given is left out.

        Raises:
            TypeError: no step, or a word where a number belongs.
        """
        step = given.get("step")
        if not isinstance(step, int):
            raise TypeError(f"a report needs the step it was made at, got {step!r}")
        known = {name: given[name] for name in _NAMES if name in given}
        return cls(**known | {"diverged": bool(given.get("diverged"))})


_NAMES = tuple(Metrics.__dataclass_fields__)


def perplexity(loss: float) -> float:
    """exp of a loss in nats a token; infinite where a float cannot hold it."""
    return math.exp(loss) if loss < 700 else math.inf


def bits_per_byte(loss: float, bytes_per_token: float) -> float:
    """A loss in nats a token as bits a byte of text, which survives a change of vocabulary."""
    return loss / math.log(2) / bytes_per_token
