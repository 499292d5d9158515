"""How far a sweep's winner can be trusted, in words: the same in every view."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sweeper.analysis.noise import Noise, noise_in
from sweeper.record.ranking import Margin, Ranking
from sweeper.record.results.point_result import PointResult, T
from sweeper.record.state.finals import Finals
from sweeper.spec.points import Point, point_text, swept_text
from sweeper.status import Status
from sweeper.views.format import number

NOISE_UNKNOWN = (
    "Whether that is more than noise is not known: no two settings have repeats that completed."
)
MAX_NAMED = 4  # points that one sentence names
Naming = Callable[[Point], str]
UNDER_WAY = {
    Status.RUNNING: "which still runs",
    Status.PAUSED: "which waits at its rung",
    Status.INTERRUPTED: "which was interrupted",
    Status.PENDING: "which has still to go on",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`clear`: the winner is ahead by more than noise. `open`: the sweep is not at its end."""

    kind: Literal["clear", "tied", "unknown", "open"]
    text: str


def why_none(ranking: Ranking[T]) -> str:
    """Why there is no best point, where there is none, as a clause."""
    if not ranking.none_is_left:
        return "no trial has completed"
    assert ranking.finals is not None, "they leave none"
    who = "finalist that was still in the race" if ranking.finals.points else "point"
    return f"a seed of each {who} diverged"


def basis_of(ranking: Ranking[T], point: PointResult[T]) -> str:
    """What the value of a point is; nothing where it is that of its one trial."""
    if is_corrected(ranking, point):
        mean = number(point.mean)
        return f"{mean} over the seeds that it had, corrected for what these do to all points"
    return f"the mean over {len(point.values)} seeds" if len(point.values) > 1 else ""


def is_corrected(ranking: Ranking[T], point: PointResult[T]) -> bool:
    """Whether what a point stands by is another number than its mean, as it is shown."""
    return number(ranking.value_of(point)) != number(point.mean)


def verdict_of(
    ranking: Ranking[T], *, finished: bool, named: Naming = point_text
) -> Verdict | None:
    """None where there is nothing to compare.

    Args:
        named: How a point is written.
    """
    if ranking.best is None or ranking.margin is None:
        return None
    noise, finals = noise_in(ranking), ranking.finals
    if finals is not None and len(finals.points) > 1:
        return _of_finals(ranking, noise, finals, named)
    so_far = "" if finished else ", so far"
    others = ranking.points[1:]
    if others and all(p.has_diverged for p in others) and not ranking.best.has_diverged:
        text = _only_one(ranking.best.point, f"{len(ranking.points)} points", so_far, named)
        return Verdict(kind="clear" if finished else "open", text=text)
    if noise is None or noise.least_difference is None:
        return Verdict(kind="unknown", text=NOISE_UNKNOWN)
    why = ground(noise)
    if len(noise.tied) > 1:
        rivals = listing([point.point for point in noise.tied[1:]], named)
        text = f"That is within the noise{so_far}, so tied with {rivals}: {why}"
        return Verdict(kind="tied", text=text)
    text = f"That is more than noise{so_far}: {why}"
    return Verdict(kind="clear" if finished else "open", text=text)


def _of_finals(
    ranking: Ranking[T], noise: Noise[T] | None, finals: Finals, named: Naming
) -> Verdict:
    num_points = len(finals.points)
    if finals.ended is None:
        text = (
            f"Of {num_points} points in the finals none stands out so far: "
            f"{len(finals.trials)} trials of at most {finals.most_trials} have begun."
        )
        return Verdict(kind="open", text=text)
    left_out = _left_out(noise) if noise is not None else ""
    if len(ranking.finalists) < 2:
        text = _only_one(ranking.racing[0].point, f"{num_points} finalists", "", named)
        return Verdict(kind="clear", text=text + left_out)
    if noise is None:
        text = f"Still tied after the finals of {num_points} points: none of their seeds completed."
        return Verdict(kind="tied", text=text)
    why = f"{ground(noise)}{left_out}"
    if len(noise.tied) > 1:
        tied = listing([point.point for point in noise.tied], named)
        text = f"Still tied after the finals: {tied} ({_seeds(noise.tied)}): {why}"
        return Verdict(kind="tied", text=text)
    others = listing([point.point for point in ranking.finalists[1:]], named)
    sure = _percent(finals.rules.confidence)
    text = (
        f"{named(noise.tied[0].point)} beats {others} at {sure} ({_seeds(ranking.finalists)}): "
        f"{why}"
    )
    return Verdict(kind="clear", text=text)


def _only_one(point: Point, of: str, so_far: str, named: Naming) -> str:
    return f"{named(point)} is the only one of {of} of which no seed diverged{so_far}."


def challenge_text(margin: Margin[T], named: Naming = point_text) -> str:
    """What a trial that is under way has to say about the best."""
    assert margin.step is not None, "it has no end yet"
    place = "ahead of" if margin.value < 0 else "behind"
    return (
        f"{named(margin.trial.point)}, {UNDER_WAY[margin.trial.status]}, was "
        f"{number(abs(margin.value))} {place} it at step {margin.step:,}."
    )


def listing(points: Sequence[Point], named: Naming = point_text) -> str:
    """`learning_rate 0.0012 and 0.0024`: the only name of all points is said once."""
    names = [named(point) for point in points]
    if len(points) == 1:
        return names[0]
    if len(points) > MAX_NAMED:
        return f"{names[0]} and {len(names) - 1} others"
    if all(len(point) == 1 and point.keys() == points[0].keys() for point in points):
        names[1:] = [swept_text(value) for point in points[1:] for value in point.values()]
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return "; ".join(names)


def _seeds(points: Sequence[PointResult[T]]) -> str:
    """`4 seeds each`, `3 to 4 seeds each`."""
    counts = sorted({len(point.values) for point in points})
    return f"{' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} seeds each"


def ground(noise: Noise[T]) -> str:
    """What a claim about noise rests on."""
    assert noise.least_difference is not None
    alone, test = "", "Tukey"
    deviation, degrees = noise.deviation, noise.degrees
    if noise.blocks is not None:
        alone, test = ", beside what it does to all alike,", "Tukey, seed by seed"
        deviation, degrees = noise.blocks.deviation, noise.blocks.degrees
    return (
        f"another seed alone{alone} moves it by {number(deviation)} (standard deviation, pooled, "
        f"{degrees} degrees of freedom), so less than {number(noise.least_difference)} "
        f"between the first two can be chance ({test}, {_percent(noise.confidence)})."
    )


def _left_out(noise: Noise[T]) -> str:
    if not (left_out := len(noise.left_out)):
        return ""
    others = "1 point that was" if left_out == 1 else f"{left_out} points that were"
    return f" Nor can {others} not in the finals be told from it: `finals.top` takes in more."


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
