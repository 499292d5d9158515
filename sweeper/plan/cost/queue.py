"""What a plan comes to on a cluster on which other sweeps are."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Part:
    """Of a cluster, while all that are on it want what they want now."""

    others: int | None  # sweeps that want some; None: not known
    slots: float  # need not be whole: sweeps take turns


@dataclass(frozen=True, kw_only=True)
class QueueForecast:
    """With that part. None: not known, or never."""

    others: int | None
    slots: float
    wall_seconds: float | None  # every trial to its end
    expected_wall_seconds: float | None


def beside_others(
    part: Part, wall_seconds: Callable[[int], tuple[float | None, float | None]]
) -> QueueForecast:
    """
    Args:
        wall_seconds: Of all trials, and as expected, with so many slots for itself.
    """
    slots = max(1, math.floor(part.slots))
    whole, expected = (
        None if seconds is None or part.slots == 0 else seconds * slots / part.slots
        for seconds in wall_seconds(slots)
    )
    return QueueForecast(
        others=part.others, slots=part.slots, wall_seconds=whole, expected_wall_seconds=expected
    )
