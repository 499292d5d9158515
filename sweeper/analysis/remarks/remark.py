"""A remark on a sweep's answer, and the command that goes with it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "edge",  # the best lies at the edge of the space
    "few",  # too few values around the best
    "diverged",
    "failed",
    "flattered",  # seeds that were stopped
    "sizes",  # at different tokens a parameter
    "schedule",  # a warmup or a cooldown of too few steps
    "no effect",  # of a setting, beyond the noise
]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A command to type next."""

    purpose: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Remark:
    """Why an answer is less than it seems, with the remedy. `offer` is None where the sweep's own
    file is not known, or no sweep can help."""

    kind: Kind
    text: str
    offer: Offer | None = None
