"""Remarks on trials that are missing from the picture: diverged, failed, or stopped seeds."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.remarks.next_sweeps import narrowed, refined, resume_command, seeded
from sweeper.analysis.remarks.remark import Offer, Remark
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.points import point_text, swept_text
from sweeper.status import Status

MOST_INSIDE = 0.5  # of the other trials in a place that the lost ones have in common


def diverged_remarks(summary: Summary) -> Iterator[Remark]:
    sweep = summary.sweep
    lost = [trial for trial in sweep.trials if trial.status is Status.DIVERGED]
    if not lost or len(lost) == len(sweep.trials):
        return  # that all of them did is the headline
    place = place_of(sweep, lost)
    where = "" if place is None else f", {place.text}"
    text = (
        f"{len(lost)} of {len(sweep.trials)} diverged{where}: what is said of losses is said of "
        "the others."
    )
    yield Remark(kind="diverged", text=text, offer=_below(summary, lost, place))


def failed_remarks(summary: Summary) -> Iterator[Remark]:
    sweep = summary.sweep
    lost = [trial for trial in sweep.trials if trial.status is Status.FAILED]
    if not lost or len(lost) == len(sweep.trials):
        return
    place = place_of(sweep, lost)
    where = "" if place is None else f", {place.text}"
    text = f"{len(lost)} of {len(sweep.trials)} failed{where}: nothing is known of them."
    command = resume_command(sweep, "--retry-failed")
    yield Remark(kind="failed", text=text, offer=Offer(purpose="Try them again", command=command))


def flattered_remarks(summary: Summary) -> Iterator[Remark]:
    """Means of the better seeds only, among the points that may be the best."""
    if summary.winner is None:
        return
    noise = summary.winner.noise
    leading = noise.tied if noise is not None else [summary.winner.best]
    for result in [result for result in leading if result.is_flattered][:1]:
        text = (
            f"Take {point_text(result.point)} with care: only {len(result.values)} of its "
            f"{len(result.trials)} seeds ran to the end, the better ones."
        )
        points = [result.point, *(p.point for p in summary.points[:2] if p is not result)]
        yield Remark(kind="flattered", text=text, offer=seeded(summary.sweep, points[:2], 0))


@dataclass(frozen=True)
class Place:
    """What lost trials have in common."""

    parameter: Parameter
    text: str
    others: int  # that were not lost there
    low: float | None = None  # where it begins, if everything above is of it


def place_of(sweep: SweepData, lost: Sequence[TrialData]) -> Place | None:
    """The part of the space that the lost trials lie in and the fewest of the others. None where
    that says little."""
    gone = {trial.trial_id for trial in lost}
    others = [trial for trial in sweep.trials if trial.trial_id not in gone and trial.evaluations]
    if not others:
        return None
    places = [place for p in sweep.parameters for place in _places(p, lost, others)]
    best = min(places, key=lambda place: place.others, default=None)
    return best if best is not None and best.others <= MOST_INSIDE * len(others) else None


def _places(
    parameter: Parameter, lost: Sequence[TrialData], others: Sequence[TrialData]
) -> Iterator[Place]:
    name = parameter.name
    values = [trial.point.get(name) for trial in lost]
    if parameter.scale == "category":
        if len(set(values)) == 1:
            inside = sum(trial.point.get(name) == values[0] for trial in others)
            yield _place(parameter, f"{name} {swept_text(values[0])}", inside, len(lost))
        return
    numbers = [value for value in values if isinstance(value, int | float)]
    known = [v for trial in others if isinstance(v := trial.point.get(name), int | float)]
    if len(numbers) < len(lost):
        return
    low, high = min(numbers), max(numbers)
    above, below = sum(v >= low for v in known), sum(v <= high for v in known)
    upward, downward = f"{name} {swept_text(low)} and above", f"{name} {swept_text(high)} and below"
    yield _place(parameter, upward, above, len(lost), low, _edge(known, "and below", below=low))
    yield _place(parameter, downward, below, len(lost), edge=_edge(known, "and above", above=high))


def _edge(
    known: Sequence[float], which: str, *, below: float = math.inf, above: float = -math.inf
) -> str:
    """The last value on the other side, up to which none was lost."""
    safe = [value for value in known if above < value < below]
    if not safe:
        return ""
    return f"; at {swept_text(max(safe) if which == 'and below' else min(safe))} {which} none did"


def _place(
    parameter: Parameter,
    where: str,
    others: int,
    number: int,
    low: float | None = None,
    edge: str = "",
) -> Place:
    all_at = f"all at {where}" if number > 1 else f"at {where}"
    did = f", where {others} other{'s' if others > 1 else ''} did not" if others else ""
    return Place(parameter, f"{all_at}{did}{edge}", others, low)


def _below(summary: Summary, lost: Sequence[TrialData], place: Place | None) -> Offer | None:
    """A closer look between the best value and where training breaks, if the one is next to the
    other; else what is left without that."""
    leader = summary.sweep.ranking.leader
    if place is None or leader is None or place.parameter.scale == "category":
        return None
    name = place.parameter.name
    best = leader.point.get(name)
    tried = {v for t in summary.sweep.trials if isinstance(v := t.point.get(name), int | float)}
    values = sorted(tried)
    if not isinstance(best, int | float) or best not in values:
        return None
    at, gone = values.index(best), {trial.point.get(name) for trial in lost}
    around = values[max(0, at - 1) : at + 2]
    if not gone.isdisjoint(around):
        return refined(summary.sweep, place.parameter, around)
    left = [value for value in values if value not in gone]
    return narrowed(summary.sweep, place.parameter, left, f"Leave out the {name} that breaks")
