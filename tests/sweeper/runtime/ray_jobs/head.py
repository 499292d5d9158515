"""A Ray cluster as `ray start` makes it, whose head and workers can be killed and started anew."""

import json
import os
import secrets
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests.sweeper.servers import free_ports

TRIES = 3  # Ray gives itself 30 s to start, which may be short where much else runs
# What no sweep needs takes as long to start as much of what it does.
WITHOUT = ("--no-monitor", "--include-log-monitor=false")
ROOT = Path(__file__).parents[4]


class Machine:
    """As if it were one: it has a cache of its own, and everything on it can be killed."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.mark = f"SWEEPER_TEST_MACHINE={secrets.token_hex(8)}"  # all its processes inherit it

    def kill(self) -> None:
        """All that `ray start` and its jobs have started, at once. When this returns, their ports
        are free."""
        while there := self._processes():
            for pid in there:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    def _processes(self) -> list[int]:
        found = []
        for told in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):  # it has ended
                if self.mark.encode() in told.read_bytes():
                    found.append(int(told.parent.name))
        return found


class Head(Machine):
    """Its processes have the environment of this one."""

    def __init__(self, cache: Path, *, cpus: int = 2) -> None:
        super().__init__(cache)
        self.cpus = cpus
        self.gcs, self.dashboard, self.agent = free_ports(3)
        self.address = f"http://127.0.0.1:{self.dashboard}"
        self.token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.folders: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        return self.environment_of(self)

    def environment_of(self, machine: Machine) -> dict[str, str]:
        mark, _, name = machine.mark.partition("=")
        scripts = sysconfig.get_path("scripts")
        return {
            **os.environ,
            **self.token,
            mark: name,
            "PATH": f"{scripts}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(machine.cache),
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    def start(self) -> None:
        # The paths of Ray's sockets must be short.
        self.folders.append(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--head",
            f"--port={self.gcs}", f"--dashboard-port={self.dashboard}",
            f"--dashboard-agent-listen-port={self.agent}", "--dashboard-host=127.0.0.1",
            "--node-ip-address=127.0.0.1", f"--num-cpus={self.cpus}",
            f"--temp-dir={self.folders[-1]}", *WITHOUT,
        ]  # fmt: skip
        for _ in range(TRIES):
            done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
            if done.returncode == 0:
                break
            self.kill()
        assert done.returncode == 0, done.stdout + done.stderr
        while not self._takes_jobs():
            time.sleep(0.5)

    def _takes_jobs(self) -> bool:
        request = urllib.request.Request(
            f"{self.address}/api/jobs/",
            json.dumps({"entrypoint": "true"}).encode(),
            {"Authorization": f"Bearer {self.token['RAY_AUTH_TOKEN']}"},
        )
        try:
            urllib.request.urlopen(request).close()
        except OSError:
            return False
        return True

    def join(self, worker: Machine, *, cpus: int) -> None:
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start",
            f"--address=127.0.0.1:{self.gcs}", "--node-ip-address=127.0.0.1",
            f"--num-cpus={cpus}",
        ]  # fmt: skip
        for _ in range(TRIES):
            environment = self.environment_of(worker)
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode <= 0:  # or it was killed meanwhile
                return
            worker.kill()
        raise AssertionError(done.stdout + done.stderr)
