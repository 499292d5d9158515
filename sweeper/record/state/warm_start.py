"""What a sweep takes over from an earlier one: `search.from`, as its journal records it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweeper.strategy.search.observation import Observation


@dataclass(frozen=True)
class WarmStart:
    """The points of another sweep that lie in this one's space, and what became of them.

    `different` are the settings that both leave fixed, or one of them, and that differ: results
    may then not be comparable.
    """

    run: str
    observations: tuple[Observation, ...]
    unfit: int  # points with results that lie outside the space
    different: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "points": [seen.to_dict() for seen in self.observations],
            "unfit": self.unfit,
            "different": list(self.different),
        }

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> "WarmStart":
        observations = tuple(Observation.from_dict(point) for point in stated["points"])
        return cls(stated["run"], observations, stated["unfit"], tuple(stated["different"]))

    def summary(self) -> str:
        told = f"From {self.run}: the results of {len(self.observations)} points"
        if self.unfit:
            told += f"; {self.unfit} did not fit this space"
        if self.different:
            told += f"\nOther settings differ there: {', '.join(self.different)}"
        return told
