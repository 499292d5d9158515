"""A sweep as TensorBoard reads it: by its own reader, and by its server's HParams plugin."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.sweep import Sweep
from sweeper.errors import MirrorError, RunFolderError
from sweeper.plan.plan import Plan
from sweeper.record.follower import mirror
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.status import Status
from sweeper.views.trackers.tensorboard_mirror import TensorBoardMirror, run_name
from tests.sweeper.in_process import drive, opened, run_trial
from tests.sweeper.test_rooms import loaded_after

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorBoard's own

Planned = Callable[..., tuple[RunFolder, Plan]]


@pytest.fixture
def planned(tmp_path: Path, tiny_plan: Any) -> Planned:
    """A sweep of these sections, and its run folder."""

    def make(**sections: Any) -> tuple[RunFolder, Plan]:
        plan = tiny_plan(**sections)
        return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml"), plan

    return make


def update(folder: RunFolder) -> None:
    mirror(TensorBoardMirror(folder), follow=False)


def is_shown(folder: RunFolder, sweep: Sweep) -> None:
    """Every evaluation once, as TensorBoard's own reader has it; floats there have 32 bits."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    begun = [trial for trial in sweep.trials.values() if trial.attempts]
    paths = {path.name for path in folder.tensorboard.iterdir() if path.is_dir()}
    assert paths == {run_name(trial) for trial in begun}
    for trial in begun:
        events = EventAccumulator(str(folder.tensorboard / run_name(trial))).Reload()
        for tag in ("val_loss", "val_perplexity"):
            measured = [m for m in trial.evaluations if m.value(tag) is not None]
            shown = events.Scalars(tag) if tag in events.Tags()["scalars"] else []
            assert [(e.step, pytest.approx(e.value)) for e in shown] == [
                (m.step, m.value(tag)) for m in measured
            ]


def files(folder: RunFolder) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.tensorboard.rglob("events*")}


def test_curves_of_every_trial_once_also_through_pauses_and_when_asked_again(
    planned: Planned,
) -> None:
    folder, plan = planned(scheduler={"type": "asha", "mode": "promote", "grace_steps": 4})
    with opened(folder, plan) as sweep:
        update(folder)
        while (trial := sweep.next_trial()) is not None:
            run_trial(sweep, trial)
            before = files(folder)
            update(folder)
            is_shown(folder, sweep)
            after = files(folder)
            assert all(after[path].startswith(content) for path, content in before.items())
        sweep.close("finished")
    update(folder)
    done = files(folder)
    update(folder)
    assert files(folder) == done


def test_a_file_torn_by_a_kill_is_completed_and_one_of_something_else_made_anew(
    planned: Planned,
) -> None:
    folder, plan = planned()
    sweep = drive(folder, plan)
    update(folder)
    whole = files(folder)
    torn, other = sorted(whole)[:2]
    torn.write_bytes(whole[torn][:-7])
    other.write_bytes(b"something else")
    update(folder)
    assert files(folder) == whole
    is_shown(folder, sweep)


