"""What reaches Weights & Biases: read back from its offline files, and from a server that answers
its own client."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeper.engine.sweep import Sweep
from sweeper.errors import WandbError
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.run_folder import RunFolder
from sweeper.spec.points import point_text
from sweeper.status import Status
from sweeper.views.trackers.wandb_mirror import WandbMirror
from sweeper.views.trackers.wandb_runs import WandbProcess, wandb_sync
from tests.sweeper.in_process import drive, opened, run_trial
from tests.sweeper.views.trackers.conftest import KEY
from tests.sweeper.views.trackers.fake_wandb import FakeWandb, fake_wandb, is_on
from tests.sweeper.views.trackers.offline_files import (
    history,
    new_folder,
    offline_records,
    runs,
    summary,
    told_of,
)
from trainable.loop.metrics import Metrics

pytestmark = pytest.mark.filterwarnings("ignore")  # W&B's own


class Interrupted(BaseException):
    """The process is gone: nothing may catch this."""


def run_until(sweep: Sweep, last_step: int) -> None:
    """Run the next trial, and stop in its middle, right after its evaluation at that step."""
    evaluated, files = sweep.evaluated, MetricsFiles(sweep.folder)

    def followed(trial_id: str, metrics: Metrics) -> Any:
        decision = evaluated(trial_id, metrics)
        files.measured(sweep.trials[trial_id], [metrics])
        if metrics.step == last_step:
            raise Interrupted
        return decision

    sweep.evaluated = followed  # type: ignore[method-assign]
    trial = sweep.next_trial()
    assert trial is not None
    with pytest.raises(Interrupted):
        run_trial(sweep, trial)
    sweep.evaluated = evaluated  # type: ignore[method-assign]


@pytest.mark.parametrize("killed", [False, True])
def test_one_run_a_trial_and_no_step_twice_after_a_resume(
    tmp_path: Path, tiny_plan: Any, killed: bool
) -> None:
    """Also where the process that logs was killed: its open runs are made anew."""
    plan = tiny_plan(train={"eval_every_steps": 4}, scheduler={"type": "fifo"})
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        process = WandbProcess(folder, "offline")
        run_until(sweep, 8)  # the checkpoint is of step 4
        if killed:
            while history(offline_records(folder), "step") != ["4", "8"]:
                time.sleep(0.05)
            os.killpg(process._process.pid, signal.SIGKILL)
        else:
            process.close(sweep.state)
    process = WandbProcess(folder, "offline")
    sweep = drive(folder, plan)
    process.close(sweep.state)
    trial = sweep.trials["0000"]
    assert len(runs(offline_records(folder))) == 4
    records = offline_records(folder, "*-0000")
    assert len(runs(records)) == 1
    started = [r.run for r in records if r.WhichOneof("record_type") == "run"]
    assert {run.run_group for run in started} == {"tiny"}
    assert started[0].display_name.startswith("0000 learning_rate ")
    config = {item.key: item.value_json for item in started[0].config.update}
    assert config["d_model"] == "16"
    assert [int(step) for step in history(records, "step")] == [4, 8, 12, 16]
    losses = [float(value) for value in history(records, "val_loss")]
    assert losses == [m.val_loss for m in trial.evaluations]
    assert summary(records, "status")[-1] == '"completed"'
    assert float(summary(records, "best_val_loss")[-1]) == min(losses)


STEPWISE = """
import sys
from pathlib import Path
from sweeper.record.run_folder import RunFolder
from sweeper.views.trackers.wandb_mirror import WandbMirror
mirror = None
for line in sys.stdin:
    mirror = mirror or WandbMirror(RunFolder(Path(sys.argv[1])), "online")
    mirror.update(last=line == "last\\n")
    print("done", flush=True)
"""


@contextmanager
def stepwise_mirror(folder: RunFolder) -> Iterator[Callable[[str], None]]:
    """A mirror in a process of its own, brought up to date when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", STEPWISE, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def update(what: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        print(what, file=process.stdin, flush=True)
        assert process.stdout.readline() == "done\n"

    try:
        with process:
            yield update
            os.killpg(process.pid, signal.SIGKILL)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_a_trial_promoted_goes_on_in_its_run_and_one_dropped_at_the_end_is_told_stopped(
    tmp_path: Path, tiny_plan: Any, server: FakeWandb
) -> None:
    """The mirror sees every state: it is brought up to date after each trial's turn."""
    plan = tiny_plan(scheduler={"type": "asha", "mode": "promote", "grace_steps": 4})
    folder = new_folder(tmp_path, plan)
    with stepwise_mirror(folder) as update, opened(folder, plan) as sweep:
        while (trial := sweep.next_trial()) is not None:
            run_trial(sweep, trial)
            update("now")
        sweep.close("finished")
        update("last")
    promoted = [trial for trial in sweep.trials.values() if trial.attempts > 1]
    assert promoted
    assert {t.status for t in sweep.trials.values()} == {Status.COMPLETED, Status.STOPPED}
    is_on(server, sweep)


