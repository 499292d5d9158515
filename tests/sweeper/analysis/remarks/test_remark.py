"""Which remarks are told beside an answer, and what is one thing to say."""

from dataclasses import replace

from sweeper.analysis.reading.sweep_data import Parameter
from sweeper.analysis.remarks.places import by_side, edge_text
from sweeper.analysis.remarks.remark import Kind, Remark, foremost
from sweeper.analysis.remarks.remarking import remarks_of
from sweeper.analysis.summary import summarise
from sweeper.analysis.summary.response import Edge
from sweeper.status import Status
from tests.sweeper.analysis.summary.sweeps import LEARNING_RATE, sweep_of, trial

KINDS: tuple[Kind, ...] = ("few", "few", "no effect")
DECAY = Parameter(name="weight_decay", scale="linear", options=(1, 2, 3), low=1, high=3)


def test_what_changes_the_decision_most_is_told_and_no_kind_twice() -> None:
    trials = [
        trial(f"{rate}-{decay}", {"learning_rate": rate, "weight_decay": decay}, 9 - rate - decay)
        for rate in (1e-3, 1e-2, 1e-1)
        for decay in (1, 2, 3)
    ]
    first, second, *kept = trials
    lost = [replace(first, status=Status.DIVERGED), replace(second, status=Status.FAILED)]
    remarks = remarks_of(summarise(sweep_of([*kept, *lost], [LEARNING_RATE, DECAY])))
    told, others = foremost(remarks)
    assert [remark.kind for remark in told] == ["failed", "diverged"]
    assert [remark.kind for remark in others] == ["edge"]
    assert others[0].text == (
        "The best learning_rate lies at the edge of the space: extend learning_rate above 0.1. "
        "The best weight_decay lies at the edge of the space: extend weight_decay above 3."
    )
    few, more, other = (Remark(kind=kind, text=str(n)) for n, kind in enumerate(KINDS))
    assert foremost([few, more, other]) == ([few, other], [more])


def test_sizes_whose_best_lies_at_one_end_are_told_together() -> None:
    high = [Edge(name="lr", side="high", bound=0.032, group=size) for size in ("xs", "s", "m")]
    low = Edge(name="lr", side="low", bound=0.004, group="l")
    assert [edge_text(edges) for edges in by_side([*high, low])] == [
        "The best lr for l lies at the edge of the space: extend lr below 0.004.",
        "The best lr for xs, s and m lies at the edge of the space: extend lr above 0.032.",
    ]
