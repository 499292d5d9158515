"""What reaches Weights & Biases: read back from its offline files, and from a server that answers
its own client."""

import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeper.engine.sweep import Sweep
from sweeper.errors import WandbError
from sweeper.plan.plan import Plan
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.spec.points import point_text
from sweeper.status import ExitCode, Status
from sweeper.views.trackers.wandb_mirror import WandbMirror, offline_parts
from sweeper.views.trackers.wandb_runs import WandbProcess, require_login, wandb_sync
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.in_process import drive, opened, run_trial
from tests.sweeper.views.trackers.fake_wandb import FakeWandb, fake_wandb
from trainable.loop.metrics import Metrics

pytestmark = pytest.mark.filterwarnings("ignore")  # W&B's own

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWandb]:
    with fake_wandb() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield server


def offline_records(folder: RunFolder, run_id: str = "*") -> list[Any]:
    """The records of a run's offline files, or of all, in order of time."""
    from wandb.proto import wandb_internal_pb2

    records = []
    for path in offline_parts(folder, run_id):
        for data in log_entries(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            records.append(record)
    return records


def log_entries(content: bytes) -> Iterator[bytes]:
    """LevelDB's log format, which these files have (after a header of 7 bytes): blocks of 32 KiB
    of pieces, each with checksum, length and type (1 whole, 2 first, 3 middle, 4 last)."""
    block, entry, position = 32768, b"", 7
    while position + 7 <= len(content):
        if block - position % block < 7:  # too little for a header: padding
            position += block - position % block
            continue
        length, kind = struct.unpack("<HB", content[position + 4 : position + 7])
        entry += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            yield entry
            entry = b""


def history(records: list[Any], key: str) -> list[str]:
    return [
        item.value_json
        for record in records
        if record.WhichOneof("record_type") == "history"
        for item in record.history.item
        if (item.key or "/".join(item.nested_key)) == key
    ]


def runs(records: list[Any]) -> set[str]:
    return {r.run.run_id for r in records if r.WhichOneof("record_type") == "run"}


def summary(records: list[Any], key: str) -> list[str]:
    """Every value that a summary's key was given, in order."""
    of_runs = [r.summary for r in records if r.WhichOneof("record_type") == "summary"]
    return [i.value_json for s in of_runs for i in s.update if i.key == key]


def new_folder(tmp_path: Path, plan: Plan) -> RunFolder:
    folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    folder.wandb.mkdir()
    return folder


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


def steps(rows: list[dict[str, Any]]) -> list[int]:
    return [row["step"] for row in rows]


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
    _is_on(server, sweep)


def _is_on(server: FakeWandb, sweep: Sweep) -> None:
    runs = {name.split("-")[-1]: run for name, run in server.runs.items()}
    assert set(runs) == set(sweep.trials)
    for trial_id, trial in sweep.trials.items():
        run = runs[trial_id]
        assert steps(run.rows) == [m.step for m in trial.evaluations]
        assert [row["val_loss"] for row in run.rows] == [m.val_loss for m in trial.evaluations]
        assert run.summary["status"] == trial.status.value
        assert run.summary["val_loss"] == trial.evaluations[-1].val_loss
        assert run.group == sweep.folder.name
        assert run.config["learning_rate"]["value"] == trial.config.learning_rate
        assert run.exit_code == 0


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
        _is_on(server, sweep)
    assert told[0].endswith("all of it is on Weights & Biases now.")
    assert told[1].endswith("already: there was nothing to upload.")


def test_the_key_is_in_no_file(
    tmp_path: Path, tiny_plan: Any, server: FakeWandb, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = tiny_plan()
    folder = new_folder(tmp_path, plan)
    require_login("--wandb online")
    process = WandbProcess(folder, "online")
    sweep = drive(folder, plan)
    while not server.has_finished(4):  # on a busy machine later than `close` would wait
        assert process._process.poll() is None
        time.sleep(0.05)
    process.close(sweep.state)
    _is_on(server, sweep)
    assert any(key and key.startswith("Basic ") for key in server.keys)  # it was used
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    out, err = capfd.readouterr()
    assert KEY not in out + err


ONLINE_SWEEP = f"""
import sys
from pathlib import Path
from rich.console import Console
from sweeper.running import Options, run_file
options = Options(
    runs=Path(sys.argv[2]), wandb="online", dashboard=False, trainer="{REFERENCE}"
)
sys.exit(run_file(Path(sys.argv[1]), Console(), options).exit_code)
"""


@pytest.mark.slow
def test_the_key_is_in_no_file_of_a_whole_sweep_nor_in_ray_s_logs(
    tmp_path: Path,
    write_space: Any,
    server: FakeWandb,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as ray:
        monkeypatch.setenv("RAY_TMPDIR", ray)  # its sockets' paths must be short
        # In a process of its own: Ray keeps the token of the first home that a process has had.
        runs, space = tmp_path / "runs", write_space()
        session = [sys.executable, "-c", ONLINE_SWEEP, str(space), str(runs)]
        code = subprocess.run(session, cwd=Path(__file__).parents[4], timeout=300).returncode
        folder = RunFolder(tmp_path / "runs" / "tiny")
        wandb_sync(folder, Console())  # what a busy machine had no time for
        files = [p for root in (tmp_path, Path(ray)) for p in root.rglob("*") if p.is_file()]
        assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert code == ExitCode.DONE
    assert server.has_finished(4)  # it was used
    assert {folder.log, folder.wandb_log, folder.journal} <= set(files)
    assert any("session_" in str(path) and path.suffix == ".log" for path in files)
    out, err = capfd.readouterr()
    assert KEY not in out + err


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
        _is_on(server, sweep)


def test_a_process_that_ends_early_is_told(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan()
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        folder.wandb_logged.write_text("{")
        process = WandbProcess(folder, "offline")
        process._process.wait()
        with pytest.raises(WandbError, match=r"JSONDecodeError: .*; the rest can be uploaded"):
            process.refresh(sweep.state)


@pytest.mark.parametrize("command", ["--wandb online", "wandb-sync"])
def test_without_a_key_uploading_is_refused_before_anything_starts(command: str) -> None:
    with pytest.raises(WandbError, match=f"{command}: no API key; run `wandb login`"):
        require_login(command)


def test_a_dead_server_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(WandbError, match=r"--wandb online: .*127\.0\.0\.1:1.*--wandb offline"):
        require_login("--wandb online")


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


def told_of(records: list[Any]) -> tuple[dict[str, str], str]:
    """The config of a run as it was told last, and its name."""
    config: dict[str, str] = {}
    name = ""
    for record in records:
        kind = record.WhichOneof("record_type")
        if kind == "run":
            config |= {item.key: item.value_json for item in record.run.config.update}
            name = record.run.display_name or name
        elif kind == "config":
            items = record.config.update
            config |= {item.key or item.nested_key[0]: item.value_json for item in items}
    return config, name
