"""Which trials have to leave, by what the broker and the cluster say, without either."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.audience import Audience
from sweeper.plan.placement import Node, Placement, Share
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.runtime.ray_tune.shared import places as module
from sweeper.runtime.ray_tune.shared.places import Places, sharing
from sweeper.runtime.sharing.allowance import Allowance
from sweeper.runtime.sharing.fairness import TURN_SECONDS, Claim, Lease
from sweeper.spec.sweep_spec import ResourceCase, Resources
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
        for trial_id in live:
            places.runs_on(trial_id, "node", 12.0 - TURN_SECONDS)
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
        places.runs_on("0000", "old", -TURN_SECONDS)
        around.slots, around.going = 0, {"old"}
        places.watch(["0000", "0001"], ["0000"], 10.0, more=True)
        assert places.leaving == {"0001"}, "which has none yet"
        assert around.said == []


def test_who_is_on_a_node_that_goes_leaves_it_and_nodes_that_come_are_counted(
    around: Around, tmp_path: Path, tiny_plan: Any
) -> None:
    live = ["0000", "0001"]
    with places_of(around, tmp_path, tiny_plan()) as places:
        places.runs_on("0000", "old", 10.0)
        places.runs_on("0001", "new", 10.0)
        around.going = {"another"}
        places.watch(live, live, 7.0, more=True)
        assert (places.leaving, places.may_idle, around.said) == (set(), 4, [])
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


def test_who_takes_long_to_start_trains_for_a_turn_before_it_leaves(
    around: Around, tmp_path: Path, tiny_plan: Any
) -> None:
    live = ["0000", "0001"]
    with places_of(around, tmp_path, tiny_plan()) as places:
        for trial_id in live:
            places.runs_on(trial_id, "node", 0.0)
        places.starts("0001")  # another attempt
        around.slots = 1
        places.watch(live, live, 100.0, more=True)
        assert places.leaving == {"0000"}, "the other, though newer, has made no step yet"
        places.left("0000")
        around.slots = 0
        places.runs_on("0001", "node", 110.0)
        for now, leaving in ((120.0, set()), (110.0 + TURN_SECONDS, {"0001"})):
            places.watch(["0001"], ["0001"], now, more=True)
            assert places.leaving == leaving


def test_a_sweep_whose_trials_get_different_shares_claims_the_largest(
    around: Around, tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, claims = tiny_plan(), list[Claim]()
    case = ResourceCase(when={"learning_rate": plan.trials[0].values["learning_rate"]}, gpu=2)
    monkeypatch.setenv("RAY_ADDRESS", "there:6379")
    monkeypatch.setattr(module.AskBroker, "__call__", lambda _, claim: claims.append(claim))
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    look_once(folder, plan, Placement(Resources(cases=[case]), slots=4))
    assert claims[0].share.gpu == 2


def test_a_resumed_sweep_does_not_wait_for_what_its_killed_session_claims(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, asked = tiny_plan(), list[Claim]()
    monkeypatch.setenv("RAY_ADDRESS", "there:6379")
    monkeypatch.setattr(module.AskBroker, "__call__", lambda _, claim: asked.append(claim))
    folders = [create_run_folder(tmp_path, plan.spec, None, "space.yaml") for _ in range(2)]
    for folder in (*folders, folders[0]):
        look_once(folder, plan, Placement(Resources(), slots=4))
    first, another, resumed = asked
    assert resumed == first != another


def look_once(folder: RunFolder, plan: Plan, placement: Placement) -> None:
    with opened(folder, plan) as sweep, sharing(sweep, placement) as allowance:
        allowance.look(0.0, live=0, placed=0, more=True)
