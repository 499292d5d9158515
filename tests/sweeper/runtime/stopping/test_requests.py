"""What is asked of a driver through the run folder: heard, carried out once, lost by no kill."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.sweep import Sweep
from sweeper.errors import RunFolderError
from sweeper.plan.plan import Plan
from sweeper.record.ranking import ranking_of
from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.trial import Trial
from sweeper.runtime.stopping import requests
from sweeper.runtime.stopping.requests import StopRequests, request_stop, request_trial_stop
from sweeper.runtime.trial_loop import Slice
from sweeper.status import Decision, Status
from tests.sweeper.engine.sweeps import FORMS, GRID, PBT, decisions, new_folder, table
from tests.sweeper.in_process import Faulty, killed_at_each_event, opened
from tests.sweeper.journals import raw_events

STOPPED = "0001"


@pytest.fixture(autouse=True)
def at_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "LOOK_EVERY_SECONDS", 0.0)


@pytest.fixture(params=[*FORMS, "pbt"])
def plan(request: pytest.FixtureRequest, tiny_plan: Any) -> Plan:
    sections = {"space": GRID, "scheduler": FORMS.get(request.param)}
    planned: Plan = tiny_plan(**(PBT if request.param == "pbt" else sections))
    return planned


class Asked(Faulty):
    """Trial 0001 is to stop, once the trial `when` has been evaluated; and whoever has killed it
    before it was asked asks again."""

    def __init__(self, sweep: Sweep, when: str) -> None:
        super().__init__(sweep)
        self.when = when
        self.requests = StopRequests(sweep, lambda: None, lambda said: None)

    def run(self) -> None:
        self._ask()
        super().run()

    def _told(self, trial: Trial, piece: Slice) -> Decision:
        decision = super()._told(trial, piece)
        self._ask()
        return decision

    def _ask(self) -> None:
        when, stopped = self.sweep.trials.get(self.when), self.sweep.trials.get(STOPPED)
        if when and when.evaluations and stopped and not stopped.status.ended:
            request_trial_stop(self.sweep.folder, STOPPED)
        self.requests.look()


def asked(folder: RunFolder, plan: Plan, when: str) -> Sweep:
    with opened(folder, plan) as sweep:
        Asked(sweep, when).run()
        sweep.close("finished")
    return sweep


@pytest.mark.parametrize(
    ("when", "before"),
    [(STOPPED, True), ("0002", False)],
    ids=["as it runs, killed before", "as another does, killed after"],
)
def test_a_trial_that_is_stopped_stays_so_whatever_is_killed_when(
    tmp_path: Path, plan: Plan, when: str, before: bool
) -> None:
    whole = new_folder(tmp_path / "whole", plan)
    straight = asked(whole, plan, when)
    left = killed_at_each_event(
        tmp_path, plan, lambda folder: asked(folder, plan, when), before=before
    )
    for at, folder in enumerate(left, 1):
        lines = list(raw_events(folder.journal)) if folder.journal.exists() else []
        resumed = asked(folder, plan, when)
        assert decisions(folder) == decisions(whole), f"killed at event {at}"
        assert table(folder, resumed) == table(whole, straight), f"killed at event {at}"
        if any(e["event"] == "stopped_by_hand" for e in lines):
            later = list(raw_events(folder.journal))[len(lines) :]
            started = {e["trial"] for e in later if e["event"] == "trial_started"}
            assert STOPPED not in started, f"killed at event {at}"
        assert not list(folder.requests.glob("*"))


def test_it_ranks_with_those_that_were_stopped_and_the_rest_goes_on(
    tmp_path: Path, plan: Plan
) -> None:
    folder = new_folder(tmp_path, plan)
    asked(folder, plan, STOPPED)
    state = read_state(folder)
    trial = state.trials[STOPPED]
    assert (trial.status, trial.stopped_by_hand, trial.step) == (Status.STOPPED, True, 4)
    assert all(each.status.ended for each in state.trials.values())
    assert ranking_of(state).best is not None
    assert not folder.checkpoint_folders(STOPPED)
    (row,) = (r for r in table(folder, asked(folder, plan, STOPPED)) if r["trial_id"] == STOPPED)
    assert row["stopped_by_hand"] is True


def test_a_trial_at_its_end_is_left_to_it(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(scheduler={"type": "fifo"})
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        runtime = Asked(sweep, "none")
        first = sweep.next_trial()
        assert first is not None
        runtime.run_trial(first)
        sweep.stop_by_hand(first.trial_id)
        assert (first.status, first.stopped_by_hand) == (Status.COMPLETED, False)


def test_another_session_is_not_meant(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan()
    folder = new_folder(tmp_path, plan)
    ended: list[int] = []
    request_stop(folder, session=1)
    with opened(folder, plan):
        pass  # killed before it has heard of that
    with opened(folder, plan) as sweep:
        looking = StopRequests(sweep, lambda: ended.append(2), lambda said: None)
        looking.look()
        assert ended == []
        assert not folder.stop_request.exists()
        request_stop(folder, session=2)
        looking.look()
        assert ended == [2]
        assert not folder.stop_request.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"trial": "0099"}', '{"session": "1"}'])
def test_what_is_no_request_goes(tmp_path: Path, tiny_plan: Any, text: str) -> None:
    plan = tiny_plan()
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        folder.requests.mkdir()
        for path in (folder.stop_request, folder.trial_stop_request("0099")):
            path.write_text(text)
        before = folder.journal.read_bytes()
        StopRequests(sweep, lambda: pytest.fail("not asked for"), lambda said: None).look()
        assert list(folder.requests.iterdir()) == []
        assert folder.journal.read_bytes() == before


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "lr").write_text("a file")
    with pytest.raises(RunFolderError, match=r"stop\.json: cannot be written .*SIGTERM"):
        request_stop(RunFolder(tmp_path / "lr"), session=1)
