"""A sweep of a program that is not ours under Ray: its driver, its actors and the program itself
are killed at random, and what is decided is what would be without."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from sweeper.record.run_folder import RunFolder
from sweeper.running import TRAINER
from sweeper.status import ExitCode
from tests.sweeper.journals import num_events
from tests.sweeper.runtime.ray_tune.driver import BACKOFF
from tests.sweeper.runtime.ray_tune.sessions import forked_session_of
from tests.sweeper.runtime.trainers.test_sweeps import decided, decisions, space_in

pytestmark = pytest.mark.slow
NUM_SWEEPS = int(os.environ.get("SWEEPER_TEST_SWEEPS", "1"))
KILLED = ["driver", "actor", "program"]  # each once in a sweep, in any order
STYLE = "pattern"


def processes_of(root: Path) -> dict[str, int]:
    """The program that runs in this folder, and the actor that watches it: the parent of the
    keeper, which is the program's."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"SWEEPER_TRIAL_DIR={root}".encode() not in environ.read_bytes():
                continue
            if b"keeper.py" in environ.with_name("cmdline").read_bytes():
                continue
            program = int(environ.parent.name)
            return {"program": program, "actor": parent_of(parent_of(program))}
        except (OSError, IndexError):  # it has ended
            continue
    return {}


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def run_killed(root: Path, chance: random.Random) -> list[str]:
    """Run a sweep to its end, whoever is killed on the way. What was killed."""
    space, folder = space_in(root, STYLE), RunFolder(root / "runs" / "foreign")
    killed: list[str] = []
    left = chance.sample(KILLED, len(KILLED))
    code = None
    while code != ExitCode.DONE:
        begin = ["resume", "foreign"] if folder.journal.exists() else ["run", str(space)]
        driver = forked_session_of(TRAINER, *begin, folder.path.parent)
        lines = num_events(folder.journal) + chance.randint(1, 12)
        while driver.poll() is None:
            time.sleep(0.002)  # between two looks at the condition
            if not left or num_events(folder.journal) < lines:
                continue
            pid = driver.pid if left[0] == "driver" else processes_of(root).get(left[0])
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                killed.append(left.pop(0))
                lines = num_events(folder.journal) + chance.randint(1, 12)
        code = driver.wait()
        assert code in (ExitCode.DONE, -signal.SIGKILL)
    return killed


@pytest.mark.timeout(7200)  # with many more sweeps than by itself
def test_random_kills_change_no_decision(
    tmp_path: Path, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BACKOFF, "0")
    undisturbed = decisions(tmp_path / "undisturbed", STYLE)
    chance = random.Random(0)
    for number in range(NUM_SWEEPS):
        root = tmp_path / f"killed{number}"
        killed = run_killed(root, chance)
        print(number, killed)
        assert decided(RunFolder(root / "runs" / "foreign")) == undisturbed, killed