@pytest.mark.parametrize("logged", ["offline", "never", "half"])
def test_wandb_sync_uploads_what_is_missing_once(
    tmp_path: Path, tiny_plan: Any, server: FakeWandb, logged: str
) -> None:
    plan = tiny_plan()
    folder = new_folder(tmp_path, plan)
    if logged == "half":
        with opened(folder, plan) as sweep:
            process = WandbProcess(folder, "offline")
            run_until(sweep, 4)
            process.close(sweep.state)
    sweep = drive(folder, plan)
    if logged == "offline":
        WandbProcess(folder, "offline").close(sweep.state)
    told = []
    for _ in range(2):
        console = Console(file=io.StringIO(), width=200)
        wandb_sync(folder, console)
        told.append(console.file.getvalue().strip())
        is_on(server, sweep)
    assert told[0].endswith("all of it is on Weights & Biases now.")
    assert told[1].endswith("already: there was nothing to upload.")


def test_a_server_that_does_not_answer_costs_a_few_seconds_and_nothing_is_lost(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan()
    folder = new_folder(tmp_path, plan)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with socket.create_server(("127.0.0.1", 0)) as black_hole:  # takes calls, and is silent
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{black_hole.getsockname()[1]}")
        process = WandbProcess(folder, "online")
        sweep = drive(folder, plan)
        while not list(folder.wandb.glob("run-*")) and process._process.poll() is None:
            time.sleep(0.05)
        started = time.monotonic()
        with pytest.raises(WandbError, match=f"python -m sweeper wandb-sync {folder.path}"):
            process.close(sweep.state)
        assert time.monotonic() - started < 20
    with fake_wandb() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        wandb_sync(folder, Console(quiet=True))
        is_on(server, sweep)


def test_a_process_that_ends_early_is_told(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan()
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        folder.wandb_logged.write_text("{")
        process = WandbProcess(folder, "offline")
        process._process.wait()
        with pytest.raises(WandbError, match=r"logged\.json: damaged .*; the rest can be"):
            process.refresh(sweep.state)


def test_a_trial_that_takes_over_between_two_looks_is_shown_with_the_values_that_it_has(
    tmp_path: Path, tiny_plan: Any
) -> None:
    """Each is looked at only as it starts: its pause and its restart are never seen."""
    plan = tiny_plan(
        scheduler={"type": "pbt", "interval_steps": 4},
        train={"eval_every_steps": 4, "checkpoint_every_steps": 4},
    )
    watched: dict[str, tuple[RunFolder, Sweep]] = {}
    num_changed = 0
    for name in ("0000", "0001", "0002", "0003"):
        folder = new_folder(tmp_path / name, plan)
        with opened(folder, plan) as sweep:
            mirror, start = WandbMirror(folder, "offline"), sweep.start
            first: dict[str, Any] = {}

            def looked_at(trial_id: str, mirror: Any = mirror, start: Any = start) -> None:
                start(trial_id)
                if trial_id == name:  # noqa: B023  # called within this turn
                    mirror.update()

            sweep.start = looked_at  # type: ignore[method-assign]
            while (trial := sweep.next_trial()) is not None:
                first.setdefault(trial.trial_id, dict(trial.values))
                run_trial(sweep, trial)
            sweep.close("finished")
        mirror.update(last=True)
        watched[name] = folder, sweep
        num_changed += sweep.trials[name].values != first[name]
    assert num_changed
    mirror.wandb.teardown()  # until then, not all need be in the files
    for name, (folder, sweep) in watched.items():
        trial = sweep.trials[name]
        config, shown = told_of(offline_records(folder, f"*-{name}"))
        assert json.loads(config["learning_rate"]) == trial.config.learning_rate
        assert shown == f"{name} {point_text(trial.values)}"
