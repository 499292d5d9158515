"""A server in a process of its own, over the folder `runs` of a test."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

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
    runs = tmp_path / "runs"
    command = [sys.executable, "-m", "sweeper", "serve", "--port", "0", "--runs", str(runs)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    yield Served(address, process, runs)
    process.terminate()
    process.wait()
    process.stdout.close()
