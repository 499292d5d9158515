"""What a sweep takes over from an earlier one: `search.from`, as its journal records it."""

from dataclasses import dataclass

from sweeper.record.state.events import ObservedPoint, WarmStarted, now
from sweeper.strategy.surface.observation import Observation


@dataclass(frozen=True)
class WarmStart:
    """The points of another sweep that lie in this one's space, and what became of them.

    `different` are the settings that at least one of the two sweeps leaves fixed and that differ
    between them: results may then not be comparable.
    """

    run: str
    observations: tuple[Observation, ...]
    unfit: int  # points with results that lie outside the space
    different: tuple[str, ...] = ()

    def to_event(self) -> WarmStarted:
        points = tuple(
            ObservedPoint(values=o.point, status=o.status, value=o.value, curve=o.curve)
            for o in self.observations
        )
        return WarmStarted(
            time=now(), run=self.run, points=points, unfit=self.unfit, different=self.different
        )

    @classmethod
    def from_event(cls, event: WarmStarted) -> "WarmStart":
        seen = tuple(Observation(p.values, p.status, p.value, p.curve) for p in event.points)
        return cls(event.run, seen, event.unfit, event.different)

    def summary(self) -> str:
        told = f"From {self.run}: the results of {len(self.observations)} points"
        if self.unfit:
            told += f"; {self.unfit} did not fit this space"
        if self.different:
            told += f"\nOther settings differ there: {', '.join(self.different)}"
        return told
