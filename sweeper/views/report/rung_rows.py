"""What early stopping did, as rows and bars."""

from dataclasses import dataclass

from sweeper.analysis.summary.rungs import Saving
from sweeper.analysis.summary.summarising import Summary
from sweeper.views.format import count, duration, flops, number
from sweeper.views.report.figures.figure import clock_title

MAX_NAMED = 12  # trials that a rung's row names


@dataclass(frozen=True, kw_only=True)
class RungView:
    title: str
    reached: int
    kept: int
    stopped: int
    waiting: int
    best: str
    cutoff: str
    named: tuple[str, ...]  # the best trials that were kept
    unnamed: int


@dataclass(frozen=True, kw_only=True)
class SavingView:
    what: str
    spent: str
    full: str
    share: float  # of the full cost that was spent: the length of the bar
    saved: str


def rung_views(summary: Summary) -> tuple[RungView, ...]:
    return tuple(
        RungView(
            title=clock_title(summary.sweep, row.rung),
            reached=row.reached,
            kept=len(row.kept),
            stopped=len(row.stopped),
            waiting=len(row.waiting),
            best=number(row.best),
            cutoff=number(row.cutoff),
            named=row.kept[:MAX_NAMED],
            unnamed=max(0, len(row.kept) - MAX_NAMED),
        )
        for row in summary.rungs
    )


def saving_views(summary: Summary) -> tuple[SavingView, ...]:
    savings = summary.savings
    if savings is None:
        return ()
    costs = (
        ("tokens", savings.tokens, count),
        ("training time", savings.seconds, duration),
        ("FLOPs", savings.flops, flops),
    )
    return tuple(
        SavingView(
            what=what,
            spent=text(cost.spent),
            full=text(cost.full),
            share=_share(cost),
            saved=f"{cost.saved:.0%}",
        )
        for what, cost, text in costs
        if cost is not None and cost.spent < cost.full
    )


def _share(cost: Saving) -> float:
    return cost.spent / cost.full if cost.full else 1.0
