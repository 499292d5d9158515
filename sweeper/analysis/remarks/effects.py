"""Remarks on settings whose effect the noise hides."""

from collections.abc import Iterator

from sweeper.analysis.reading.sweep_data import TrialData
from sweeper.analysis.remarks.next_sweeps import listed_only, seeded
from sweeper.analysis.remarks.remark import Remark
from sweeper.analysis.summary.summarising import Summary
from sweeper.record.results.point_result import PointResult
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import swept_text

MORE_SEEDS = 3
MOST_NAMED = 4  # values


def effect_remarks(summary: Summary) -> Iterator[Remark]:
    """The best points of a setting's values, one of each, are closer together than Tukey's test can
    tell apart, for all points of the sweep at once. A size says by itself what is tied there."""
    noise = summary.winner.noise if summary.winner else None
    if noise is None or len(summary.points) < 2 or summary.sizes:
        return
    for parameter in summary.sweep.parameters:
        name = parameter.name
        best: dict[Scalar, PointResult[TrialData]] = {}
        for result in summary.points:  # best first
            if parameter.options and name in result.point:
                best.setdefault(result.point[name], result)
        if len(best) < 2 or len(best) < len(parameter.options):
            continue
        first, *_, last = best.values()
        apart, least = noise.compared(first, last, len(summary.points))
        if apart > least:
            continue
        shown = [swept_text(value) for value in list(best)[:MOST_NAMED]]
        text = (
            f"Which {name} is taken ({', '.join(shown)}{', …' if len(best) > MOST_NAMED else ''}) "
            f"changes the best loss by {apart:.4f}, less than the noise lets tell: its order is "
            "chance."
        )
        if len(summary.sweep.parameters) > 1:
            purpose = f"Leave {name} as it is"
            offer = listed_only(summary.sweep, name, [first.point[name]], purpose)
        else:
            points = [result.point for result in best.values()]
            offer = seeded(summary.sweep, points, MORE_SEEDS)
        yield Remark(kind="no effect", text=text, offer=offer)
