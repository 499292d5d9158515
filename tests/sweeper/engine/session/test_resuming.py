"""What may change when a sweep is resumed, and what is done again."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.session.resuming import NO_CHANGES, prepare_resumption
from sweeper.engine.sweep import Sweep
from sweeper.errors import SpecError
from sweeper.plan.plan import Plan
from sweeper.plan.points import num_trials
from sweeper.record.effective_spec import effective_spec
from sweeper.record.follower import Follower
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.events import Event
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.sweep_spec import CHANGEABLE
from sweeper.status import Status
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.engine.session.conftest import (
    RANDOM,
    edit,
    first_session,
    go_on,
    prepared,
    table,
    unfinished,
)
from tests.sweeper.in_process import Killed, Mortal, opened, run_trial
from tests.sweeper.journals import raw_events

SEARCH = {"algorithm": "random", "seed": 3, "alpha": None, "initial": None, "from": None}
RESOURCES = {"cpu": 1, "gpu": 0, "processes": None, "cases": []}


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("description=why not", {"description": "why not"}),
        ("resources.cpu=2", {"resources": {**RESOURCES, "cpu": 2.0}}),
        ("resources={gpu: 0.5}", {"resources": {**RESOURCES, "gpu": 0.5}}),
        ("max_concurrent=3", {"max_concurrent": 3}),
        ("max_retries=7", {"max_retries": 7}),
        ("search.num_trials=6", {"search": {**SEARCH, "num_trials": 6}}),
    ],
)
def test_what_may_change(started: Any, text: str, now: dict[str, Any]) -> None:
    folder = started(**RANDOM)
    unfinished(folder)
    before = effective_spec(folder)[0].model_dump()
    written = folder.spec.read_bytes()
    go_on(folder, overrides=[text])
    assert effective_spec(folder)[0].model_dump() == before | now
    assert Follower(folder).state.spec.model_dump() == before | now
    assert folder.spec.read_bytes() == written, "the file stays as the sweep began"
    assert prepared(folder).session is None, "it has finished"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("train.max_steps=1200", "--set train.max_steps: is fixed since the sweep began"),
        ("space.learning_rate.grid=[1]", "--set space.learning_rate.grid: is fixed"),
        ("scheduler.reduction_factor=3", "--set scheduler.reduction_factor: is fixed"),
        ("search={num_trials: 50}", "--set search: is fixed"),
        ("search.seed=4", "--set search.seed: is fixed"),
        ("objective.mode=max", "--set objective.mode: is fixed"),
        ("name=other", "--set name: is fixed"),
        ("resource.cpu=1", "--set resource: no such key; did you mean 'resources'?"),
        ("resources.cpu", "--set resources.cpu: must be KEY=VALUE"),
        ("resources.cpu=-1", "--set resources.cpu: must be above 0"),
        ("resources.cpus=1", "--set resources.cpus: no such key; did you mean 'cpu'?"),
        ("max_retries=many", "--set max_retries: must be a whole number"),
        ("search.num_trials=3", "--set search.num_trials: must be at least 4: so many have begun"),
    ],
)
def test_what_may_not_change(started: Any, text: str, problem: str) -> None:
    folder = started(**RANDOM)
    record = folder.journal.read_bytes()
    with pytest.raises(SpecError) as error:
        prepared(folder, overrides=[text])
    (found,) = error.value.problems
    assert found.startswith(problem)
    assert folder.journal.read_bytes() == record


def test_a_refusal_tells_the_command_for_a_new_sweep(started: Any) -> None:
    folder = started()
    with pytest.raises(SpecError) as error:
        prepared(folder, overrides=["train.seed=1", "space.learning_rate.grid=[1e-3, 1e-2]"])
    first, second = error.value.problems
    assert first.endswith(f"python -m sweeper run {folder.spec} --set train.seed=1")
    assert second.endswith("--set 'space.learning_rate.grid=[1e-3, 1e-2]'")
    again, _ = load_spec(folder.spec, ["space.learning_rate.grid=[1e-3, 1e-2]"])
    assert num_trials(again) == 2, "the command does what it says"


def test_changes_add_up_over_sessions_and_the_last_one_holds(started: Any) -> None:
    folder = started(**RANDOM)
    go_on(folder, num_trials=5, overrides=["resources.cpu=2", "max_retries=0"])
    go_on(folder, num_trials=6, overrides=["resources.cpu=3"])
    go_on(folder, num_trials=7)
    spec, _ = effective_spec(folder)
    assert (spec.resources.cpu, spec.max_retries, spec.search.num_trials) == (3, 0, 7)  # type: ignore[union-attr]
    sessions = [e for e in raw_events(folder.journal) if e["event"] == "session_started"]
    assert [session["overrides"] for session in sessions] == [
        [],
        ["resources.cpu=2", "max_retries=0", "search.num_trials=5"],
        ["max_retries=0", "resources.cpu=3", "search.num_trials=6"],
        ["max_retries=0", "resources.cpu=3", "search.num_trials=7"],
    ]


def test_a_resume_reads_the_journal_once_and_folds_it_once(
    started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = started(**RANDOM)
    recorded = len(list(raw_events(folder.journal)))
    read, folded = [], 0
    open_file, apply = Path.open, SweepState.apply

    def opened_file(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if path == folder.journal and mode == "rb":
            read.append(mode)
        return open_file(path, mode, *arguments, **options)

    def applied(state: SweepState, event: Event) -> None:
        nonlocal folded
        folded += 1
        apply(state, event)

    monkeypatch.setattr(Path, "open", opened_file)
    monkeypatch.setattr(SweepState, "apply", applied)
    resumption = prepared(folder, num_trials=6, overrides=["max_retries=0"])
    assert resumption.session is not None
    sweep = Sweep.open(folder, resumption.plan, resumption.session, state=resumption.state)
    sweep.close("interrupted")
    monkeypatch.undo()
    assert len(read) == 1
    of_this_session = len(list(raw_events(folder.journal))) - recorded
    assert folded == recorded + of_this_session


def test_more_trials_are_those_of_a_sweep_that_had_them_from_the_start(started: Any) -> None:
    folder = started(**RANDOM)
    first = list(raw_events(folder.journal))
    more = go_on(folder, num_trials=9)
    search = {**RANDOM["search"], "num_trials": 9}
    straight = started("straight", **{**RANDOM, "search": search})
    with opened(straight, prepared(straight).plan) as whole:
        assert table(more) == table(whole)
    assert len(more.trials) == 9
    assert list(raw_events(folder.journal))[: len(first)] == first


def test_with_seeds_so_many_points(started: Any) -> None:
    folder = started(**RANDOM, seeds=[0, 1])
    assert len(go_on(folder, num_trials=6).trials) == 12
    with pytest.raises(SpecError, match=r"--num-trials: must be at least 6: .*, got 5"):
        prepared(folder, num_trials=5)


def test_a_grid_has_the_trials_it_has(started: Any) -> None:
    with pytest.raises(SpecError, match="--num-trials: a grid search tries every combination"):
        prepared(started(), num_trials=40)


def fail_all(folder: RunFolder, plan: Plan) -> dict[str, int]:
    """Every trial fails after its second checkpoint; the last saved step of each."""
    saved = {}
    with opened(folder, plan, first_session(plan)) as sweep:
        for trial in iter(sweep.next_trial, None):
            run_trial(sweep, trial, fail_at=9)
            saved[trial.trial_id] = 8
        sweep.close("finished")
    return saved


@pytest.fixture
def failed(tmp_path: Path, tiny_plan: Any) -> tuple[RunFolder, Plan]:
    plan = tiny_plan(scheduler={"type": "fifo"}, train={"eval_every_steps": 4})
    folder = create_run_folder(tmp_path / "runs", plan.spec, "tiny", "space.yaml")
    fail_all(folder, plan)
    return folder, plan


def test_failed_trials_are_tried_again_from_their_checkpoints(
    failed: tuple[RunFolder, Plan],
) -> None:
    folder, _ = failed
    assert prepared(folder).session is None, "not without being asked"
    sweep = go_on(folder, retry_failed=True)
    for trial in sweep.trials.values():
        assert (trial.status, trial.error) == (Status.COMPLETED, None)
        assert [seen.step for seen in trial.evaluations] == [4, 8, 12, 16]
    retried = [e["trial"] for e in raw_events(folder.journal) if e["event"] == "retried"]
    assert retried == ["0000", "0001", "0002", "0003"]
    assert prepared(folder, retry_failed=True).session is None, "none has failed any more"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_killed_while_they_are_being_retried(
    failed: tuple[RunFolder, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = failed
    with monkeypatch.context() as patch:
        Mortal(patch, 3, before=False)  # session_started and two of four
        with pytest.raises(Killed):
            go_on(folder, retry_failed=True)
    sweep = go_on(folder)
    statuses = [trial.status for trial in sweep.trials.values()]
    assert statuses == [Status.COMPLETED] * 2 + [Status.FAILED] * 2


def test_a_sweep_killed_before_its_first_event_begins(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path / "runs", plan.spec, "tiny", "space.yaml")
    folder.journal.write_text('{"event": "session_st')
    resumption = prepare_resumption(folder, NO_CHANGES, REFERENCE)
    assert resumption.session is not None
    with opened(folder, resumption.plan, resumption.session) as sweep:
        assert sweep.journal.torn
    (event,) = raw_events(folder.journal)
    assert event["torn"] is True


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--set", "train.max_steps=9", "--set", "max_retries=3"], "--set train.max_steps: is fix"),
        (["--retry-failed", "--num-trials", "1"], "--num-trials: must be at least 4"),
        ([], "its trials so far ran with something else:\n  data/meta.json has changed\n"),
        (["--accept-changes", "--set", "data=nowhere"], "no folder "),
    ],
)
def test_as_typed_on_the_command_line(
    started: Any, data: Path, arguments: list[str], problem: str
) -> None:
    """Told before Ray starts, with exit code 2, and nothing is written."""
    folder = started(**RANDOM, trainer="trainable.loop.training:Trainer")
    unfinished(folder, keep=0.9)
    edit(data / "meta.json", "1.0", "2.0")
    record = folder.journal.read_bytes()
    command = [sys.executable, "-m", "sweeper", "resume", str(folder.path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
    assert folder.journal.read_bytes() == record


def test_the_documentation_names_what_may_change() -> None:
    text = (Path(__file__).parents[4] / "docs" / "resume.md").read_text()
    for key in CHANGEABLE:
        assert f"`{key}`" in text or key == "search.num_trials", f"{key} is not in docs/resume.md"
