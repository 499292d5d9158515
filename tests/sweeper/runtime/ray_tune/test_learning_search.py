"""A search that learns, on Ray, killed and resumed: it suggests what it would have suggested."""

import random
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sweeper.engine.upcoming.observing import Observer
from sweeper.record.run_folder import RunFolder
from sweeper.spec.reading.spec_file import load_spec
from sweeper.status import ExitCode
from sweeper.strategy.search.optuna_search import OptunaSearcher
from tests.sweeper.closed_form import SeededTrainer
from tests.sweeper.journals import num_events
from tests.sweeper.runtime.ray_tune.sessions import forked_session_of
from tests.sweeper.runtime.ray_tune.test_kills import (
    decided,
    events,
    rows,
    state_of,
    undisturbed,
)
from tests.sweeper.waiting import wait_until

pytestmark = pytest.mark.slow
KILLS = 2
MAX_EVENTS_A_SESSION = 20
FIRST = {
    "name": "first",
    "space": {"learning_rate": {"grid": [float(f"{10 ** (n / 2 - 5):.3g}") for n in range(11)]}},
    "scheduler": {"type": "fifo"},
}
LATER = {
    "name": "later",
    "space": {
        "learning_rate": {"loguniform": [1e-5, 1]},
        "size": {"choice": {"small": {"d_ff": 32}, "large": {"d_ff": 64}}},
    },
    "scheduler": {"type": "asha", "mode": "promote", "grace_steps": 4},
    "resources": {"cpu": 2},  # one at a time: with more, who comes first is chance
}


def created(folder: RunFolder) -> list[Any]:
    return [event["values"] for event in events(folder) if event["event"] == "trial_created"]


def test_tpe_with_a_warm_start_killed_twice_ends_as_if_never_killed(
    tmp_path: Path, write_space: Any, tokens_folder: Path, cluster: None
) -> None:
    first = undisturbed(write_space(**FIRST), tmp_path / "runs", SeededTrainer).path
    search = {
        "algorithm": "tpe", "num_trials": 14, "from": str(first),
        "initial": [{"learning_rate": 0.003, "size": "small"}],
    }  # fmt: skip
    space = write_space(**LATER, search=search)
    folder = RunFolder(tmp_path / "runs" / "later")
    whole = undisturbed(space, tmp_path / "whole", SeededTrainer)
    rng = random.Random(0)
    for kill in range(KILLS + 1):
        there = num_events(folder.journal)
        begin = ("resume", "later") if kill else ("run", space)
        process = forked_session_of("SeededTrainer", *begin, tmp_path / "runs")
        if kill < KILLS:
            limit = there + rng.randint(3, MAX_EVENTS_A_SESSION)
            wait_until(process, lambda limit=limit: num_events(folder.journal) >= limit)
            process.kill()
        assert process.wait() == (ExitCode.DONE if kill == KILLS else -signal.SIGKILL)
        shutil.rmtree(first, ignore_errors=True)  # its results stand in the journal

    assert created(folder) == created(whole)
    assert created(folder)[0] == search["initial"][0]
    assert decided(folder) == decided(whole)
    assert rows(state_of(folder), folder) == rows(state_of(whole), whole)
    spec, _ = load_spec(folder.spec)
    state = state_of(folder)
    assert state.warm_start is not None
    assert len(state.warm_start.observations) == 11
    searcher = OptunaSearcher(spec, state.warm_start.observations)
    study = searcher.study(Observer(spec).observations(list(state.trials.values())))
    states = [trial.state for trial in study.trials]
    assert len(states) == 11 + 14
    assert set(states) == {TrialState.COMPLETE, TrialState.PRUNED}
    print(f"{KILLS} kills, {len(events(folder))} events, {len(states)} trials told")
