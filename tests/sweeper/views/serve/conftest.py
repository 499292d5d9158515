"""A server in a process of its own, over the folder `runs` of a test."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from sweeper.record.stores.places import runs_folder

ROOT = Path(__file__).parents[4]


class Served(NamedTuple):
    address: str  # with its token, up to the last slash
    process: "subprocess.Popen[str]"
    runs: Path

    @property
    def port(self) -> int:
        return int(self.address.split("/")[2].rpartition(":")[2])

    @property
    def token(self) -> str:
        return self.address.split("/")[3]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(str(runs := tmp_path / "runs"), runs) as served:
        yield served


@pytest.fixture
def served_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Of a bucket, with what this process has of it; the server has a cache of its own."""
    address = f"file://{tmp_path}/bucket"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "server"))
    with serving(address, tmp_path) as served:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield served._replace(runs=runs_folder(address))


@contextmanager
def serving(runs: str, folder: Path) -> Iterator[Served]:
    command = [sys.executable, "-m", "sweeper", "serve", "--port", "0", "--runs", runs]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    yield Served(address, process, folder)
    process.terminate()
    process.wait()
    process.stdout.close()
