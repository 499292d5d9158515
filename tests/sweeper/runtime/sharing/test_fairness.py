"""What is fair among sweeps that share a cluster, and what they get of it over time."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sweeper.plan.placement import Node, Share, num_at_once
from sweeper.runtime.sharing.fairness import Claim, after, fair_slots, leases

CPU = Share(1, 0)
MANY = 1000


def claim(sweep: str, **others: object) -> Claim:
    return replace(Claim(sweep=sweep, share=CPU, wants=MANY, holds=0), **others)  # type: ignore[arg-type]


def simulated(claims: Sequence[Claim], nodes: Sequence[Node], seconds: int) -> dict[str, int]:
    """Slot-seconds of each sweep, which does at once what it is told."""
    had = {each.sweep: 0 for each in claims}
    for _ in range(seconds):
        lease = leases(claims, nodes)
        claims = after([replace(each, holds=lease[each.sweep]) for each in claims], nodes, 1.0)
        had = {name: had[name] + lease[name] for name in had}
    return had


def test_weights_are_parts_and_what_one_does_not_want_goes_to_the_others() -> None:
    three = [claim("a"), claim("b"), claim("c", weight=2.0)]
    assert fair_slots(three, [Node(8, 0)]) == pytest.approx({"a": 2, "b": 2, "c": 4})
    modest = [claim("a"), claim("b", wants=1), claim("c", weight=2.0)]
    assert fair_slots(modest, [Node(7, 0)]) == pytest.approx({"a": 2, "b": 1, "c": 4})


def test_the_dominant_resource_is_what_is_shared() -> None:
    """The example of the paper: 9 CPUs and 18 GB, here GPUs; <1, 4> and <3, 1>."""
    two = [claim("a", share=Share(1, 4)), claim("b", share=Share(3, 1))]
    assert fair_slots(two, [Node(9, 18)]) == pytest.approx({"a": 3, "b": 2})


def test_an_urgent_sweep_has_nine_tenths_and_its_first_slot_at_once() -> None:
    running = [claim("a", holds=4), claim("now", priority=1)]
    assert fair_slots(running, [Node(10, 0)]) == pytest.approx({"a": 1, "now": 9})
    for cpus in (1, 2, 4):
        assert leases(running, [Node(cpus, 0)])["now"] >= 1
    little = [claim("a"), claim("now", priority=1, wants=3)]
    assert fair_slots(little, [Node(10, 0)]) == pytest.approx({"a": 7, "now": 3})
    had = simulated([claim("a"), claim("now", priority=1)], [Node(1, 0)], 600)
    assert had["a"] / 600 == pytest.approx(0.1, abs=0.03), "nor does the other starve"


@pytest.mark.parametrize("cpus", [1, 2, 3, 4, 5, 7, 8, 16])
def test_one_one_two_over_ten_minutes(cpus: int) -> None:
    three = [claim("a"), claim("b"), claim("c", weight=2.0)]
    had = simulated(three, [Node(cpus, 0)], 600)
    for name, part in (("a", 0.25), ("b", 0.25), ("c", 0.5)):
        assert had[name] == pytest.approx(part * cpus * 600, rel=0.05)


def test_a_sweep_whose_slots_are_as_large_as_the_cluster_has_its_turns() -> None:
    two = [claim("large", share=Share(4, 0)), claim("small")]
    had = simulated(two, [Node(4, 0)], 600)
    assert 4 * had["large"] == pytest.approx(had["small"], rel=0.1)


CLAIMS = st.lists(
    st.builds(
        Claim,
        sweep=st.text("abcdef", min_size=1, max_size=3),
        share=st.builds(
            Share, cpu=st.sampled_from([0.5, 1, 2, 4]), gpu=st.sampled_from([0, 0, 0.25, 1, 2])
        ),
        wants=st.integers(0, 9),
        holds=st.integers(0, 9),
        weight=st.floats(0.1, 10),
        priority=st.integers(-1, 1),
        owed=st.floats(-60, 60),
    ),
    max_size=6,
    unique_by=lambda each: each.sweep,
)
NODES = st.lists(
    st.builds(Node, cpus=st.sampled_from([0, 1, 4, 8]), gpus=st.sampled_from([0, 0, 1, 2])),
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(claims=CLAIMS, nodes=NODES)
def test_what_is_given_fits_and_nothing_lies_idle_that_somebody_wants(
    claims: list[Claim], nodes: list[Node]
) -> None:
    lease = leases(claims, nodes)
    assert lease == leases(claims, nodes)
    wants = {each.sweep: each.wants for each in claims}
    assert all(0 <= lease[name] <= wants[name] for name in wants)
    assert sum(each.share.cpu * lease[each.sweep] for each in claims) <= sum(
        node.cpus for node in nodes
    )
    assert sum(each.share.gpu * lease[each.sweep] for each in claims) <= sum(
        node.gpus for node in nodes
    )
    if len(claims) == 1:
        (only,) = claims
        assert lease[only.sweep] == num_at_once([only.share] * only.wants, nodes, only.wants)
    if any(each.wants and num_at_once([each.share], nodes, 1) for each in claims):
        assert any(lease.values())


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(claims=CLAIMS, cpus=st.integers(4, 8))
def test_none_starves(claims: list[Claim], cpus: int) -> None:
    nodes = [Node(cpus, 2)]
    had = simulated([replace(each, owed=0.0, priority=0) for each in claims], nodes, 600)
    for each in claims:
        assert had[each.sweep] > 0 or each.wants == 0
