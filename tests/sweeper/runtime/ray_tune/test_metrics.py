"""A running sweep in Ray's dashboard, and in a real Prometheus that scrapes it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.run_folder import create_run_folder
from sweeper.runtime.ray_tune.metrics import RayMetrics, best_so_far, trials_by_status
from sweeper.status import Status
from sweeper.views.trackers.grafana import ENDED, board, queries
from tests.programs import PROMETHEUS, needs_prometheus
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.in_process import opened, run_trial

TITLES = "SWEEPER_TEST_TITLES"  # names a folder: a file a trial, with the name of its process
GATE = "SWEEPER_TEST_GATE"  # names a file: trials train no further until it is there
FIRST_TWO = {"tiny 0000 learning_rate 0.01", "tiny 0001 learning_rate 0.0001"}

DRIVER = """
import sys
from pathlib import Path
from rich.console import Console
from sweeper.running import run_file
from sweeper.runtime.session.preparation import Options
trainer = "tests.sweeper.runtime.ray_tune.test_metrics:Gated"
options = Options(runs=Path(sys.argv[2]), trainer=trainer)
sys.exit(run_file(Path(sys.argv[1]), Console(width=200), options).exit_code)
"""


class Gated(ClosedFormTrainer):
    """Waits in its middle, where no checkpoint is due, until the test has seen enough."""

    def train(self) -> Iterator[Any]:
        title = Path("/proc/self/cmdline").read_text().rstrip("\0")
        Path(os.environ[TITLES], f"{self.config.learning_rate:g}").write_text(
            json.dumps({"pid": os.getpid(), "title": title})
        )
        for report in super().train():
            yield report and replace(report, others={"val_loss_code": report.step / 4})
            while self.step == 9 and not Path(os.environ[GATE]).exists():
                time.sleep(0.1)
                yield None


def until(what: str, is_so: Callable[[], Any], seconds: float = 240) -> Any:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.2)
    return found


def get(url: str, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=120) as reply:
        return json.load(reply)


@pytest.fixture
def ray_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Ray of its own, which reports each second; its sockets' paths must be short."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as home:
        monkeypatch.setenv("RAY_TMPDIR", home)
        monkeypatch.setenv("RAY_metrics_report_interval_ms", "1000")
        yield Path(home) / "ray"


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def prometheus(config: Path, folder: Path) -> Iterator[Callable[[str], list[Any]]]:
    """A Prometheus with Ray's own configuration; answers queries."""
    assert PROMETHEUS is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        PROMETHEUS, f"--config.file={config}", f"--web.listen-address={address}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
    ]  # fmt: skip

    def query(expression: str) -> list[Any]:
        encoded = urllib.parse.urlencode({"query": expression})
        result = get(f"http://{address}/api/v1/query?{encoded}")["data"]["result"]
        assert isinstance(result, list)
        return result

    def is_ready() -> bool:
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        with suppress(OSError):
            return bool(urllib.request.urlopen(f"http://{address}/-/ready").status == 200)
        return False

    with running(command, folder / "prometheus.log") as process:
        until("Prometheus is ready", is_ready)
        yield query


@dataclass(frozen=True)
class Sweeping:
    """A sweep whose first two trials wait in their middle until `go_on`."""

    gate: Path
    titles: Path
    out: Path
    driver: subprocess.Popen[bytes]

    def go_on(self) -> None:
        self.gate.touch()
        assert self.driver.wait() == 0, self.out.read_text()


@pytest.fixture
def sweeping(
    tmp_path: Path, write_space: Any, ray_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sweeping]:
    titles, gate, out = tmp_path / "titles", tmp_path / "gate", tmp_path / "out"
    titles.mkdir()
    monkeypatch.setenv(TITLES, str(titles))
    monkeypatch.setenv(GATE, str(gate))
    space = write_space(scheduler={"type": "fifo"}, train={"eval_every_steps": 4}, max_concurrent=2)
    command = [sys.executable, "-c", DRIVER, str(space), str(tmp_path / "runs")]
    with running(command, out) as driver:
        ended = driver.poll
        until("two trials run", lambda: len(list(titles.iterdir())) == 2 or ended() is not None)
        yield Sweeping(gate, titles, out, driver)


