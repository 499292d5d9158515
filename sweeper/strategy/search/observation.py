"""What a sweep has learnt about a point: all that a searcher is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweeper.spec.points import Point
from sweeper.status import Status


@dataclass(frozen=True)
class Observation:
    """A point, and what became of its trials, one for each of `seeds:`.

    `status` is RUNNING until all of them have ended or wait at a rung; then it is COMPLETED,
    STOPPED, DIVERGED or FAILED.
    """

    point: Point
    status: Status
    value: float | None = None  # of the objective, where completed; None: it is missing
    curve: tuple[tuple[int, float], ...] = ()  # the objective over the time on the sweep's clock

    def to_dict(self) -> dict[str, object]:
        return {
            "values": self.point,
            "status": self.status.value,
            "value": self.value,
            "curve": [list(at) for at in self.curve],
        }

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> "Observation":
        curve = tuple((time, value) for time, value in stated["curve"])
        return cls(stated["values"], Status(stated["status"]), stated["value"], curve)
