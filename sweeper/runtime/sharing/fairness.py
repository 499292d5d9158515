"""Who has how much of a cluster that several sweeps share: values in, values out.

What is fair is weighted max-min fairness of each sweep's dominant resource (Ghodsi et al., Dominant
Resource Fairness, NSDI 2011), by progressive filling. That is seldom a whole number of slots, so
sweeps take turns with what is left over: each has an account of what it is owed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

from sweeper.plan.placement import Node, Room, Share

KEPT_FOR_OTHERS = 0.1  # of the cluster, for those of lower priorities that want it
TURN_SECONDS = 20.0
STAY = 0.5  # of a slot: by how much more another must be owed to take one that is in use
ENOUGH = 1e-9


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a sweep says of itself. `owed`: seconds of the whole cluster that it had less than what
    was fair."""

    sweep: str
    share: Share  # a slot's
    wants: int  # slots, with those that it holds
    holds: int
    weight: float = 1.0
    priority: int = 0
    owed: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What a sweep is told. It is for some seconds, and has to be asked for again."""

    slots: int
    contended: bool  # whether anybody wants more than there is
    owed: float  # to be told again where the broker has forgotten it


@dataclass(frozen=True)
class _Capacity:
    """CPUs and GPUs of the cluster, or a part of them."""

    cpus: float
    gpus: float

    def times(self, factor: float) -> "_Capacity":
        return _Capacity(self.cpus * factor, self.gpus * factor)

    def without(self, claims: Sequence[Claim], slots: Mapping[str, float]) -> "_Capacity":
        cpus = sum(claim.share.cpu * slots[claim.sweep] for claim in claims)
        gpus = sum(claim.share.gpu * slots[claim.sweep] for claim in claims)
        return _Capacity(max(0.0, self.cpus - cpus), max(0.0, self.gpus - gpus))


def leases(claims: Sequence[Claim], nodes: Sequence[Node]) -> dict[str, int]:
    """How many slots each sweep may have now. Slot by slot, the one goes first that lacks most of
    what is fair and of what it is owed; what nobody else can use goes to whoever can.

    What is owed counts up to what moves a part of a slot from one to the other. Beyond that it
    would take whole slots from who has no more than is fair."""
    fair, parts = fair_slots(claims, nodes), _parts(claims, nodes)
    rooms = [Room(node) for node in nodes]
    given = dict.fromkeys(fair, 0)
    first_room = dict.fromkeys(fair, 0)  # those before have none for its slots any more
    left = [claim for claim in claims if claim.wants > 0 and parts[claim.sweep] > 0]
    most = (1 + STAY) / 2 * max((parts[claim.sweep] for claim in left), default=0.0)

    def lacks(claim: Claim) -> float:
        had, part = given[claim.sweep], parts[claim.sweep]
        stays = STAY if had < claim.holds else 0.0
        owed = min(most, max(-most, claim.owed / TURN_SECONDS))
        return part * (fair[claim.sweep] - had + stays) + owed

    while left:
        claim = max(left, key=lacks)
        at = first_room[claim.sweep]
        while at < len(rooms) and not rooms[at].take(claim.share):
            at += 1
        first_room[claim.sweep] = at
        given[claim.sweep] += at < len(rooms)
        if at == len(rooms) or given[claim.sweep] == claim.wants:
            left.remove(claim)
    return given


def after(claims: Sequence[Claim], nodes: Sequence[Node], seconds: float) -> list[Claim]:
    """The claims when their sweeps have held what they hold for so long: who had less than what is
    fair is owed it, and who had more owes it. It is forgotten beyond some turns.

    Turns are taken with parts of slots. A whole slot is given at once, and that others first end
    their turns there is owed by nobody: to have it back, who was alone before would have to leave
    altogether for a minute. What nobody had is owed to nobody."""
    fair, parts = fair_slots(claims, nodes), _parts(claims, nodes)
    lacked = [parts[each.sweep] * (fair[each.sweep] - each.holds) for each in claims]
    too_little = sum(each for each in lacked if each > 0)
    of_others = min(1.0, -sum(each for each in lacked if each < 0) / (too_little or 1.0))
    found = []
    for claim in claims:
        part, due = parts[claim.sweep], fair[claim.sweep]
        had = min(max(claim.holds, floor(due + ENOUGH)), ceil(due - ENOUGH))
        owed = claim.owed + part * (due - had) * seconds * (of_others if due > had else 1.0)
        most = 3 * TURN_SECONDS * part
        found.append(replace(claim, owed=min(most, max(-most, owed))))
    return found


def fair_slots(claims: Sequence[Claim], nodes: Sequence[Node]) -> dict[str, float]:
    """What is fair, in slots, which need not be whole. The highest priority has what it wants, but
    for a tenth that is kept for the others."""
    return _by_priority(claims, _capacity(nodes), _capacity(nodes))


def _by_priority(claims: Sequence[Claim], free: _Capacity, cluster: _Capacity) -> dict[str, float]:
    highest = max((claim.priority for claim in claims), default=0)
    first = [claim for claim in claims if claim.priority == highest]
    others = [claim for claim in claims if claim.priority < highest]
    if not others:
        return _filled(first, free, cluster)
    kept = _by_priority(others, free.times(KEPT_FOR_OTHERS), cluster)
    found = _filled(first, free.without(others, kept), cluster)
    return found | _by_priority(others, free.without(first, found), cluster)


def _filled(claims: Sequence[Claim], free: _Capacity, cluster: _Capacity) -> dict[str, float]:
    """Progressive filling: all get more, each in the measure of its weight, until it has what it
    wants or something that it needs is used up."""
    slots = dict.fromkeys((claim.sweep for claim in claims), 0.0)
    pace = {}  # slots, while each part grows as the weights
    for claim in claims:
        part = _part(claim.share, cluster)
        if claim.wants > 0 and part > 0:
            pace[claim.sweep] = claim.weight / part
    by_name = {claim.sweep: claim for claim in claims}
    while pace:
        cpus = sum(pace[name] * by_name[name].share.cpu for name in pace)
        gpus = sum(pace[name] * by_name[name].share.gpu for name in pace)
        step = min((by_name[name].wants - slots[name]) / pace[name] for name in pace)
        step = min(
            step, *(left / used for left, used in ((free.cpus, cpus), (free.gpus, gpus)) if used)
        )
        grown = {name: pace[name] * step for name in pace}
        slots |= {name: slots[name] + more for name, more in grown.items()}
        free = free.without([by_name[name] for name in grown], grown)
        pace = {
            name: speed
            for name, speed in pace.items()
            if slots[name] < by_name[name].wants - ENOUGH
            and not (by_name[name].share.cpu and free.cpus < ENOUGH)
            and not (by_name[name].share.gpu and free.gpus < ENOUGH)
        }
    return slots


def _capacity(nodes: Sequence[Node]) -> _Capacity:
    return _Capacity(sum(node.cpus for node in nodes), sum(node.gpus for node in nodes))


def _parts(claims: Sequence[Claim], nodes: Sequence[Node]) -> dict[str, float]:
    cluster = _capacity(nodes)
    return {claim.sweep: _part(claim.share, cluster) for claim in claims}


def _part(share: Share, cluster: _Capacity) -> float:
    """The part of the cluster that a slot is, by what it has most of; 0 if it can have none."""
    if (share.cpu and not cluster.cpus) or (share.gpu and not cluster.gpus):
        return 0.0
    of_gpus = share.gpu / cluster.gpus if share.gpu else 0.0
    return max(share.cpu / cluster.cpus if share.cpu else 0.0, of_gpus)
