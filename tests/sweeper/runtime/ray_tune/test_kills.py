"""Ended at random points, in every way: the sweep comes out as if it had never been."""

import itertools
import json
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.audience import Audience
from sweeper.engine.warm_starting import read_warm_start
from sweeper.plan.plan import make_plan
from sweeper.record.replay import replay
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder, create_run_folder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.warm_start import WarmStart
from sweeper.record.tables import result_rows
from sweeper.runtime.in_process import InProcess
from sweeper.spec.reading.spec_file import load_spec
from sweeper.status import ExitCode
from tests.sweeper.closed_form import ClosedFormTrainer, SeededTrainer
from tests.sweeper.in_process import opened
from tests.sweeper.journals import num_events, raw_events
from tests.sweeper.runtime.ray_tune.sessions import Driver, forked_session_of, session_of

pytestmark = pytest.mark.slow
MAX_EVENTS_A_SESSION = 40
RATES = [float(f"{10 ** (-4 + n / 8):.3g}") for n in range(24)] + [0.7]
SECTIONS = {
    # Every evaluation has its checkpoint: one may be on storage, and the other not in the journal.
    "train": {"eval_every_steps": 2, "checkpoint_every_steps": 2},
    "resources": {"cpu": 2},  # one at a time: with more, who comes first is chance
}
GRID = {"learning_rate": {"grid": RATES}}
# The first has all of it at once; the others take turns with it where more kills are asked for. In
# one process each of its parts is killed at every event (`test_optuna_kills.py` and others).
SWEEPS: dict[str, tuple[dict[str, Any], set[str]]] = {  # with what its journal tells
    "all": (
        {
            "space": {"learning_rate": {"loguniform": [1e-4, 1]}},
            "search": {"algorithm": "tpe", "num_trials": 12},
            "scheduler": {
                "type": "asha", "mode": "promote", "compare": "forecast", "grace_steps": 2,
            },
            "finals": {"top": 2, "seeds": 3},
        },
        {"promoted", "forecast", "finals_ended"},
    ),
    "promote": (
        {"space": GRID, "scheduler": {"type": "asha", "mode": "promote", "grace_steps": 2}},
        {"promoted"},
    ),
    "stop-by-forecast": (
        {"space": GRID, "scheduler": {"type": "asha", "compare": "forecast", "grace_steps": 2}},
        {"forecast"},
    ),
    "model-and-finals": (
        {"space": GRID, "search": {"algorithm": "model"}, "finals": {"top": 3, "seeds": 3}},
        {"finals_ended"},
    ),
}  # fmt: skip
Run = tuple[float, int]  # the learning rate and the seed of a trial


@pytest.fixture
def starts(tmp_path: Path, cluster: None) -> Path:
    """The file in which trials note their starts."""
    notes = tmp_path / "starts"
    notes.touch()
    return notes


def undisturbed(
    space: Path, runs: Path, trainer: type[ClosedFormTrainer] = ClosedFormTrainer
) -> RunFolder:
    """The sweep that nothing has happened to: without Ray, where it takes milliseconds and is the
    same (`test_runner.py`)."""
    spec, source = load_spec(space)
    plan = make_plan(spec, Path(str(spec.data)), source)
    folder = create_run_folder(runs, plan.spec, None, str(space))
    searched = plan.spec.search.from_run is not None
    warm_start = read_warm_start(plan.spec, runs, source) if searched else None
    go_on_without_ray(folder, trainer, warm_start)
    return folder


def go_on_without_ray(
    folder: RunFolder,
    trainer: type[ClosedFormTrainer] = ClosedFormTrainer,
    warm_start: WarmStart | None = None,
) -> None:
    """To its end: where it matters what a session on Ray has left, and not what goes on from it."""
    spec, source = load_spec(folder.spec)
    plan = make_plan(spec, Path(str(spec.data)), source)
    with opened(folder, plan, None, warm_start) as sweep:
        InProcess(sweep, Audience(sweep, []), trainer).run()
        sweep.close("finished")


def events(folder: RunFolder) -> list[dict[str, Any]]:
    return list(raw_events(folder.journal)) if folder.journal.exists() else []


def state_of(folder: RunFolder) -> SweepState:
    spec, _ = load_spec(folder.spec)
    return replay(spec, folder)


def saved_step(folder: RunFolder, trial_id: str) -> int:
    """Of the newest checkpoint that can be read."""
    for checkpoint in folder.checkpoint_folders(trial_id):
        try:
            return int(json.loads((checkpoint / CHECKPOINT_FILE).read_text())["step"])
        except (OSError, ValueError):
            continue  # the kill came while it was written
    return 0


