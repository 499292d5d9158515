"""A button's command: what is typed for it, and that it outlives who started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweeper.record.run_folder import RunFolder
from sweeper.views.serve.jobs import arguments

STARTED = """
import sys
import time
from pathlib import Path
from sweeper.record.run_folder import RunFolder
from sweeper.views.serve.jobs import Jobs
job = Jobs().start(RunFolder(Path(sys.argv[1])), {"action": "resume"})
print(job.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    "asked, typed",
    [
        ({"action": "stop"}, "stop runs/lr"),
        ({"action": "stop trial", "trial": " 0003 "}, "stop runs/lr 0003"),
        ({"action": "resume"}, "resume runs/lr"),
        ({"action": "finals"}, "resume runs/lr --finals"),
        ({"action": "more trials", "number": "40"}, "resume runs/lr --num-trials 40"),
    ],
)
def test_each_button_is_a_command(asked: dict[str, object], typed: str) -> None:
    """Of this folder, whatever else is called so where the server runs."""
    wanted = [os.path.abspath(word) if "/" in word else word for word in typed.split()]
    assert arguments(RunFolder(Path("runs/lr")), asked) == wanted


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_it_outlives_the_server_and_what_the_terminal_sends_to_that(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", STARTED, str(tmp_path / "none")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert server.stdout is not None
    assert server.stdin is not None
    job = int(server.stdout.readline())
    os.kill(job, signal.SIGSTOP)  # so that it is still at work
    assert os.getsid(job) == job, "a Ctrl-C that the server gets does not reach it"
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    while state(job) not in "TZ":  # the signal is on its way
        time.sleep(0.005)
    assert state(job) == "T", "it is there, as it was"
    os.kill(job, signal.SIGCONT)
    server.stdin.close()
    server.stdout.close()
