"""How a process ends that has been asked to: real processes, real signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.status import ExitCode

ROOT = Path(__file__).parents[3]
# Standard input says where it is to hang: in the sweep, in a call there from which Python hears no
# signals (as in one of Ray's, whose server is dead), in what comes after it, or nowhere.
PROGRAM = """
import ctypes, sys, time
from pathlib import Path
from sweeper.record.run_folder import RunFolder
from sweeper.runtime import signals
signals.EXIT_SECONDS = float(sys.argv[1])
folder, asked = RunFolder(Path("runs/tiny")), []
where = sys.stdin.readline().strip()
def end():
    asked.append(True)
    deadline.start(folder)
def hang():
    while True:
        time.sleep(0.01)
deadline = signals.Deadline()
with deadline:
    with deadline, signals.ending_by_signals(end, folder):
        print("ready", flush=True)
        if where == "call":
            mutex, lock = ctypes.create_string_buffer(64), ctypes.CDLL(None).pthread_mutex_lock
            lock(mutex), lock(mutex)
        while not asked or where == "sweep":
            time.sleep(0.01)
    if where == "report":
        hang()
print("over", flush=True)
if where == "afterwards":
    time.sleep(1.5 * signals.EXIT_SECONDS)
sys.exit(7)
"""


def start(where: str, exit_seconds: float, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(exit_seconds)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{where}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    return process


ENDED = "Ended at once. Go on with:  python -m sweeper resume tiny\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_what_is_being_done(number: int) -> None:
    process = start("nowhere", 60.0)
    process.send_signal(number)
    out, said = process.communicate()
    assert (process.returncode, out) == (7, "over\n")
    assert said.startswith("Stopping: what runs is being checkpointed. ")


@pytest.mark.parametrize("where", ["sweep", "call", "report"])
def test_whatever_hangs_it_ends(where: str) -> None:
    process = start(where, 0.2)
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate()
    assert (process.returncode, out) == (ExitCode.INTERRUPTED, "")
    assert said.endswith(ENDED)


@pytest.mark.parametrize("where", ["sweep", "call"])
def test_a_second_signal_ends_it_at_once(where: str) -> None:
    with start(where, 60.0) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Stopping")
        process.send_signal(signal.SIGINT)
        assert process.wait() == ExitCode.INTERRUPTED
        assert process.stderr.read().endswith(ENDED)


def test_who_comes_to_its_end_in_time_goes_on_with_something_else() -> None:
    process = start("afterwards", 4.0)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 7


def test_a_terminal_that_stands_still_holds_nobody_up() -> None:
    """As after Ctrl-S: what is written to it waits for ever."""
    ours, its = os.pipe()
    os.set_blocking(its, False)
    try:
        while True:
            os.write(its, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(its, True)
    with start("sweep", 60.0, stderr=its) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == ExitCode.INTERRUPTED
    os.close(ours)
    os.close(its)


def test_a_hangup_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` starts a command
    try:
        process = start("nowhere", 60.0)
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 7
    assert said.count("Stopping") == 1
