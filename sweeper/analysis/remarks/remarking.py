"""All that is to be said of a sweep's answer, and the sweeps to run next."""

from collections.abc import Iterator, Sequence

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.remarks.effects import MORE_SEEDS, effect_remarks
from sweeper.analysis.remarks.losses import diverged_remarks, failed_remarks, flattered_remarks
from sweeper.analysis.remarks.next_sweeps import resume_command, seeded
from sweeper.analysis.remarks.places import edge_remarks, few_remarks
from sweeper.analysis.remarks.remark import Offer, Remark, by_weight
from sweeper.analysis.remarks.schedules import schedule_remarks
from sweeper.analysis.remarks.sizes import size_remarks
from sweeper.analysis.summary.summarising import Summary

SEVERAL = 4  # points at most that are run again together


REMARKS = (
    flattered_remarks,
    failed_remarks,
    size_remarks,
    diverged_remarks,
    edge_remarks,
    schedule_remarks,
    few_remarks,
    effect_remarks,
)


def remarks_of(summary: Summary) -> tuple[Remark, ...]:
    """What keeps the answer from being what it seems, what changes it most first; nothing, of an
    ordinary good sweep."""
    return by_weight(remark for remarks in REMARKS for remark in remarks(summary))


def offers_of(summary: Summary, remarks: Sequence[Remark]) -> tuple[Offer, ...]:
    """The next sweeps: those of the remarks on it, and more seeds for what is tied or not known to
    be apart. Each once."""
    offers = [*(remark.offer for remark in remarks), *_more_seeds(summary)]
    return tuple({offer.command: offer for offer in offers if offer is not None}.values())


def _more_seeds(summary: Summary) -> Iterator[Offer | None]:
    """For what is tied, or not known to be apart: the finals; where it has had them, a sweep."""
    sweep, winner = summary.sweep, summary.winner
    if winner is None or len(summary.points) < 2:
        return
    if summary.sizes and sweep.finals is None:
        yield _more_seeds_of_each_size(summary)
        return
    tied = summary.points[:2] if winner.noise is None else winner.noise.tied
    if len(tied) < 2:
        return
    if sweep.finals is None and _may_have_finals(sweep):
        purpose = "Run the best ones with more seeds, until one stands out"
        yield Offer(purpose=purpose, command=resume_command(sweep, "--finals"))
    else:
        yield seeded(sweep, [result.point for result in tied[:SEVERAL]], MORE_SEEDS)


def _more_seeds_of_each_size(summary: Summary) -> Offer | None:
    """The best of each and the first that is tied with it; None where none is tied."""
    sizes, sweep = summary.sizes, summary.sweep
    bests = [size.best.point for size in sizes if size.best is not None]
    tied = [rival.point for size in sizes for rival in size.rivals[:1]]
    if sweep.seeds and not tied:
        return None
    what = "the best of each size"
    return seeded(sweep, [*bests, *tied], MORE_SEEDS if sweep.seeds else MORE_SEEDS - 1, what)


def _may_have_finals(sweep: SweepData) -> bool:
    """Whether its points can run again with other seeds."""
    if sweep.spec is None or sweep.scheduler == "pbt":
        return False
    return not any("seed" in domain.sets(name) for name, domain in sweep.spec.space.items())
