"""Surroundings in which no Ray cluster can be joined or started: a message for each."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import ResourceError
from sweeper.runtime.ray_tune.cluster import ray_cluster
from sweeper.status import ExitCode

ROOT = Path(__file__).parents[4]


def refusal() -> str:
    with pytest.raises(ResourceError) as told, ray_cluster():
        pass
    return str(told.value)


@pytest.mark.parametrize(
    "address",
    ["foo", "localhost", " ", "127.0.0.1:", ":6379", "127.0.0.1:port", "127.0.0.1:٣", "gs://x",
     "http://127.0.0.1:8265"],
)  # fmt: skip
def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert refusal().startswith("RAY_ADDRESS: must be HOST:PORT of a Ray cluster")
    assert f", got {address!r}; " in refusal()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:1", "[::1]:1", "127.0.0.1:99999999999", "ray://127.0.0.1:1",
     "no.such.host.invalid:6379", f"{'x' * 100}:6379"],
)  # fmt: skip
def test_an_address_where_nobody_answers(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert refusal().startswith(f"RAY_ADDRESS: no Ray cluster answers at {address} (")


@pytest.fixture(
    params=[b"HTTP/1.0 400 Bad request\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"", b"\0" * 9]
)
def stranger(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a service that is not Ray, and answers so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(request.param)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_what_answers_is_not_ray(monkeypatch: pytest.MonkeyPatch, stranger: int) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{stranger}")
    assert refusal().startswith("RAY_ADDRESS: no Ray cluster answers at ")


@pytest.mark.parametrize(
    "variable, value, told",
    [
        ("HOME", "/proc", "HOME: Ray keeps its token in /proc/.ray, which cannot be written ("),
        ("TMPDIR", "long", "TMPDIR: {tmp_path}/xxx"),
    ],
)
def test_a_machine_on_which_ray_cannot_start(
    tmp_path: Path, write_space: Any, variable: str, value: str, told: str
) -> None:
    if value == "long":
        value = str(tmp_path / ("x" * 100))
        Path(value).mkdir()
    runs = tmp_path / "runs"
    done = subprocess.run(
        [sys.executable, "-m", "sweeper", "run", str(write_space()), "--runs", str(runs)],
        cwd=ROOT, env=os.environ | {variable: value}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.USER_ERROR
    assert done.stderr.splitlines()[-1].startswith(told.format(tmp_path=tmp_path))
    assert "Traceback" not in done.stderr
    assert not runs.exists()


def test_a_dashboard_that_does_not_start_in_time_is_done_without() -> None:
    program = (
        "from sweeper.runtime.ray_tune.cluster import ray_cluster\n"
        "with ray_cluster() as cluster: print(len(cluster.nodes), cluster.dashboard_url)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=os.environ | {"RAY_DASHBOARD_STARTUP_TIMEOUT_S": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["1", "None"], done.stderr
