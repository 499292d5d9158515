"""Output that nobody reads any more: real pipes and terminals."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from rich.console import Console
from rich.live import Live
from sweeper.runtime.lasting_output import lasting_output
with lasting_output():
    console = Console()
    with Live("one", console=console, auto_refresh=False) as live:
        sys.stdin.readline()
        for _ in range(3):
            console.print("two " * 100)
            live.update("three", refresh=True)
            print("four", flush=True)
            print("five", file=sys.stderr, flush=True)
print("six")
sys.exit(7)
"""


def start(out: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=out
    )


@pytest.mark.parametrize("open_two", [os.pipe, pty.openpty])
def test_a_reader_that_goes_away_is_not_noticed(open_two: object) -> None:
    ours, its = open_two()  # type: ignore[operator]
    process = start(its)
    os.close(its)
    os.close(ours)
    process.communicate(b"go on\n")
    assert process.returncode == 7


def test_a_reader_that_stays_reads_everything() -> None:
    process = start(subprocess.PIPE)
    told, errors = process.communicate(b"go on\n")
    assert process.returncode == 7
    assert told.count(b"four") == errors.count(b"five") == 3
    assert told.endswith(b"six\n")


def test_a_full_disk_takes_nothing_with_it() -> None:
    with open("/dev/full", "w") as full:
        process = start(full.fileno())
        process.communicate(b"go on\n")
    assert process.returncode == 7
