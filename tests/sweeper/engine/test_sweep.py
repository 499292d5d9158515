"""A sweep is a fold over its journal: killed at any event, it goes on as if nothing had been."""

import errno
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.sweep import Sweep
from sweeper.errors import RunFolderError, StorageError
from sweeper.plan.plan import Plan
from sweeper.record.replay import replay
from sweeper.record.state.trial import Trial
from sweeper.status import Decision, Status
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.engine.sweeps import FORMS, GRID, PBT, decisions, new_folder, table
from tests.sweeper.in_process import (
    Fault,
    Killed,
    Mortal,
    drive,
    killed_at_each_event,
    never,
    opened,
    run_trial,
)
from tests.sweeper.journals import raw_events
from trainable.loop.metrics import Metrics


@pytest.fixture(params=FORMS)
def either_plan(request: pytest.FixtureRequest, tiny_plan: Any) -> Plan:
    """A sweep under each scheduler that stops trials, and under each of its forms."""
    return tiny_plan(space=GRID, scheduler=FORMS[request.param])


@pytest.fixture(params=[*FORMS, "pbt"])
def any_plan(request: pytest.FixtureRequest, tiny_plan: Any) -> Plan:
    """Under pbt too, which stops none."""
    if request.param == "pbt":
        return tiny_plan(**PBT)
    return tiny_plan(space=GRID, scheduler=FORMS[request.param])


def test_statuses_at_the_end(tmp_path: Path, either_plan: Plan) -> None:
    folder = new_folder(tmp_path, either_plan)
    sweep = drive(folder, either_plan)
    by_rate = {trial.config.learning_rate: trial for trial in sweep.trials.values()}
    assert by_rate[1e-3].status is Status.COMPLETED
    assert by_rate[0.7].status is Status.DIVERGED
    assert {trial.status for trial in sweep.trials.values()} == {
        Status.COMPLETED, Status.STOPPED, Status.DIVERGED,
    }  # fmt: skip
    assert by_rate[0.7].last_evaluation is not None
    assert by_rate[0.7].last_evaluation.val_loss is None
    for status, trials in sweep.state.of_status.items():
        assert {*trials} == {t.trial_id for t in sweep.state.with_status(status)}


