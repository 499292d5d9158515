"""Which checkpoints go: the account, the policy, and a sweep under a budget killed at any event."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan
from sweeper.record.replay import replay
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.checkpoints import CheckpointAccount, Stored, over_budget, unneeded
from sweeper.record.tables import result_rows
from sweeper.status import Decision, Status
from sweeper.strategy.schedulers.asha import Asha
from sweeper.strategy.schedulers.scheduler import Promotion
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.in_process import drive, killed_at_each_event, opened, run_trial, save
from tests.sweeper.journals import raw_events


def account_of(
    sizes: dict[str, list[int]], found: frozenset[str] = frozenset()
) -> CheckpointAccount:
    account = CheckpointAccount()
    for trial_id, of_trial in sizes.items():
        for number, size in enumerate(of_trial):
            last = number == len(of_trial) - 1
            stored = Stored(trial_id, f"checkpoint_{number:06d}", size)
            account.add(stored, num_params=10, found=last and trial_id in found)
    return account


def names(stored: list[Stored]) -> list[tuple[str, int]]:
    return [(each.trial_id, int(each.name.split("_")[1])) for each in stored]


@pytest.mark.parametrize(
    ("status", "left"),
    [(Status.COMPLETED, [3]), (Status.STOPPED, []), (Status.DIVERGED, []), (Status.FAILED, [2, 3]),
     (Status.RUNNING, [2, 3]), (Status.PAUSED, [2, 3]), (Status.INTERRUPTED, [2, 3]),
     (Status.PENDING, [2, 3])],
)  # fmt: skip
def test_what_a_trial_needs(status: Status, left: list[int]) -> None:
    account = account_of({"a": [1, 1, 1, 1]})
    gone = {number for _, number in names(unneeded(account, "a", status, 2))}
    assert [number for number in range(4) if number not in gone] == left


def test_the_order_in_which_they_go_for_want_of_room() -> None:
    account = account_of(
        {"runs": [1, 1], "good": [1, 1], "bad": [1, 1], "failed": [1, 1], "done": [1]}
    )
    statuses = {
        "runs": Status.RUNNING, "good": Status.PAUSED, "bad": Status.PAUSED,
        "failed": Status.FAILED, "done": Status.COMPLETED,
    }  # fmt: skip
    order = [("failed", 0), ("bad", 0), ("good", 0), ("runs", 0),
             ("failed", 1), ("bad", 1), ("good", 1)]  # fmt: skip
    for budget in range(10):
        gone = over_budget(account, statuses, budget, lambda _: ["good", "bad"], coming=0)
        assert names(gone) == order[: max(0, 9 - budget)]
    assert names(over_budget(account, statuses, 9, lambda _: ["good", "bad"], 2)) == order[:2]


def test_one_that_nobody_saw_land_does_not_replace_the_one_before() -> None:
    account = account_of({"a": [1, 1, 1]}, found=frozenset("a"))
    gone = over_budget(account, {"a": Status.INTERRUPTED}, 1, sorted, coming=0)
    assert names(gone) == [("a", 0)]
    account.add(Stored("a", "checkpoint_000003", 1), 10, found=False)
    gone = over_budget(account, {"a": Status.RUNNING}, 1, sorted, coming=0)
    assert names(gone) == [("a", 0), ("a", 1), ("a", 2)]


def test_the_account_adds_up() -> None:
    account = account_of({"a": [5, 7], "b": [4]})
    account.remove("a", "checkpoint_000001")
    account.remove("a", "checkpoint_000001")
    assert (account.total, account.high_water) == (9, 16)
    assert account.newest("a") == Stored("a", "checkpoint_000000", 5)
    account.remove("a", "checkpoint_000000")
    assert account.newest("a") is None
    assert account.next_size("b", 1000) == 4, "as its last"
    assert account.next_size("a", 20) == 14, "as large for its parameters as any was"
    on_disk = {f"checkpoint_{number:06d}" for number in (0, 1, 2)}
    assert account.strange("a", on_disk) == (
        ["checkpoint_000002"], ["checkpoint_000000", "checkpoint_000001"],
    )  # fmt: skip


trials = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=2),
    st.tuples(st.sampled_from(Status), st.lists(st.integers(1, 9), min_size=1, max_size=4)),
    max_size=8,
)


@given(trials, st.integers(1, 60), st.integers(0, 20), st.randoms())
def test_nothing_that_is_needed_goes_and_the_budget_holds_where_it_can(
    trials: dict[str, tuple[Status, list[int]]], budget: int, coming: int, random: Any
) -> None:
    account = account_of({trial_id: sizes for trial_id, (_, sizes) in trials.items()})
    statuses = {trial_id: status for trial_id, (status, _) in trials.items()}
    for trial_id, status in statuses.items():
        for stored in unneeded(account, trial_id, status, 2):
            account.remove(trial_id, stored.name)
    before = {stored for of_trial in account.of_trial.values() for stored in of_trial}
    order = sorted(statuses)
    random.shuffle(order)

    def standing(paused: Any) -> list[str]:
        return [trial_id for trial_id in order if trial_id in paused]

    gone = over_budget(account, statuses, budget, standing, coming)
    assert len(gone) == len({*gone})
    assert {*gone} <= before
    left = before - {*gone}
    for trial_id, of_trial in account.of_trial.items():
        if statuses[trial_id] not in (Status.FAILED, Status.PAUSED):
            assert of_trial[-1] in left
        mine = [stored in left for stored in of_trial]
        assert mine == sorted(mine), "the newest stay longest"
    fits = sum(stored.size for stored in left) + coming <= budget
    essential = {
        of_trial[-1]
        for trial_id, of_trial in account.of_trial.items()
        if statuses[trial_id] not in (Status.FAILED, Status.PAUSED)
    }
    assert fits or left == essential
    if gone:  # and not one more than was necessary
        assert sum(stored.size for stored in left | {gone[-1]}) + coming > budget
    newest_left = [trial_id for trial_id in standing(
        {t for t, s in statuses.items() if s is Status.PAUSED}
    ) if account.of_trial.get(trial_id)]  # fmt: skip
    kept = [account.of_trial[trial_id][-1] in left for trial_id in newest_left]
    assert kept == sorted(kept, reverse=True), "the most likely to be promoted keep theirs longest"


def test_standing_is_by_the_share_of_the_rung_ahead() -> None:
    asha = Asha(1, 2, form="promote")
    for trial_id, value in zip("abcdef", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), strict=True):
        assert asha.report(trial_id, 1, value, 8).decision is Decision.PAUSE
    for trial_id in "ab":
        asha.promote(Promotion(trial_id, 1))
        asha.report(trial_id, 2, 1.0 if trial_id == "a" else 2.0, 8)
    # a leads its rung; b has half of its rung ahead, as d of the lower one has
    assert asha.standing({*"abcdef"}) == ["a", "c", "b", "d", "e", "f"]
    assert asha.standing({"e", "c"}) == ["c", "e"]


# The engine, on one machine without Ray.

GRID = {"learning_rate": {"grid": [1e-4, 2e-4, 4e-4, 1e-3, 2e-3, 3e-3, 1e-2, 3e-2, 0.7]}}
PROMOTE = {"type": "asha", "mode": "promote", "grace_steps": 4}


@pytest.fixture
def make_plan(tiny_plan: Any) -> Any:
    def plan(**checkpoints: Any) -> Plan:
        return tiny_plan(space=GRID, scheduler=PROMOTE, checkpoints=checkpoints)

    return plan


def new_folder(tmp_path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def decisions(folder: RunFolder) -> list[tuple[Any, ...]]:
    return [
        (e["trial"], e["metrics"]["step"], e["metrics"]["val_loss"], e["decision"], e["rank"])
        for e in raw_events(folder.journal)
        if e["event"] == "report"
    ]


def number_of(event: str, folder: RunFolder) -> int:
    return sum(e["event"] == event for e in raw_events(folder.journal))


def bytes_on_disk(folder: RunFolder) -> int:
    return sum(map(bytes_of, folder.trials.glob("*/checkpoint_*")))


def bytes_of(checkpoint: Path) -> int:
    return sum(file.stat().st_size for file in checkpoint.iterdir())


def largest(folder: RunFolder) -> int:
    """Bytes of a checkpoint, at most: what is measured has more digits or fewer."""
    sizes = [e["bytes"] for e in raw_events(folder.journal) if e["event"] == "checkpoint"]
    assert max(sizes) < 1.2 * min(sizes), "a budget for so many has no room for another"
    return max(sizes)


def require_storage_as_told(folder: RunFolder, sweep: Sweep) -> None:
    account = sweep.state.checkpoints
    for trial_id, trial in sweep.trials.items():
        on_disk = [path.name for path in reversed(folder.checkpoint_folders(trial_id))]
        assert on_disk == [stored.name for stored in account.of_trial.get(trial_id, ())]
        assert trial.checkpoint == (on_disk[-1] if on_disk else None)
    assert account.total == bytes_on_disk(folder)


def test_without_a_budget_the_ends_have_what_they_need(tmp_path: Path, make_plan: Any) -> None:
    plan = make_plan(keep=3)
    folder = new_folder(tmp_path, plan)
    sweep = drive(folder, plan)
    require_storage_as_told(folder, sweep)
    for row in result_rows(sweep.state, folder):
        has = folder.checkpoint_folders(row["trial_id"])
        assert len(has) == (1 if row["status"] == "completed" else 0)
        assert row["checkpoint_bytes"] == (bytes_of(has[0]) if has else None)
    assert number_of("checkpoint_removed", folder) == 0
    assert not folder.removed.exists()


@pytest.mark.parametrize(("room", "some_begin_again"), [(3, True), (5, False)])
def test_a_budget_changes_no_decision(
    tmp_path: Path, make_plan: Any, room: int, some_begin_again: bool
) -> None:
    """Paused trials lose their checkpoints, and those promoted after all start again."""
    straight = new_folder(tmp_path / "straight", make_plan())
    without = drive(straight, make_plan())
    budget = room * largest(straight)
    plan = make_plan(budget=budget)
    folder = new_folder(tmp_path / "budget", plan)
    most = 0
    with opened(folder, plan) as sweep:
        landed = sweep.checkpoints.landed

        def watched(trial_id: str, name: str) -> None:
            nonlocal most
            most = max(most, bytes_on_disk(folder))
            landed(trial_id, name)

        sweep.checkpoints.landed = watched  # type: ignore[method-assign]
        while (trial := sweep.next_trial()) is not None:
            run_trial(sweep, trial)
        sweep.close("finished")
    require_storage_as_told(folder, sweep)
    assert decisions(folder) == decisions(straight)
    assert most == sweep.state.checkpoints.high_water <= budget
    assert without.state.checkpoints.high_water > budget
    assert number_of("checkpoint_removed", folder) > 0
    again = number_of("checkpoint", folder) - number_of("checkpoint", straight)
    assert (again > 0) is some_begin_again
    ends = {trial_id: (trial.status, trial.step) for trial_id, trial in sweep.trials.items()}
    assert ends == {t: (trial.status, trial.step) for t, trial in without.trials.items()}


# A process that is killed does not close its files.
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_any_event_under_a_budget(tmp_path: Path, tiny_plan: Any, before: bool) -> None:
    space = {"learning_rate": {"grid": GRID["learning_rate"]["grid"][2:8]}}
    without = tiny_plan(space=space, scheduler=PROMOTE)
    free = new_folder(tmp_path / "free", without)
    drive(free, without)
    size = largest(free)
    plan = tiny_plan(space=space, scheduler=PROMOTE, checkpoints={"budget": 3 * size})
    whole = new_folder(tmp_path / "whole", plan)
    drive(whole, plan)
    events = [event["event"] for event in raw_events(whole.journal)]
    assert events.count("checkpoint_removed") > 2
    left = killed_at_each_event(tmp_path, plan, lambda folder: drive(folder, plan), before=before)
    assert len(left) == len(events)
    for at, folder in enumerate(left, 1):
        resumed = drive(folder, plan)
        require_storage_as_told(folder, resumed)
        assert not folder.removed.exists()
        assert decisions(folder) == decisions(whole), f"killed at event {at}"
        assert resumed.state.checkpoints.high_water <= 4 * size  # one landed unseen


def test_a_session_begins_with_storage_and_account_in_line(tmp_path: Path, make_plan: Any) -> None:
    plan = make_plan()
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        while len(paused := sweep.state.with_status(Status.PAUSED)) < 3:
            trial = sweep.next_trial()
            assert trial is not None
            run_trial(sweep, trial)
        first, second, third = paused
    # one that was deleted by hand, one that landed as the driver died, one half-removed
    (of_first,) = folder.checkpoint_folders(first.trial_id)
    of_third = third.checkpoint
    of_first.rename(tmp_path / "moved")
    unseen = folder.checkpoint(second.trial_id, "checkpoint_000007")
    save(ClosedFormTrainer(second.config, num_threads=None), unseen)
    with opened(folder, plan) as sweep:
        require_storage_as_told(folder, sweep)
        assert sweep.trials[first.trial_id].checkpoint is None
        assert sweep.trials[second.trial_id].checkpoint == unseen.name
        assert sweep.trials[third.trial_id].checkpoint == of_third
    (tmp_path / "moved").rename(of_first)  # it comes back, as if its removal had been cut short
    with opened(folder, plan) as sweep:
        require_storage_as_told(folder, sweep)
        assert not of_first.exists()
    assert replay(plan.spec, folder).checkpoints.of_trial == sweep.state.checkpoints.of_trial
