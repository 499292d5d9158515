"""Which remarks are told beside an answer, and what is one thing to say."""

from sweeper.analysis.remarks.places import by_side, edge_text
from sweeper.analysis.remarks.remark import AT_ONCE, Remark, foremost
from sweeper.analysis.remarks.remarking import remarks_of
from sweeper.analysis.summary import summarise
from sweeper.analysis.summary.response import Edge
from sweeper.status import Status
from tests.sweeper.analysis.summary.sweeps import by_rate, sweep_of


def test_what_changes_the_decision_most_is_told_and_the_others_are_kept() -> None:
    lost = by_rate({1.0: 9.0}, status=Status.DIVERGED)
    kept = by_rate({1e-3: 2.0, 1e-2: 1.5, 1e-1: 1.25})
    remarks = remarks_of(summarise(sweep_of([*kept, *lost])))
    assert [remark.kind for remark in remarks] == ["edge", "diverged"]
    more = [*remarks, Remark(kind="no effect", text="")]
    assert foremost(more) == (more[:AT_ONCE], more[AT_ONCE:])


def test_sizes_whose_best_lies_at_one_end_are_told_together() -> None:
    high = [Edge(name="lr", side="high", bound=0.032, group=size) for size in ("xs", "s", "m")]
    low = Edge(name="lr", side="low", bound=0.004, group="l")
    assert [edge_text(edges) for edges in by_side([*high, low])] == [
        "The best lr for l lies at the edge of the space: extend lr below 0.004.",
        "The best lr for xs, s and m lies at the edge of the space: extend lr above 0.032.",
    ]
