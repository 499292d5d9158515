"""Remarks on where the best lies: at the edge of the space, or with too few values around it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sweeper.analysis.reading.sweep_data import Parameter, SweepData
from sweeper.analysis.remarks.next_sweeps import extended, refined
from sweeper.analysis.remarks.remark import Remark
from sweeper.analysis.summary.response import Curve, Edge, Response
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point, swept_text

FEWEST = 4  # values of a setting, below which a curve says nothing of its own shape
COARSE = 4.0  # two octaves between the best value and the next is more than a curve can bridge


def edge_remarks(summary: Summary) -> Iterator[Remark]:
    """Of every size, where the answer is one for each; else of the best point's own group, and the
    others are told beside their plots. Those of all settings are one remark with one sweep."""
    texts, beyond = [], []
    for response in summary.responses:
        told = {None, *({edge.group for edge in response.edges} if summary.sizes else ())}
        told.add(_group(summary, response))
        for edges in by_side([edge for edge in response.edges if edge.group in told]):
            texts.append(edge_text(edges))
            beyond.append((response.parameter, edges[0].side))
    if texts:
        offer = extended(summary.sweep, beyond, _best(summary))
        yield Remark(kind="edge", text=" ".join(texts), offer=offer)


def by_side(edges: Sequence[Edge]) -> list[list[Edge]]:
    """Those of a setting at one end of the space, which are one thing to say, at one end after the
    other."""
    sides = ([edge for edge in edges if edge.side == side] for side in ("low", "high"))
    return [side for side in sides if side]


def edge_text(edges: Sequence[Edge]) -> str:
    """What to try next, as in `extend learning_rate above 0.0384`.

    Args:
        edges: Of one setting, at one end of the space.
    """
    edge, *_ = edges
    side = "below" if edge.side == "low" else "above"
    *first, last = [swept_text(edge.group) for edge in edges]
    groups = f"{', '.join(first)} and {last}" if first else last
    of = "" if edge.group is None else f" for {groups}"
    return (
        f"The best {edge.name}{of} lies at the edge of the space: extend {edge.name} "
        f"{side} {swept_text(edge.bound)}."
    )


def few_remarks(summary: Summary) -> Iterator[Remark]:
    for response in summary.responses:
        parameter, group = response.parameter, _group(summary, response)
        curves = [curve for curve in response.curves if curve.group == group]
        at_edge = any(edge.group == group for edge in response.edges)
        if parameter.scale == "category" or parameter.is_budget:
            continue
        if not curves or at_edge:
            continue
        tried = _tried(summary, parameter, response, group)
        best = _lowest(summary.sweep, curves[-1])
        if len(tried) < 2 or best not in tried:
            continue
        at = tried.index(best)
        around = tried[max(0, at - 1) : at + 2]
        offer = refined(summary.sweep, parameter, around)
        if len(tried) < FEWEST:
            text = (
                f"Of {parameter.name} only {len(tried)} values were compared: too few to say where "
                "the best lies."
            )
            yield Remark(kind="few", text=text, offer=offer)
        elif parameter.scale == "log" and around[0] > 0 and _gap(around) > COARSE:
            others = [swept_text(value) for value in around if value != best]
            text = (
                f"Beside {parameter.name} {swept_text(best)} nothing nearer than "
                f"{' and '.join(others)} was compared: the best may lie far from it."
            )
            yield Remark(kind="few", text=text, offer=offer)


def _gap(around: list[float]) -> float:
    return max(b / a for a, b in pairwise(around))


def _lowest(sweep: SweepData, curve: Curve) -> Scalar:
    return min(curve.samples, key=lambda sample: sweep.sign * sample.value).x


def _tried(
    summary: Summary, parameter: Parameter, response: Response, group: Scalar
) -> list[float]:
    """The values that say something of the end: of points that came to it or are forecast, and
    those that were compared at the last rung."""
    points = [end.point for end in summary.ends]
    level = summary.levels[-1] if summary.levels else None
    if level is not None and not level.is_end:
        points += [t.point for t in summary.sweep.trials if t.trial_id in level.values]
    return sorted(
        {
            value
            for point in points
            if response.grouped_by is None or point.get(response.grouped_by) == group
            if isinstance(value := point.get(parameter.name), int | float)
        }
    )


def _best(summary: Summary) -> Point:
    leader = summary.sweep.ranking.leader
    return {} if leader is None else leader.point


def _group(summary: Summary, response: Response) -> Scalar:
    return None if response.grouped_by is None else _best(summary).get(response.grouped_by)
