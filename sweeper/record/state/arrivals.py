"""Which trial has reached which rung, and whether it went on from there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sweeper.record.state.events import Evaluated
from sweeper.status import Decision


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A trial at a rung. `kept`: whether it went on, from its own weights; None while it waits to
    be promoted."""

    rung: int  # on the scheduler's clock
    trial_id: str
    step: int
    value: float | None
    kept: bool | None


class Arrivals:
    """All of a sweep, in their order."""

    def __init__(self) -> None:
        self._by_place: dict[tuple[str, int], Arrival] = {}  # trial and rung

    def __iter__(self) -> Iterator[Arrival]:
        return iter(self._by_place.values())

    def add(self, event: Evaluated, value: float | None, *, ended: bool) -> None:
        """
        Args:
            value: The objective.
            ended: The trial is at its last step.
        """
        if event.rung is None:
            return
        self._by_place[event.trial, event.rung] = Arrival(
            rung=event.rung,
            trial_id=event.trial,
            step=event.metrics.step,
            value=value,
            kept=_kept(event, ended=ended),
        )

    def settle(self, trial_id: str, rung: int | None, *, kept: bool) -> None:
        """Whether the trial went on, where that was open; a decision that was made stands."""
        arrival = self._by_place.get((trial_id, rung)) if rung is not None else None
        if arrival is not None and arrival.kept is None:
            self._by_place[trial_id, arrival.rung] = replace(arrival, kept=kept)


def _kept(event: Evaluated, *, ended: bool) -> bool | None:
    if event.metrics.diverged:
        return False
    if ended:
        return True
    return {Decision.CONTINUE: True, Decision.STOP: False}.get(event.decision)
