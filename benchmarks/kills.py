"""Submitted sweeps on a real Ray cluster and a real bucket, whose processes are killed at random.

A head and two workers of `ray start`, SeaweedFS, and `keep`, which nobody touches. Killed (SIGKILL)
are: a sweep's driver; the head with all drivers on it, after which a new one is started on an empty
cache, and workers for it, while the old workers are killed or left to find out; a worker with all
on it, after which another is started. The bucket is stopped (SIGSTOP) for up to 40 s.

    python benchmarks/kills.py [--kills 100] [--minutes 120] [--sweeps 3] [--seed 0]

Told at the end: whether what the journal had at each kill is how it begins at the end; whether each
sweep has decided as one that nobody disturbs; the seconds to the next session, and what they went
by with; and the steps that a trial had to repeat, of which a checkpoint saves every tenth. A sweep
is hit again once it has come further. Exit code 1 where a journal or a decision is another, or a
sweep does not end.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread

from benchmarks.killing.recovery import Recovery, tell
from benchmarks.killing.sweeps import EVERY_STEPS, SCHEDULERS, Sweep, space_in
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.state.events import Evaluated, SessionStarted
from tests.sweeper.runtime.ray_jobs.head import Head, Machine
from tests.sweeper.runtime.trainers.test_sweeps import Decisions, decided, swept
from tests.sweeper.servers import BUCKET, KEYS, seaweed

WEIGHTS = {"driver": 8, "worker": 3, "head": 1, "bucket": 1}
RUNS = f"s3://{BUCKET}/runs"
END_SECONDS = 600.0  # that sweeps may take to end when no more faults come


def server_in(folder: Path) -> int:
    told = Path("/proc").glob("[0-9]*/cmdline")
    return next(int(t.parent.name) for t in told if f"-dir={folder}".encode() in t.read_bytes())


class Campaign:
    def __init__(self, root: Path, arguments: argparse.Namespace, endpoint: str) -> None:
        self.root, self.arguments = root, arguments
        self.until = time.time() + 60 * arguments.minutes
        self.chance = random.Random(arguments.seed)
        self.environment = {**KEYS, "AWS_ENDPOINT_URL": endpoint}
        os.environ |= self.environment
        self.server = server_in(root / "seaweed")
        self.head = Head(root / "head0", cpus=1)
        self.workers: list[Machine] = []
        self.left: list[Machine] = []  # of heads that are gone
        self.sweeps: list[Sweep] = []
        self.over: list[Sweep] = []
        self.is_well = True  # each sweep so far is as it is to be
        self.killed: Counter[str] = Counter()
        self.recoveries: list[Recovery] = []
        self.next_kind = self._drawn()
        self.expected = [self._undisturbed(number) for number in range(len(SCHEDULERS))]

    def _undisturbed(self, number: int) -> Decisions:
        folder = self.root / f"undisturbed{number}"
        return decided(swept(space_in(folder, "undisturbed", number, 0.001)))

    def run(self) -> None:
        with ExitStack() as machines:
            machines.callback(self._kill_workers)
            machines.callback(self.head.kill)
            self.head.start()
            self._add_workers(2)
            keeper = subprocess.Popen(
                [*self._sweeper("keep"), "--address", self.head.address, "--runs", RUNS],
                env=self.head.environment_of(Machine(self.root / "keeper")),
            )
            machines.callback(keeper.kill)
            for _ in range(self.arguments.sweeps):
                self._submit()
            kill_at = time.time() + 10
            while self.sweeps and time.time() < self.until + END_SECONDS:
                self._look()
                if self._goes_on and time.time() >= kill_at and (hit := self._to_hit()):
                    self._kill(hit)
                    self.next_kind = self._drawn()
                    kill_at = time.time() + self.chance.uniform(1, 8)
                time.sleep(0.3)
        self._tell()

    def _kill_workers(self) -> None:
        for each in [*self.workers, *self.left]:
            each.kill()

    @property
    def _goes_on(self) -> bool:
        return self._num_killed < int(self.arguments.kills) and time.time() < self.until

    @property
    def _num_killed(self) -> int:
        return self.killed.total()

    def _sweeper(self, command: str) -> list[str]:
        return [sys.executable, "-m", "sweeper", command]

    def _add_workers(self, number: int) -> None:
        """Nobody waits for them, but for who has no place."""
        for _ in range(number):
            worker = Machine(self.root / f"worker{time.monotonic_ns()}")
            self.workers.append(worker)
            Thread(target=self._join, args=(worker,), daemon=True).start()

    def _join(self, worker: Machine) -> None:
        """Ray gives up what takes long to start."""
        while worker in self.workers:
            with suppress(AssertionError):
                return self.head.join(worker, cpus=2)

    def _submit(self) -> None:
        number = len(self.sweeps) + len(self.over)
        name = f"killed{number}"
        space = space_in(self.root / name, name, number, self.chance.uniform(0.05, 0.3))
        command = [*self._sweeper("submit"), str(space), "--address", self.head.address]
        environment = self.head.environment_of(Machine(self.root / "laptop"))
        for _ in range(5):  # a head may just have been started
            done = subprocess.run(
                [*command, "--runs", RUNS], env=environment, capture_output=True, text=True
            )
            if done.returncode == 0:
                break
            time.sleep(5)
            if name in Bucket(RUNS).folders():  # it is there, and has no job yet
                command[4] = name
        else:
            sys.exit(done.stdout + done.stderr)
        bucket = Bucket(f"{RUNS}/{name}")
        self.sweeps.append(Sweep(name, space.parent, number % len(SCHEDULERS), bucket))

    def _look(self) -> None:
        for sweep in list(self.sweeps):
            for recovery in sweep.look():
                self.recoveries.append(recovery)
                print(f"  {sweep.name}: {recovery}", flush=True)
            if sweep.is_over:
                self._end(sweep)

    def _end(self, sweep: Sweep) -> None:
        self.sweeps.remove(sweep)
        self.over.append(sweep)
        self._check(sweep)
        if self._goes_on:
            self._submit()

    def _check(self, sweep: Sweep) -> None:
        found: Decisions = {}
        for each in sweep.events:
            if isinstance(each, Evaluated):
                seen = each.metrics.step, each.metrics.val_loss, each.decision
                found.setdefault(each.trial, []).append(seen)
        same = found == self.expected[sweep.kind]
        begins = sweep.begins_as_it_did()
        self.is_well &= same and begins
        sessions = sum(isinstance(each, SessionStarted) for each in sweep.events)
        print(
            f"{sweep.name}: {len(sweep.before)} faults, {sessions} sessions; decisions "
            f"{'as undisturbed' if same else 'DIFFER'}; journal "
            f"{'begins as at each' if begins else 'IS ANOTHER'}; repeated steps "
            f"{sorted(sweep.repeated(), reverse=True)[:8]}",
            flush=True,
        )
        if not same:
            print({"found": found, "expected": self.expected[sweep.kind]})

    def _drawn(self) -> str:
        return self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]

    def _to_hit(self) -> list[Sweep]:
        """Whom the next fault hits. None yet: first each of them is to get on from the last."""
        if self.next_kind == "driver":
            at_work = [sweep for sweep in self.sweeps if sweep.gets_on]
            return [self.chance.choice(at_work)] if at_work else []
        return self.sweeps if all(sweep.may_be_hit for sweep in self.sweeps) else []

    def _kill(self, hit: list[Sweep]) -> None:
        kind = self.next_kind
        for sweep in hit:
            sweep.hit()
        self.killed[kind] += 1
        whom = hit[0].name if kind == "driver" else "all"
        print(f"{time.strftime('%T')} fault {self._num_killed}: {kind} ({whom})", flush=True)
        getattr(self, f"_kill_{kind}")(hit)

    def _kill_driver(self, hit: list[Sweep]) -> None:
        for sweep in hit:
            assert sweep.session is not None and sweep.session.pid is not None
            try:
                os.kill(sweep.session.pid, signal.SIGKILL)
                sweep.lose("driver", time.time())
            except ProcessLookupError:
                self.killed["driver"] -= 1

    def _kill_head(self, hit: list[Sweep]) -> None:
        for machine in self.left:
            machine.kill()
        self.left = self.workers
        self.head.kill()
        since = time.time()
        for sweep in hit:
            sweep.lose("head", since)
        if self.chance.random() < 0.5:
            for machine in self.left:
                machine.kill()
        self.head.cache = self.root / f"head{time.monotonic_ns()}"
        self.workers = []
        self.head.start()
        print(f"  another head after {time.time() - since:.1f} s", flush=True)
        self._add_workers(2)

    def _kill_worker(self, hit: list[Sweep]) -> None:
        self.workers.pop(self.chance.randrange(len(self.workers))).kill()
        self._add_workers(1)

    def _kill_bucket(self, hit: list[Sweep]) -> None:
        os.kill(self.server, signal.SIGSTOP)
        time.sleep(self.chance.uniform(3, 40))
        os.kill(self.server, signal.SIGCONT)
        for sweep in hit:
            sweep.lose("bucket", time.time())

    def _tell(self) -> None:
        print(f"{self._num_killed} faults: {dict(self.killed)}")
        tell(self.recoveries)
        for sweep in self.sweeps:
            self.is_well = False
            print(f"{sweep.name}: HAS NOT ENDED after {len(sweep.before)} faults")
        repeated = [steps for sweep in self.over for steps in sweep.repeated()]
        beyond = sum(steps > EVERY_STEPS for steps in repeated)
        print(
            f"trials went back {len(repeated)} times, by {max(repeated, default=0)} steps at most, "
            f"in the middle {statistics.median(repeated or [0])}; by more than {EVERY_STEPS}: "
            f"{beyond}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=120, help="at most, but for the ends")
    parser.add_argument("--sweeps", type=int, default=3, help="at a time")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="kills-", dir="/tmp"))
    (root / "seaweed").mkdir()
    with seaweed(root / "seaweed") as endpoint:
        campaign = Campaign(root, arguments, endpoint)
        campaign.run()
    for folder in (root, *map(Path, campaign.head.folders)):
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(not campaign.is_well)


if __name__ == "__main__":
    main()
