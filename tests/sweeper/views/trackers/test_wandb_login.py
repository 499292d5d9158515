"""The key to Weights & Biases: asked for before anything starts, and in no file."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeper.errors import WandbError
from sweeper.record.run_folder import RunFolder
from sweeper.status import ExitCode
from sweeper.views.trackers.wandb_runs import WandbProcess, require_login, wandb_sync
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.in_process import drive
from tests.sweeper.views.trackers.conftest import KEY
from tests.sweeper.views.trackers.fake_wandb import FakeWandb, is_on
from tests.sweeper.views.trackers.offline_files import new_folder

pytestmark = pytest.mark.filterwarnings("ignore")  # W&B's own


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
    is_on(server, sweep)
    assert any(key and key.startswith("Basic ") for key in server.keys)  # it was used
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    out, err = capfd.readouterr()
    assert KEY not in out + err


ONLINE_SWEEP = f"""
import sys
from pathlib import Path
from rich.console import Console
from sweeper.running import run_file
from sweeper.runtime.session.preparation import Options
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


@pytest.mark.parametrize("command", ["--wandb online", "wandb-sync"])
def test_without_a_key_uploading_is_refused_before_anything_starts(command: str) -> None:
    with pytest.raises(WandbError, match=f"{command}: no API key; run `wandb login`"):
        require_login(command)


def test_a_dead_server_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(WandbError, match=r"--wandb online: .*127\.0\.0\.1:1.*--wandb offline"):
        require_login("--wandb online")
