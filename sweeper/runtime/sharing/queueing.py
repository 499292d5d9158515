"""What a sweep that has not begun would have of a cluster on which others are."""

from collections.abc import Sequence

from sweeper.plan.cost.queue import Part
from sweeper.plan.placement import Node, Placement, Share
from sweeper.plan.plan import Plan
from sweeper.runtime.sharing.fairness import Claim, fair_slots

PLANNED = ""  # no sweep is called so


def part_beside(
    claims: Sequence[Claim] | None, nodes: Sequence[Node], plan: Plan, placement: Placement
) -> Part | None:
    """None: it would have the cluster for itself.

    Args:
        claims: None: not known.
    """
    if claims is None:
        return Part(others=None, slots=placement.slots)
    others = [claim for claim in claims if claim.wants > 0]
    if not others:
        return None
    claim = claim_of(PLANNED, plan, placement, wants=placement.slots)
    slots = fair_slots([*others, claim], nodes)[PLANNED]
    return Part(others=len(others), slots=slots)


def claim_of(name: str, plan: Plan, placement: Placement, *, wants: int) -> Claim:
    """What a sweep says of itself before it holds anything."""
    share = plan.spec.share
    return Claim(
        sweep=name, share=_largest_share(plan, placement), wants=wants, holds=0,
        weight=share.weight, priority=share.priority,
    )  # fmt: skip


def _largest_share(plan: Plan, placement: Placement) -> Share:
    """What a slot is, where trials get different shares. With less it would get too many."""
    shares = {placement.share(trial.values) for trial in plan.trials}
    return max(shares, key=lambda share: (share.gpu, share.cpu))
