"""A whole sweep without a cluster; and a kill that leaves a checkpoint ahead of the journal."""

import contextlib
from pathlib import Path
from typing import Any, Literal

import pytest

from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan
from sweeper.record.metrics_files import MetricsFiles, read_metrics
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.record.state.checkpoints import PROGRESS_FILE
from sweeper.record.state.sweep_state import Trial
from sweeper.runtime.trial_loop import TrialLoop
from tests.sweeper.engine.sweeps import FORMS, GRID, PBT, decisions, new_folder
from tests.sweeper.engine.sweeps import table as whole_table
from tests.sweeper.in_process import Faulty, Killed, Mortal, drive, opened

# How a session may end in the moment in which a checkpoint has landed and the driver has not
# heard of the training before it: Tune saves a trial that it pauses right behind what that is at,
# and takes what has come back in any order.
Ending = Literal["unseen", "checkpoint first", "weights torn", "progress torn", "older version"]
ENDINGS: list[Ending] = [
    "unseen", "checkpoint first", "weights torn", "progress torn", "older version",
]  # fmt: skip


@pytest.fixture(params=[*FORMS, "pbt"])
def plan(request: pytest.FixtureRequest, tiny_plan: Any) -> Plan:
    if request.param == "pbt":
        return tiny_plan(**PBT)
    return tiny_plan(space=GRID, scheduler=FORMS[request.param])


def table(folder: RunFolder, sweep: Sweep) -> list[dict[str, Any]]:
    """But for the checkpoints: which evaluations are since the one before depends on the kills."""
    rows = whole_table(folder, sweep)
    return [{key: row[key] for key in row if not key.startswith("checkpoint")} for row in rows]


class Ahead(Faulty):
    """Its process ends so, in the n-th stretch of training of this session."""

    def __init__(self, sweep: Sweep, at: int, ending: Ending) -> None:
        super().__init__(sweep)
        self.left = at
        self.ending = ending

    def _leaves(self, trial: Trial, loop: TrialLoop) -> bool:
        self.left -= 1
        if self.left:
            return super()._leaves(trial, loop)
        self._ends(trial, loop)
        raise Killed

    def _ends(self, trial: Trial, loop: TrialLoop) -> None:
        loop.train()
        folder = self._next_checkpoint(trial)
        loop.save(folder)
        progress, weights = folder / PROGRESS_FILE, folder / CHECKPOINT_FILE
        match self.ending:
            case "checkpoint first":
                self.sweep.checkpointed(trial.trial_id, folder.name)
            case "weights torn":
                weights.write_text(weights.read_text()[:-3])
            case "progress torn":
                progress.write_text(progress.read_text()[:-3])
            case "older version":
                progress.unlink()