def test_promotion_goes_on_from_the_rung_and_trains_no_step_twice(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(space=GRID, scheduler={"type": "asha", "mode": "promote", "grace_steps": 4})
    folder = new_folder(tmp_path, plan)
    sweep = drive(folder, plan)
    steps = {
        trial.trial_id: [seen.step for seen in trial.evaluations] for trial in sweep.trials.values()
    }
    assert all(trained == list(range(4, 4 * len(trained) + 1, 4)) for trained in steps.values())
    events = list(raw_events(folder.journal))
    promoted = [(e["trial"], e["rung"]) for e in events if e["event"] == "promoted"]
    assert len(promoted) == len(set(promoted)), "nobody is promoted twice from a rung"
    assert {trial_id: 4 * len(trained) for trial_id, trained in steps.items()} == {
        trial_id: {0: 4, 1: 8, 2: 16}[sum(t == trial_id for t, _ in promoted)] for trial_id in steps
    }
    assert sum(e["event"] == "trial_started" for e in events) == 6 + len(promoted)


def faulty(trial: Trial, step: int) -> Fault:
    """One trial fails always, one once as it leaves its rung, one loses its node once."""
    match trial.config.learning_rate:
        case 3e-3 if step == 3:
            return "fails"
        case 1e-4 if step == 3 and not trial.failures:
            return "fails"
        case 1e-3 if step == 7 and not trial.losses:
            return "is lost"
        case _:
            return None


@pytest.mark.parametrize(
    "fault",
    [pytest.param(never, id="sound"), pytest.param(faulty, id="faulty", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    "before",
    [pytest.param(True, id="before"), pytest.param(False, id="after", marks=pytest.mark.slow)],
)
def test_killed_at_any_event_it_ends_as_if_never_killed(
    tmp_path: Path, any_plan: Plan, monkeypatch: pytest.MonkeyPatch, before: bool, fault: Any
) -> None:
    monkeypatch.setattr("sweeper.record.state.trial.backoff_seconds", lambda _: 0.0)
    whole = new_folder(tmp_path / "whole", any_plan)
    straight = drive(whole, any_plan, fault=fault)
    failed = [e for e in raw_events(whole.journal) if e["event"] == "attempt_failed"]
    assert bool(failed) == (fault is faulty)
    total = len(list(raw_events(whole.journal)))
    assert total > 40
    left = killed_at_each_event(
        tmp_path, any_plan, lambda folder: drive(folder, any_plan, fault=fault), before=before
    )
    assert len(left) == total
    for at, folder in enumerate(left, 1):
        before_kill = list(raw_events(folder.journal)) if folder.journal.exists() else []
        ended = {e["trial"] for e in before_kill if e["event"] == "trial_ended"}
        resumed = drive(folder, any_plan, fault=fault)
        assert decisions(folder) == decisions(whole), f"killed at event {at}"
        assert table(folder, resumed) == table(whole, straight), f"killed at event {at}"
        after_kill = list(raw_events(folder.journal))[len(before_kill) :]
        assert not ended & {e.get("trial") for e in after_kill}, f"killed at event {at}"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("events", [4, 5, 7])
def test_killed_again_and_again_it_ends_as_if_never_killed(
    tmp_path: Path, any_plan: Plan, monkeypatch: pytest.MonkeyPatch, events: int, before: bool
) -> None:
    """Every session is killed at its `events`-th event."""
    whole, folder = (new_folder(tmp_path / name, any_plan) for name in ("whole", "killed"))
    straight = drive(whole, any_plan)
    for _ in range(200):
        with monkeypatch.context() as patch:
            Mortal(patch, events, before=before)
            try:
                resumed = drive(folder, any_plan)
                break
            except Killed:
                pass
    else:
        raise AssertionError("it never ends")
    assert decisions(folder) == decisions(whole)
    assert table(folder, resumed) == table(whole, straight)


def test_what_is_handed_out_after_a_kill_is_waited_for(tmp_path: Path, tiny_plan: Any) -> None:
    """An interrupted trial, handed out and not started yet, may still make others go on."""
    plan = tiny_plan(
        space={"learning_rate": {"grid": [1e-3, 1e-2]}},
        scheduler={"type": "asha", "mode": "promote", "grace_steps": 4},
    )
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        paused, running = sweep.next_trial(), sweep.next_trial()
        assert paused is not None
        assert running is not None
        run_trial(sweep, paused)
        sweep.start(running.trial_id)
    with opened(folder, plan) as resumed:
        assert resumed.next_trial() is resumed.trials[running.trial_id]
        assert resumed.next_trial() is None
        assert resumed.trials[paused.trial_id].status is Status.PAUSED


def first_metrics(trial: Trial) -> list[Metrics]:
    return [m for m in ClosedFormTrainer(trial.config, num_threads=1).train() if m]


def test_a_step_evaluated_again_gets_its_old_decision(tmp_path: Path, plan: Plan) -> None:
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        sweep.start(trial.trial_id)
        evaluations = first_metrics(trial)[:2]
        decided = [sweep.evaluated(trial.trial_id, metrics) for metrics in evaluations]
        events = len(list(raw_events(folder.journal)))
        assert [sweep.evaluated(trial.trial_id, metrics) for metrics in evaluations] == decided
        assert len(list(raw_events(folder.journal))) == events


def test_a_stop_decided_before_the_kill_is_carried_out_after_it(tmp_path: Path, plan: Plan) -> None:
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        for trial in iter(sweep.next_trial, None):
            sweep.start(trial.trial_id)
            if sweep.evaluated(trial.trial_id, first_metrics(trial)[0]) is Decision.STOP:
                break
        else:
            raise AssertionError("no trial was stopped")
    with opened(folder, plan) as again:
        assert again.trials[trial.trial_id].status.ended
        assert trial.trial_id not in {t.trial_id for t in iter(again.next_trial, None)}


def test_an_edited_spec_is_not_taken_for_the_old_one(
    tmp_path: Path, plan: Plan, tiny_plan: Any
) -> None:
    folder = new_folder(tmp_path, plan)
    drive(folder, plan)
    other = {"type": "asha", "grace_steps": 4, "reduction_factor": 8}
    edited = tiny_plan(space=GRID, scheduler=other)
    with pytest.raises(RunFolderError, match=r"journal\.jsonl:\d+: trial .* was it edited"):
        replay(edited.spec, folder)


def test_an_event_of_a_newer_version_is_refused(tmp_path: Path, plan: Plan) -> None:
    folder = new_folder(tmp_path, plan)
    folder.journal.write_text('{"event": "trial_cloned"}\n')
    with pytest.raises(RunFolderError, match="does not know: 'trial_cloned'"):
        replay(plan.spec, folder)


def test_a_failed_trial_keeps_its_last_error(tmp_path: Path, plan: Plan) -> None:
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        sweep.start(trial.trial_id)
        sweep.attempt_failed(trial.trial_id, "first")
        sweep.start(trial.trial_id)
        sweep.end(trial.trial_id, error="second")
    again = replay(plan.spec, folder).trials[trial.trial_id]
    assert (again.status, again.error, again.attempts) == (Status.FAILED, "second", 2)


def test_without_a_driver_nothing_runs(tmp_path: Path, plan: Plan) -> None:
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        first = sweep.next_trial()
        assert first is not None
        sweep.start(first.trial_id)
        assert first.status is Status.RUNNING
    with opened(folder, plan) as resumed:
        assert resumed.trials[first.trial_id].status is Status.INTERRUPTED
        waiting = resumed.next_trial()
        assert waiting is not None
        assert waiting.trial_id == first.trial_id
        run_trial(resumed, waiting)
        assert waiting.status.ended


def test_a_disk_that_is_full_at_the_end_leaves_no_file_open(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = Sweep.open(new_folder(tmp_path, plan), plan)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        sweep.close("interrupted")
    with pytest.raises(ValueError, match="closed file"):
        _ = sweep.journal.is_in_place