@pytest.mark.slow
@needs_prometheus
def test_a_sweep_in_a_real_prometheus_and_in_the_dashboard(
    tmp_path: Path, sweeping: Sweeping, ray_home: Path
) -> None:
    """Trials have their names though they share actors."""
    assert_prometheus_answers(tmp_path, ray_home)
    assert_dashboard_names_trials(sweeping.out.read_text())
    sweeping.go_on()
    told = [json.loads(file.read_text()) for file in sweeping.titles.iterdir()]
    assert {trial["title"] for trial in told} == {f"ray::{name}" for name in FIRST_TWO} | {
        "ray::tiny 0002 learning_rate 0.001",
        "ray::tiny 0003 learning_rate 0.1",
    }
    assert len({trial["pid"] for trial in told}) == 2  # actors are reused


def assert_prometheus_answers(tmp_path: Path, ray_home: Path) -> None:
    """Every query of the board, with the configuration that Ray writes, as docs/watching.md
    says."""
    config = ray_home / "session_latest" / "metrics" / "prometheus" / "prometheus.yml"
    with prometheus(config, tmp_path) as query:
        for expression in queries(board()):
            asked = expression.replace("$sweep", "tiny")
            assert asked != expression
            until(asked, lambda asked=asked: query(asked))
        losses = query('ray_sweeper_trial_val_loss{sweep="tiny"}')
        on_code = query('ray_sweeper_trial_set_loss{set="code"}')
        trials = query("ray_sweeper_trials")
        (best,) = query("ray_sweeper_best_objective")
        (share,) = query(ENDED.replace("$sweep", "tiny"))
    labels = [series["metric"] for series in losses]
    assert {(of["trial"], of["values"]) for of in labels} == {
        ("0000", "learning_rate 0.01"),
        ("0001", "learning_rate 0.0001"),
    }
    at_8 = 2 + 3 / 8**0.5
    assert [float(series["value"][1]) for series in losses] == pytest.approx([at_8, at_8])
    assert [(of["metric"]["trial"], float(of["value"][1])) for of in on_code] == [
        ("0000", 2.0),
        ("0001", 2.0),
    ]
    counts = {series["metric"]["status"]: float(series["value"][1]) for series in trials}
    assert counts.pop("running") == counts.pop("pending") == 2
    assert set(counts.values()) == {0}
    assert float(best["value"][1]) == pytest.approx(at_8)
    assert (best["metric"]["metric"], float(share["value"][1])) == ("val_loss", 0)


def assert_dashboard_names_trials(said: str) -> None:
    """The address and the command for the token are those that the sweep has printed."""
    printed = re.search(r"Ray dashboard: (\S+) \(it asks for a token: `(.*)` prints it", said)
    assert printed is not None
    url, command = printed.groups()
    token = subprocess.run(command, shell=True, capture_output=True, text=True).stdout
    actors = get(f"{url}/api/v0/actors?detail=1", token)["data"]["result"]["result"]
    assert {actor["repr_name"] for actor in actors} == {f"{name}, …" for name in FIRST_TWO}

    (node,) = get(f"{url}/nodes?view=summary", token)["data"]["summary"]
    path = f"{url}/nodes/{node['raylet']['nodeId']}"

    def shown() -> bool:
        workers = get(path, token)["data"]["detail"]["workers"]
        return {f"ray::{name}" for name in FIRST_TWO} <= {w["cmdline"][0] for w in workers}

    until("the workers' names on the cluster's page", shown)


def test_a_label_is_ascii_whatever_is_swept_and_what_is_to_come_is_pending(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(space={"size": {"grid": {"größe": {"d_ff": 16}, "x" * 200: {"d_ff": 64}}}})
    folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        metrics = RayMetrics(sweep.folder.name)
        assert best_so_far(sweep.state) is None
        trials = [sweep.next_trial(), sweep.next_trial()]
        labels = {metrics._tags(trial)["values"] for trial in trials if trial}
        assert labels == {r"size gr\xf6\xdfe", "size " + "x" * 115}
        assert trials_by_status(sweep.state)[Status.PENDING] == 2
        assert set(trials_by_status(sweep.state)) == set(Status)
        for trial in trials:
            assert trial is not None
            run_trial(sweep, trial)
        best = best_so_far(sweep.state)
    assert best is not None
    assert best[1] == min(trial.evaluations[-1].val_loss for trial in sweep.trials.values())