def decided(folder: RunFolder) -> list[tuple[Any, ...]]:
    keep = ("trial", "decision", "rung", "rank", "of", "forecast", "deviation", "chance")
    return [
        (*(e.get(key) for key in keep), e["metrics"]["step"], e["metrics"]["val_loss"])
        for e in events(folder)
        if e["event"] == "report"
    ]


def kill(driver: Driver) -> None:
    driver.kill()


def kill_all(driver: Driver) -> None:
    driver.signal_group(signal.SIGKILL)


def terminate(driver: Driver) -> None:
    driver.send_signal(signal.SIGTERM)


def interrupt(driver: Driver) -> None:
    """Ctrl-C, as a terminal sends it."""
    driver.signal_group(signal.SIGINT)


def interrupt_twice(driver: Driver) -> None:
    interrupt(driver)
    interrupt(driver)


def terminate_and_kill(driver: Driver) -> None:
    """As a supervisor does with what does not end in time."""
    terminate(driver)
    kill(driver)


ENDS = [kill, kill_all, terminate, interrupt, interrupt_twice, terminate_and_kill]


@pytest.mark.timeout(3600)  # with many more kills than by itself
def test_killed_again_and_again_it_ends_as_if_never_killed(
    tmp_path: Path, write_space: Any, starts: Path, pytestconfig: pytest.Config
) -> None:
    """In every way, at random, from the first event of a session on."""
    rng, left = random.Random(0), pytestconfig.getoption("--kills")
    for number, (name, (sections, telling)) in enumerate(itertools.cycle(SWEEPS.items())):
        if not left:
            return
        space = write_space(**SECTIONS, **sections)
        whole = undisturbed(space, tmp_path / f"whole{number}", SeededTrainer)
        told = {key for event in events(whole) for key in (event["event"], *event)}
        assert telling <= told, name
        folder = RunFolder(tmp_path / f"killed{number}" / "tiny")
        left = run_killed(space, folder, starts, rng, left)
        assert decided(folder) == decided(whole), f"sweep {number}: {name}"
        assert rows(state_of(folder), folder) == rows(state_of(whole), whole), name


def run_killed(space: Path, folder: RunFolder, starts: Path, rng: random.Random, kills: int) -> int:
    """Run a sweep to its end, killed on the way at most so often, in each way before in any again;
    how many kills are left."""
    ended: set[Run] = set()
    ends: list[Callable[[Driver], None]] = []
    saved: dict[Run, int] = {}  # steps on storage
    code = None
    while code != ExitCode.DONE:
        noted, there = len(starts.read_text().splitlines()), num_events(folder.journal)
        begin = ("resume", "tiny") if folder.journal.exists() else ("run", space)
        ends = ends or rng.sample(ENDS, len(ENDS))
        end = ends.pop() if kills else None
        session = forked_session_of if end in (kill, kill_all) else session_of
        driver = session("NotingTrainer", *begin, folder.path.parent)
        limit = there + rng.randint(1, MAX_EVENTS_A_SESSION)
        while end is not None and driver.poll() is None:
            time.sleep(0.002)  # between two looks at the condition
            if num_events(folder.journal) >= limit:
                with suppress(ProcessLookupError):  # it may have ended by itself just now
                    end(driver)
                kills -= 1
                break
        code = driver.wait()
        # Before the trials run, a signal ends this driver as Python does; `commands` makes it 130.
        by_signal = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)
        assert code in (ExitCode.DONE, ExitCode.INTERRUPTED, *by_signal)

        begun: dict[Run, int] = {}
        for line in starts.read_text().splitlines()[noted:]:
            rate, seed, step = line.split()
            begun.setdefault((float(rate), int(seed)), int(step))
        assert not ended & set(begun), "what has ended is not repeated"
        for run, step in begun.items():
            assert step >= saved.get(run, 0), "only what came after the newest checkpoint is lost"
        trials = {
            (t.config.learning_rate, t.config.seed): t for t in state_of(folder).trials.values()
        }
        ended = {run for run, trial in trials.items() if trial.status.ended}
        saved = {run: saved_step(folder, trial.trial_id) for run, trial in trials.items()}
    return kills


def rows(state: SweepState, folder: RunFolder) -> list[dict[str, Any]]:
    """The table, but for the checkpoints: their numbers, their size with Tune's own notes."""
    table = result_rows(state, folder)
    return [{key: row[key] for key in row if not key.startswith("checkpoint")} for row in table]
