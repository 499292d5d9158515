"""Which trials have to leave, by what the broker and the cluster say, without either."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.audience import Audience
from sweeper.plan.placement import Node, Placement, Share
from sweeper.record.run_folder import create_run_folder
from sweeper.runtime.ray_tune.shared import places as module
from sweeper.runtime.ray_tune.shared.places import Places
from sweeper.runtime.sharing.allowance import Allowance
from sweeper.runtime.sharing.fairness import Claim, Lease
from sweeper.spec.sweep_spec import Resources
from tests.sweeper.in_process import opened


class Around:
    """The cluster and its broker, as the test has them."""

    def __init__(self) -> None:
        self.nodes: tuple[Node, ...] = (Node(4, 0),)
        self.going: set[str] = set()
        self.slots = 4
        self.said: list[str] = []

    def ask(self, claim: Claim) -> Lease:
        return Lease(slots=self.slots, contended=self.slots < claim.wants, owed=0.0)


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Around:
    there = Around()
    monkeypatch.setattr(module, "going_nodes", lambda: there.going)
    monkeypatch.setattr(module, "staying_nodes", lambda going=None: there.nodes)
    return there


@contextmanager
def places_of(around: Around, tmp_path: Path, plan: Any) -> Iterator[Places]:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    claim = Claim(sweep="tiny", share=Share(1, 0), wants=0, holds=0)
    with opened(folder, plan) as sweep:
        for _ in range(4):
            assert sweep.next_trial() is not None
        allowance = Allowance(4, claim, around.ask)
        placement = Placement(Resources(), slots=4)
        yield Places(sweep, placement, allowance, Audience(sweep, []), around.said.append)


def test_the_newest_leave_those_without_a_place_first(
    around: Around, tmp_path: Path, tiny_plan: Any
) -> None:
    live = ["0000", "0001", "0002", "0003"]
    with places_of(around, tmp_path, tiny_plan()) as places:
        places.watch(live, live, 10.0, more=True)
        assert (places.leaving, places.may_idle) == (set(), 4)
        around.slots = 2
        places.watch(live, ["0000", "0002", "0003"], 12.0, more=True)
        assert places.leaving == {"0001", "0003"}
        assert places.may_idle == 0
        places.sweep.start("0003")
        for trial_id in ("0001", "0003"):
            places.left(trial_id)
        places.watch(["0000", "0002"], ["0000", "0002"], 14.0, more=True)
        assert places.leaving == set()
        assert [each.trial_id for _ in range(2) if (each := places.sweep.next_trial())] == [
            "0003", "0001",
        ]  # fmt: skip


def test_a_program_that_cannot_be_asked_to_save_itself_keeps_its_place(
    around: Around, tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with places_of(around, tmp_path, tiny_plan()) as places:
        monkeypatch.setattr(Places, "_can_save", False)
        around.slots = 0
        places.watch(["0000", "0001"], ["0000"], 10.0, more=True)
        assert places.leaving == {"0001"}, "which has none yet"


def test_who_is_on_a_node_that_goes_leaves_it_and_nodes_that_come_are_counted(
    around: Around, tmp_path: Path, tiny_plan: Any
) -> None:
    live = ["0000", "0001"]
    with places_of(around, tmp_path, tiny_plan()) as places:
        places.runs_on("0000", "old")
        places.runs_on("0001", "new")
        around.going, around.nodes = {"old"}, (Node(2, 0), Node(1, 0))
        places.watch(live, live, 10.0, more=True)
        assert places.leaving == {"0000"}
        assert (places.allowance.slots, places.may_idle) == (3, 0)
        assert around.said == [
            "A node of the cluster is about to go: trials there save themselves and leave."
        ]


def test_where_no_node_is_left_one_is_still_handed_out_for_which_a_node_is_waited(
    around: Around, tmp_path: Path, tiny_plan: Any
) -> None:
    with places_of(around, tmp_path, tiny_plan()) as places:
        around.nodes = ()
        places.watch([], [], 10.0, more=True)
        assert places.allowance.slots == 1
