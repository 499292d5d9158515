"""The answer of a sweep, and what it rests on."""

from dataclasses import dataclass

from sweeper.summary.sweep_data import SweepData


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a sweep has found out so far."""

    sweep: SweepData


def summarise(sweep: SweepData) -> Summary:
    """Compute everything that a report says; reads and draws nothing."""
    return Summary(sweep=sweep)
