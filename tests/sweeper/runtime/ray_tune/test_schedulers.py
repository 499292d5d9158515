"""Trials that begin with the checkpoint of another, and points that a search suggests, on a real
Ray cluster: killed and resumed. Every scheduler and search is killed at any event without Ray
(`test_sweep.py`, `test_forking_faults.py`, `test_optuna_kills.py`)."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sweeper.engine.upcoming.observing import Observer
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.spec.reading.spec_file import load_spec
from sweeper.status import ExitCode
from sweeper.strategy.search.optuna_search import OptunaSearcher
from tests.sweeper.closed_form import ClosedFormTrainer, PathTrainer, SeededTrainer
from tests.sweeper.journals import RawEvent, num_events
from tests.sweeper.runtime.ray_tune.sessions import Driver, forked_session_of
from tests.sweeper.runtime.ray_tune.test_kills import events, rows, state_of, undisturbed
from tests.sweeper.waiting import wait_until

POPULATION = {
    "space": {"learning_rate": {"grid": [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 0.7]}},
    "scheduler": {"type": "pbt", "interval_steps": 4},
    "max_concurrent": 2,
}
FORKS = {
    "space": {"max_steps": {"grid": [20, 40, 60]}, "learning_rate": {"grid": [1e-3, 0.7]}},
    "train": {"schedule": "wsd", "eval_every_steps": 10},
    "scheduler": {"type": "fifo"},
    "max_concurrent": 1,
}
EARLIER = {
    "name": "earlier",
    "space": {"learning_rate": {"grid": [float(f"{10 ** (n / 2 - 5):.3g}") for n in range(11)]}},
    "scheduler": {"type": "fifo"},
}
SEARCH = {
    "space": {
        "learning_rate": {"loguniform": [1e-5, 1]},
        "size": {"choice": {"small": {"d_ff": 32}, "large": {"d_ff": 64}}},
    },
    "scheduler": {"type": "asha", "mode": "promote", "grace_steps": 4},
    "max_concurrent": 1,
}

pytestmark = [
    pytest.mark.slow,
    # Of Ray's search for free ports, and of its processes.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <function Popen.__del__:"
        "pytest.PytestUnraisableExceptionWarning"
    ),
]


def decided(folder: RunFolder) -> list[RawEvent]:
    """What was reported and decided, in order; times aside."""
    kinds = {"trial_created", "report", "promoted", "exploited"}
    # Tune numbers checkpoints anew where a kill has left one that the journal does not know.
    aside = {"time", "checkpoint", "source_checkpoint", "fork"}
    return [
        {key: value for key, value in (event | event.get("fork", {})).items() if key not in aside}
        for event in events(folder)
        if event["event"] in kinds
    ]


def whoever_comes_first(decided: list[RawEvent]) -> list[str]:
    """But for the order, and the ranks among those that had come."""
    aside = {"rank", "of"}
    return sorted(json.dumps({k: e[k] for k in sorted(e) if k not in aside}) for e in decided)


def table(folder: RunFolder) -> list[dict[str, Any]]:
    return rows(state_of(folder), folder)


def killed_and_resumed(
    space: Path,
    runs: Path,
    whole: RunFolder,
    trainer: type[ClosedFormTrainer],
    telling: str,
    meanwhile: Callable[[], object] = lambda: None,
) -> RunFolder:
    """The sweep, killed where the middle one of its events that tell this would be."""
    places = [n for n, event in enumerate(events(whole), 1) if telling in (event["event"], *event)]
    limit = places[len(places) // 2]
    folder = RunFolder(runs / whole.name)

    def session(*begin: object) -> Driver:
        return forked_session_of(f"{trainer.__module__}:{trainer.__name__}", *begin, runs)

    driver = session("run", space)
    wait_until(driver, lambda: num_events(folder.journal) >= limit)
    driver.kill()
    assert driver.wait() == -signal.SIGKILL
    meanwhile()
    assert session("resume", whole.name).wait() == ExitCode.DONE
    return folder


@pytest.mark.parametrize(
    ("sections", "telling", "forked"),
    [(POPULATION, "exploited", {}), (FORKS, "fork", {20: 16, 40: 32})],
    ids=["pbt", "forks"],
)
def test_killed_and_resumed_it_decides_the_same(
    tmp_path: Path,
    write_space: Any,
    cluster: None,
    sections: dict[str, Any],
    telling: str,
    forked: dict[int, int],
) -> None:
    """Two at a time where all wait for one another: what is decided does not depend on who comes
    first."""
    space = write_space(**sections)
    whole = undisturbed(space, tmp_path / "whole", PathTrainer)
    folder = killed_and_resumed(space, tmp_path / "killed", whole, PathTrainer, telling)
    if sections["max_concurrent"] == 1:
        assert decided(folder) == decided(whole)
    assert whoever_comes_first(decided(folder)) == whoever_comes_first(decided(whole))
    assert table(folder) == table(whole)
    assert {row["status"] for row in table(folder)} == {"completed", "diverged"}
    began = {row["max_steps"]: row["forked_at"] for row in table(folder) if row["forked_at"]}
    assert began == forked
    for each in (whole, folder):
        trials = state_of(each).trials
        assert {path.name for path in each.trials.iterdir()} == set(trials), "a folder a trial"
        for row in table(each):
            if row["status"] == "completed":
                saved = each.checkpoint_folders(row["trial_id"])[0] / CHECKPOINT_FILE
                assert json.loads(saved.read_text())["step"] == row["step"]


def test_a_search_suggests_what_it_would_have_suggested(
    tmp_path: Path, write_space: Any, cluster: None
) -> None:
    """The results that it began with are deleted meanwhile: they stand in the journal."""
    earlier = undisturbed(write_space(**EARLIER), tmp_path / "earlier", SeededTrainer).path
    first = {"learning_rate": 0.003, "size": "small"}
    search = {"algorithm": "tpe", "num_trials": 10, "from": str(earlier), "initial": [first]}
    space = write_space(**SEARCH, search=search)
    whole = undisturbed(space, tmp_path / "whole", SeededTrainer)
    folder = killed_and_resumed(
        space, tmp_path / "killed", whole, SeededTrainer, "promoted", lambda: shutil.rmtree(earlier)
    )
    assert decided(folder) == decided(whole)
    assert decided(folder)[0]["values"] == first
    assert table(folder) == table(whole)
    state = state_of(folder)
    assert state.warm_start is not None
    assert len(state.warm_start.observations) == 11
    spec, _ = load_spec(folder.spec)
    searcher = OptunaSearcher(spec, state.warm_start.observations)
    study = searcher.study(Observer(spec).observations(list(state.trials.values())))
    states = [trial.state for trial in study.trials]
    assert len(states) == 11 + 10
    assert set(states) == {TrialState.COMPLETE, TrialState.PRUNED}
