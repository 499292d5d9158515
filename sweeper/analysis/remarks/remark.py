"""A remark on a sweep's answer, and the command that goes with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

AT_ONCE = 2  # remarks that are read beside an answer
Kind = Literal[  # what changes the decision most comes first
    "flattered",  # seeds that were stopped
    "failed",
    "sizes",  # at different tokens a parameter
    "diverged",
    "edge",  # the best lies at the edge of the space
    "schedule",  # a warmup or a cooldown of too few steps
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


def by_weight(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """What changes the decision most first, as the kinds stand."""
    return tuple(sorted(remarks, key=lambda remark: get_args(Kind).index(remark.kind)))


def foremost(remarks: Sequence[Remark]) -> tuple[Sequence[Remark], Sequence[Remark]]:
    """Those that are told beside the answer, no two of a kind, and the others, which a view keeps
    for who asks."""
    firsts = {remark.kind: remark for remark in reversed(remarks)}
    told = [remark for remark in remarks if firsts[remark.kind] is remark][:AT_ONCE]
    return told, [remark for remark in remarks if remark not in told]