def killed_ahead(folder: RunFolder, plan: Plan, at: int, ending: Ending) -> bool:
    """Whether it came to that, and the sweep was not over before."""
    with opened(folder, plan) as sweep:
        try:
            Ahead(sweep, at, ending).run()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_evaluation_is_lost_where_a_checkpoint_is_ahead_of_the_journal(
    tmp_path: Path, plan: Plan, ending: Ending
) -> None:
    """At every evaluation of the sweep: at rungs, between them, at the last step."""
    whole = new_folder(tmp_path / "whole", plan)
    straight = drive(whole, plan)
    folder = new_folder(tmp_path / "killed1", plan)
    at = 1
    while killed_ahead(folder, plan, at, ending):
        resumed = drive(folder, plan)
        assert decisions(folder) == decisions(whole), f"killed in stretch {at}"
        assert table(folder, resumed) == table(whole, straight), f"killed in stretch {at}"
        at += 1
        folder = new_folder(tmp_path / f"killed{at}", plan)
    assert at > len(decisions(whole))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_evaluation_is_lost_where_the_resumed_session_is_killed_too(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of its beginning: before each of its first events."""
    whole = new_folder(tmp_path / "whole", plan)
    straight = drive(whole, plan)
    for at in (1, 2, 5):
        for event in range(1, 6):
            folder = new_folder(tmp_path / f"killed{at}-{event}", plan)
            assert killed_ahead(folder, plan, at, "unseen")
            with monkeypatch.context() as patch:
                Mortal(patch, event, before=True)
                with pytest.raises(Killed):
                    drive(folder, plan)
            resumed = drive(folder, plan)
            assert decisions(folder) == decisions(whole), f"killed in stretch {at}, event {event}"
            assert table(folder, resumed) == table(whole, straight)


def test_killed_so_again_and_again_it_ends_as_if_never_killed(tmp_path: Path, plan: Plan) -> None:
    """Each session comes one stretch of training further."""
    whole, folder = (new_folder(tmp_path / name, plan) for name in ("whole", "killed"))
    straight = drive(whole, plan)
    sessions = 0
    while killed_ahead(folder, plan, 1 + sessions % 2, "unseen"):
        sessions += 1
        assert sessions < 200, "it never ends"
    resumed = drive(folder, plan)
    assert decisions(folder) == decisions(whole)
    assert table(folder, resumed) == table(whole, straight)


def test_a_process_that_outlives_its_session_and_saves_once_more_changes_nothing(
    tmp_path: Path, plan: Plan
) -> None:
    """Its checkpoint lands while the next session is at work."""
    whole = new_folder(tmp_path / "whole", plan)
    straight = drive(whole, plan)
    for at in (1, 2, 5):
        folder = new_folder(tmp_path / f"killed{at}", plan)
        with opened(folder, plan) as sweep:
            runtime = Outlived(sweep, at)
            with pytest.raises(Killed):
                runtime.run()
        with opened(folder, plan) as sweep:
            interrupted = sweep.next_trial()
            assert interrupted is not None
            assert interrupted.trial_id == runtime.trial.trial_id
            runtime.loop.train()
            runtime.loop.save(runtime.folder)
            Faulty(sweep).run_trial(interrupted)
            Faulty(sweep).run()
        assert decisions(folder) == decisions(whole)
        assert table(folder, sweep) == table(whole, straight)
        known = sweep.state.checkpoints.of_trial.get(interrupted.trial_id, [])
        assert runtime.folder.name not in [stored.name for stored in known]
        assert not runtime.folder.exists()


class Outlived(Ahead):
    """Its session ends in the n-th stretch of training; what it trains in lives on."""

    def __init__(self, sweep: Sweep, at: int) -> None:
        super().__init__(sweep, at, "unseen")

    def _ends(self, trial: Trial, loop: TrialLoop) -> None:
        self.trial, self.loop, self.folder = trial, loop, self._next_checkpoint(trial)


@pytest.mark.parametrize("told", [False, True])
def test_the_metrics_files_have_what_a_kill_kept_from_them(
    tmp_path: Path, tiny_plan: Any, told: bool
) -> None:
    """`told`: the kill came after the evaluation was in the journal."""
    plan = tiny_plan(space=GRID, scheduler=FORMS["promote"])
    straight = new_folder(tmp_path / "whole", plan)
    drive(straight, plan)
    at = 1
    while True:
        folder = new_folder(tmp_path / f"killed{at}", plan)
        with opened(folder, plan) as sweep:
            killed = Unwritten(sweep, at, told)
            killed.audience.watchers.append(MetricsFiles(folder))
            with contextlib.suppress(Killed):
                killed.run()
        with opened(folder, plan) as sweep:
            resumed = Faulty(sweep)
            resumed.audience.watchers.append(MetricsFiles(folder))
            resumed.run()
        for trial in sweep.trials.values():
            rows = read_metrics(folder.trial_metrics(trial.trial_id))
            assert rows == trial.evaluations, f"killed in stretch {at}"
        if killed.left > 0:
            return
        at += 1


class Unwritten(Ahead):
    def __init__(self, sweep: Sweep, at: int, told: bool) -> None:
        super().__init__(sweep, at, "unseen")
        self.told = told

    def _ends(self, trial: Trial, loop: TrialLoop) -> None:
        (evaluation,) = loop.train().metrics
        loop.save(self._next_checkpoint(trial))
        if self.told:
            self.sweep.evaluated(trial.trial_id, evaluation)
