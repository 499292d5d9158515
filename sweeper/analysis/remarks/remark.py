"""A remark on a sweep's answer, and the command that goes with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

AT_ONCE = 2  # remarks that are read beside an answer
Kind = Literal[  # what changes the decision most comes first
    "flattered",  # seeds that were stopped
    "edge",  # the best lies at the edge of the space
    "diverged",
    "schedule",  # a warmup or a cooldown of too few steps
    "failed",
    "sizes",  # at different tokens a parameter
    "few",  # too few values around the best
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


def foremost(remarks: Sequence[Remark]) -> tuple[Sequence[Remark], Sequence[Remark]]:
    """Those that are told beside the answer, and the others, which a view keeps for who asks."""
    return remarks[:AT_ONCE], remarks[AT_ONCE:]
