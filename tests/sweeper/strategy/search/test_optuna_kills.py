"""A suggestion depends on what is known alone: killed, a sweep goes on as if it had not been."""

import itertools
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sweeper.engine.sweep import Sweep
from sweeper.engine.upcoming.point_search import PointSearch
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.trial import Trial
from sweeper.record.state.warm_start import WarmStart
from sweeper.record.tables import result_rows
from sweeper.status import Decision, Status
from sweeper.strategy.search.optuna_search import OptunaSearcher
from sweeper.strategy.surface.observation import Observation
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.in_process import (
    Killed,
    Mortal,
    drive,
    killed_at_each_event,
    opened,
    run_trial,
)
from tests.sweeper.journals import raw_events
from tests.sweeper.strategy.search.studies import (
    FIFO,
    PROMOTE,
    RATE,
    SPACE,
    STOP,
    mirrored,
    new_folder,
    observed,
    search,
)


def live(sweep: Sweep, searcher: OptunaSearcher) -> Counter[TrialState]:
    study = searcher.study(observed(sweep))
    return Counter(trial.state for trial in study.trials)


def test_what_runs_counts_as_running_and_is_not_suggested_twice(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(space=RATE, scheduler=FIFO, search=search("tpe", 24))
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        for _ in range(16):
            trial = sweep.next_trial()
            assert trial is not None
            run_trial(sweep, trial)
        at_once = [sweep.next_trial() for _ in range(8)]
        rates = sorted(math.log10(t.config.learning_rate) for t in at_once if t)
        assert len(rates) == 8
        assert all(a < b for a, b in itertools.pairwise(rates))
        assert isinstance(sweep._upcoming.search.searcher, OptunaSearcher)
        assert live(sweep, sweep._upcoming.search.searcher)[TrialState.RUNNING] == 8
    with opened(folder, plan) as again:
        for trial in iter(again.next_trial, None):
            run_trial(again, trial)
        assert not live(again, OptunaSearcher(plan.spec))[TrialState.RUNNING]


@pytest.mark.parametrize("scheduler", [STOP, PROMOTE, FIFO], ids=["stop", "promote", "fifo"])
@pytest.mark.parametrize("seeds", [None, [0, 1]], ids=["", "seeds"])
def test_a_suggestion_depends_on_what_is_known_alone(
    tmp_path: Path, tiny_plan: Any, scheduler: dict[str, Any], seeds: list[int] | None
) -> None:
    """Four trials at a time, in a random order, some of which fail: each suggestion is that of a
    searcher which has just been made."""
    number = 26 if seeds else 40
    plan = tiny_plan(space=SPACE, scheduler=scheduler, search=search("tpe", number), seeds=seeds)
    rng = random.Random(0)
    with opened(new_folder(tmp_path, plan), plan) as sweep:
        running: list[tuple[Trial, Any]] = []
        suggested = 0
        while running or not sweep.is_over:
            if len(running) < 4:
                known = list(sweep.trials.values())
                is_last = len(known) == len(plan.trials)
                before = None if is_last else PointSearch(plan).next(known)
                trial = sweep.next_trial()
                if trial is not None:
                    if len(sweep.trials) > len(known):
                        assert before is not None
                        assert trial.values == before.values
                        suggested += 1
                    sweep.start(trial.trial_id)
                    running.append((trial, reports_of(trial)))
                    continue
            if running:
                advance(sweep, running, rng)
        assert suggested == len(plan.trials)
        assert isinstance(sweep._upcoming.search.searcher, OptunaSearcher)
        states = live(sweep, sweep._upcoming.search.searcher)
        assert not states[TrialState.RUNNING]


def reports_of(trial: Trial) -> Any:
    trainer = ClosedFormTrainer(trial.config, num_threads=None)
    trainer.step = trial.step
    return (report for report in trainer.train() if report is not None)


def advance(sweep: Sweep, running: list[tuple[Trial, Any]], rng: random.Random) -> None:
    """One of those that run reports, fails, or ends."""
    trial, reports = running[rng.randrange(len(running))]
    report = next(reports, None)
    if rng.random() < 0.02:
        sweep.end(trial.trial_id, error="bad luck")
    elif report and sweep.evaluated(trial.trial_id, report) is Decision.CONTINUE:
        return
    else:
        sweep.release(trial.trial_id)
    running.remove((trial, reports))


def earlier_results() -> WarmStart:
    """Of twelve points: enough that the model decides from the first trial on."""
    seen = tuple(
        Observation({"learning_rate": 10 ** (-5 + n * 0.4)}, Status.COMPLETED, abs(n - 6.0))
        for n in range(12)
    )
    return WarmStart("runs/earlier", seen, unfit=2)


@pytest.mark.parametrize(
    "scheduler",
    [pytest.param(STOP, id="stop"), pytest.param(PROMOTE, id="promote", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_any_event_it_goes_on_as_if_never_killed(
    tmp_path: Path,
    tiny_plan: Any,
    scheduler: dict[str, Any],
    before: bool,
) -> None:
    plan = tiny_plan(
        space=RATE, scheduler=scheduler, search=search("tpe", 7, **{"from": "earlier"})
    )
    whole = new_folder(tmp_path / "whole", plan)
    straight = drive(whole, plan, warm_start=earlier_results())

    def run(folder: RunFolder) -> Sweep:
        return drive(folder, plan, warm_start=earlier_results())

    for at, folder in enumerate(killed_at_each_event(tmp_path, plan, run, before=before), 1):
        resumed = run(folder)
        for kind in ("trial_created", "report"):
            assert recorded(folder, kind) == recorded(whole, kind), f"killed at event {at}"
        assert table(resumed, folder) == table(straight, whole), f"killed at event {at}"
        assert len(recorded(folder, "warm_started")) == 1
        states = {trial.state for trial in mirrored(plan, resumed)}
        assert TrialState.RUNNING not in states


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_gaussian_process_too_goes_on_as_if_never_killed(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(space=RATE, scheduler=FIFO, search=search("gp", 3, **{"from": "earlier"}))
    whole, folder = new_folder(tmp_path / "whole", plan), new_folder(tmp_path / "killed", plan)
    drive(whole, plan, warm_start=earlier_results())
    total = len(list(raw_events(whole.journal)))
    for at in (total // 3, total // 3):  # of what each session adds
        with monkeypatch.context() as patch, pytest.raises(Killed):
            Mortal(patch, at, before=False)
            drive(folder, plan, warm_start=earlier_results())
    drive(folder, plan)
    for kind in ("trial_created", "report"):
        assert recorded(folder, kind) == recorded(whole, kind)


def recorded(folder: RunFolder, kind: str) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in event.items() if key != "time"}
        for event in raw_events(folder.journal)
        if event["event"] == kind
    ]


def table(sweep: Sweep, folder: RunFolder) -> list[dict[str, Any]]:
    rows = result_rows(sweep.state, folder)
    return [{k: v for k, v in row.items() if k != "checkpoint"} for row in rows]


def test_earlier_results_decide_from_the_first_trial_on(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(space=RATE, scheduler=FIFO, search=search("tpe", 6, **{"from": "earlier"}))
    cold, warm = (
        [
            trial.config.learning_rate
            for trial in drive(folder, plan, warm_start=start).trials.values()
        ]
        for folder, start in (
            (new_folder(tmp_path / "cold", plan), None),
            (new_folder(tmp_path / "warm", plan), earlier_results()),
        )
    )
    best = 10 ** (-5 + 6 * 0.4)
    off = [sum(abs(math.log10(rate / best)) for rate in rates) for rates in (cold, warm)]
    assert off[1] < off[0] / 2