def test_the_real_server_has_curves_and_the_hparams_view(planned: Planned) -> None:
    folder, plan = planned(
        space={
            "learning_rate": {"grid": [1e-3, 0.7]},
            "size": {"grid": {"narrow": {"d_ff": 16}, "wide": {"d_ff": 64}}},
            "grad_clip": {"grid": [None, 1.0]},
        },
        scheduler={"type": "fifo"},
    )
    sweep = drive(folder, plan)
    update(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("tensorboard")), "--logdir", str(folder.path),
        "--port", str(port), "--host", "127.0.0.1",
    ]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        runs: list[str] = []
        while len(runs) < 1 + len(sweep.trials):
            assert server.poll() is None
            with suppress(OSError):
                runs = asked(port, "data/runs")
            time.sleep(0.1)
        experiment = asked(port, "data/plugin/hparams/experiment", {"experimentName": ""})
        wanted = {
            "experimentName": "",
            "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE"],
            "colParams": [{"metric": {"tag": "val_loss", "group": ""}, "order": "ORDER_ASC"}],
            "startIndex": 0,
            "sliceSize": 100,
        }
        answer = asked(port, "data/plugin/hparams/session_groups", wanted)
    finally:
        server.kill()
        server.wait()
    assert set(runs) == {
        "tensorboard",
        *(f"tensorboard/{run_name(t)}" for t in sweep.trials.values()),
    }
    assert {info["name"] for info in experiment["hparamInfos"]} == {
        "learning_rate", "size", "grad_clip",
    }  # fmt: skip
    shown = {}
    for group in answer["sessionGroups"]:
        (session,) = group["sessions"]
        losses = {m["name"]["tag"]: m["value"] for m in session.get("metricValues", [])}
        shown[session["name"]] = (group["hparams"], session["status"], losses.get("val_loss"))
    assert len(shown) == len(sweep.trials)
    for trial in sweep.trials.values():
        hparams, status, loss = shown[f"tensorboard/{run_name(trial)}"]
        assert hparams == {k: v for k, v in trial.values.items() if v is not None}
        diverged = trial.status is Status.DIVERGED
        assert status == ("STATUS_FAILURE" if diverged else "STATUS_SUCCESS")
        assert loss == (None if diverged else pytest.approx(trial.evaluations[-1].val_loss))
    assert {hparams["learning_rate"] for hparams, _, _ in shown.values()} == {1e-3, 0.7}


def asked(port: int, what: str, data: Any = None) -> Any:
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{what}", body)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=120) as reply:
        return json.load(reply)


def test_it_needs_neither_torch_nor_tensorflow() -> None:
    code = "import sweeper.views.trackers.tensorboard_mirror as m; m._Records()"
    assert not loaded_after(code) & {"torch", "tensorflow", "ray", "wandb", "tensorboardX"}


def test_without_tensorboard_it_says_what_to_install(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, plan = planned()
    drive(folder, plan)
    monkeypatch.setitem(sys.modules, "tensorboard.plugins.hparams.metadata", None)
    with pytest.raises(MirrorError, match=r"not installed .*pip install tensorboard"):
        update(folder)


def test_a_folder_that_cannot_be_written_and_one_with_nothing_in_it(planned: Planned) -> None:
    folder, plan = planned()
    folder.journal.touch()
    with pytest.raises(RunFolderError, match="no sweep has begun in it yet"):
        update(folder)
    drive(folder, plan)
    folder.tensorboard.write_text("in the way")
    with pytest.raises(MirrorError, match=r"tensorboard: cannot be written: .*copy the run folder"):
        update(folder)


def test_a_name_is_a_folder_whatever_is_swept() -> None:
    from sweeper.record.state.trial import Trial
    from trainable.config import TrainConfig

    trial = Trial("0003", {"learning_rate": 1.2e-3, "size": "a/../b é"}, TrainConfig())
    assert run_name(trial) == "0003_learning_rate=0.0012,size=a_.._b_é"


def test_a_trial_that_takes_over_is_shown_with_the_values_that_it_has(planned: Planned) -> None:
    """Shown after every trial's stretch, so before and after each takeover."""
    folder, plan = planned(
        space={"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 1e-1]}},
        scheduler={"type": "pbt", "interval_steps": 4},
        train={"eval_every_steps": 4, "checkpoint_every_steps": 4},
    )
    first: dict[str, Any] = {}
    with opened(folder, plan) as sweep:
        while (trial := sweep.next_trial()) is not None:
            first.setdefault(trial.trial_id, dict(trial.values))
            run_trial(sweep, trial)
            update(folder)
    assert any(trial.values != first[trial.trial_id] for trial in sweep.trials.values())
    update(folder)
    names = {path.name for path in folder.tensorboard.iterdir() if path.is_dir()}
    assert names == {run_name(trial) for trial in sweep.trials.values()}
