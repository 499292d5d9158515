"""What a training run says of itself as it goes: one `Metrics` every few steps."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from trainable.settings import shown


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The state of a run after `step` optimiser steps. `None` means not measured, never 0.

    `train_loss` is the mean over the steps since the metrics before, skipped steps left out; the
    losses are in nats a token. `val_bits_per_byte` compares runs across tokenizers, `val_loss_ema`
    is that of the averaged weights. `grad_norm` is before clipping, `update_ratio` the norm of the
    step's update over that of the weights; `max_activation` and `max_logit` are the largest
    absolute values in the residual stream and among the logits. A number that is not finite becomes
    `None` here, once for all: JSON has no NaN. `others` are by their names: the losses of further
    validation sets, the numbers of a trainer that is not ours.
    """

    step: int
    tokens: int | None = None
    train_loss: float | None = None
    val_loss: float | None = None
    val_perplexity: float | None = None
    val_bits_per_byte: float | None = None
    val_loss_ema: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None
    update_ratio: float | None = None
    max_activation: float | None = None
    max_logit: float | None = None
    tokens_per_second: float | None = None
    train_seconds: float | None = None
    skipped_steps: int | None = None
    diverged: bool = False
    others: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """
        Raises:
            TypeError: no step, or a word where a number belongs.
            ValueError: a count below 0, or beyond what 64 bits hold.
        """
        if not isinstance(self.step, int):
            raise TypeError(
                f"step: metrics need the one they were taken at, got {shown(self.step)}"
            )
        for name in _COUNTS:
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value < 2**63:
                object.__setattr__(self, name, _count(name, value))
        for name in _NUMBERS:
            value = getattr(self, name)
            if type(value) is not float or not math.isfinite(value):
                object.__setattr__(self, name, _number(name, value))
        if self.others:
            object.__setattr__(self, "others", _finite(self.others))

    def value(self, name: str) -> float | None:
        """The one of this name: that of an objective, or a column's."""
        value: float | None = getattr(self, name) if name in _NAMES else self.others.get(name)
        return value

    def measured(self) -> dict[str, float]:
        """All that was measured, by name."""
        own = {name: getattr(self, name) for name in _NAMES}
        return {name: value for name, value in {**self.others, **own}.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """As a line of `metrics.jsonl` has it."""
        told = {name: getattr(self, name) for name in _NAMES}
        return told | {"others": dict(self.others)} if self.others else told

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Self:
        """What there is of these fields; whatever else is given is left out.

        Raises:
            TypeError, ValueError: as where they are made.
        """
        known: dict[str, Any] = {name: given.get(name) for name in _NAMES}
        others = given.get("others")
        known |= {"others": others if isinstance(others, Mapping) else {}}
        return cls(**known | {"diverged": bool(given.get("diverged"))})

    @classmethod
    def of_numbers(cls, step: int, numbers: Mapping[str, float]) -> Self:
        """Those of a trainer that is not ours: what has a name of ours is that, the rest `others`.

        Raises:
            TypeError, ValueError: as where they are made.
        """
        others = {name: value for name, value in numbers.items() if name not in _NAMES}
        return cls.from_mapping({**numbers, "step": step, "others": others})


_NAMES = tuple(name for name in Metrics.__dataclass_fields__ if name != "others")
_COUNTS = ("step", "tokens", "skipped_steps")
_NUMBERS = tuple(name for name in _NAMES if name not in {*_COUNTS, "diverged"})


def _finite(numbers: Mapping[str, Any]) -> dict[str, float]:
    read = {str(name): _number(str(name), value) for name, value in numbers.items()}
    return {name: value for name, value in read.items() if value is not None}


def _count(name: str, value: Any) -> int | None:
    """NumPy's whole numbers become Python's, and so does 64.0."""
    number = value if type(value) is int else _number(name, value)
    if number is None:
        return None
    if number != int(number):
        raise TypeError(f"{name}: must be a whole number, got {value!r}")
    if not 0 <= number < 2**63:
        raise ValueError(f"{name}: must be at least 0 and below 2**63, got {shown(value)}")
    return int(number)


def _number(name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        is_finite = math.isfinite(value)
    except TypeError:
        raise TypeError(f"{name}: must be a number, got {shown(value)}") from None
    except OverflowError:
        raise ValueError(f"{name}: no float holds {shown(value)}") from None
    return float(value) if is_finite else None


def perplexity(loss: float) -> float:
    """exp of a loss in nats a token; infinite where a float cannot hold it."""
    return math.exp(loss) if loss < 700 else math.inf


def bits_per_byte(loss: float, bytes_per_token: float) -> float:
    """A loss in nats a token as bits a byte of text, which survives a change of vocabulary."""
    return loss / math.log(2) / bytes_per_token
