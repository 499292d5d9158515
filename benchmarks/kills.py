"""Submitted sweeps on a real Ray cluster and a real bucket, whose processes are killed at random.

A head and two workers of `ray start`, SeaweedFS, and `keep`, which nobody touches. Killed (SIGKILL)
are: a sweep's driver; the head with all drivers on it, after which a new one is started on an empty
cache, and workers for it, while the old workers are killed or left to find out; a worker with all
on it, after which another is started. The bucket is stopped (SIGSTOP) for up to 40 s.

    python benchmarks/kills.py [--kills 100] [--minutes 120] [--sweeps 3] [--seed 0]

Told at the end: whether what the journal had at each kill is how it begins at the end; whether each
sweep has decided as one that nobody disturbs; the seconds to the next session; and the steps that a
trial had to repeat, of which a checkpoint saves every tenth. Exit code 1 where a journal or a
decision is another.
"""

import argparse
import itertools
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
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from ruamel.yaml import YAML

from sweeper.record.buckets.bucket import Bucket
from sweeper.record.state.event_lines import read_line
from sweeper.record.state.events import (
    AttemptFailed,
    Evaluated,
    Event,
    SessionEnded,
    SessionStarted,
    TrialCreated,
    TrialPaused,
)
from sweeper.record.stores.segments import read_segments
from tests.sweeper.runtime.ray_jobs.head import Head, Machine
from tests.sweeper.runtime.trainers.test_sweeps import Decisions, decided, swept
from tests.sweeper.servers import BUCKET, KEYS, seaweed

EVERY_STEPS = 10
WEIGHTS = {"driver": 8, "worker": 3, "head": 1, "bucket": 1}
RUNS = f"s3://{BUCKET}/runs"
# Notes each step that it takes where nobody is killed.
PROGRAM = f"""
import argparse, json, os, pathlib, random, time
parser = argparse.ArgumentParser()
for name in ("--lr", "--seconds"):
    parser.add_argument(name, type=float)
for name in ("--out", "--steps"):
    parser.add_argument(name, type=pathlib.Path)
parser.add_argument("--resume", action="store_true")
options = parser.parse_args()
step, weight = 0, 5.0
if options.resume:
    newest = max(options.out.glob("ckpt-*.json"), key=lambda path: int(path.stem[5:]))
    step, weight = json.loads(newest.read_text())
while step < 40:
    step += 1
    time.sleep(options.seconds)
    with open(options.steps / str(options.lr), "a") as file:
        file.write(f"{{step}} {{time.time()}}\\n")
    weight -= options.lr * (2 * weight + random.Random(step).gauss(0, 0.1))
    if step % {EVERY_STEPS} == 0:
        print(f"step {{step}}: val loss {{weight * weight!r}}", flush=True)
        saved = options.out / f"ckpt-{{step}}.json"
        saved.with_suffix(".new").write_text(json.dumps([step, weight]))
        os.replace(saved.with_suffix(".new"), saved)
"""
SCHEDULERS: list[tuple[dict[str, Any], int]] = [  # with the number of trials at a time
    ({"type": "asha", "mode": "promote", "grace_steps": 10, "reduction_factor": 2}, 1),
    ({"type": "hyperband", "grace_steps": 10, "reduction_factor": 2}, 2),
]


def space_in(folder: Path, name: str, number: int, seconds: float) -> Path:
    scheduler, at_once = SCHEDULERS[number % len(SCHEDULERS)]
    (folder / "code").mkdir(parents=True)
    (folder / "steps").mkdir()
    (folder / "code" / "train.py").write_text(PROGRAM)
    document = {
        "name": name,
        "trainer": {
            "folder": str(folder / "code"),
            "command": f"{sys.executable} train.py --lr={{learning_rate}} --out={{trial_dir}} "
            f"--seconds={seconds} --steps={folder / 'steps'}",
            "resume": "--resume",
            "checkpoint": {"path": "ckpt-{step:d}.json"},
            "settings": {"learning_rate": {"type": "float", "above": 0}},
            "metrics": {"stdout": "step {step:d}: val loss {val_loss:f}"},
            "max_steps": 40,
            "eval_every_steps": EVERY_STEPS,
        },
        "space": {"learning_rate": {"grid": [0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15]}},
        "scheduler": scheduler,
        "max_retries": 50,
        "max_concurrent": at_once,
    }  # fmt: skip
    with (folder / "space.yaml").open("w") as file:
        YAML().dump(document, file)
    return folder / "space.yaml"


def server_in(folder: Path) -> int:
    told = Path("/proc").glob("[0-9]*/cmdline")
    return next(int(t.parent.name) for t in told if f"-dir={folder}".encode() in t.read_bytes())


@dataclass
class Sweep:
    """One that was submitted, as its bucket shows it."""

    name: str
    folder: Path
    kind: int
    bucket: Bucket
    segments: int = 0
    journal: bytes = b""
    events: list[Event] = field(default_factory=list)
    before: list[bytes] = field(default_factory=list)  # the journal at each kill
    lost: tuple[str, float] | None = None  # its driver, by what and since when

    def look(self) -> list[Event]:
        """What is new in its journal."""
        new = read_segments(self.bucket, self.segments)
        lines = b"".join(each for each, _ in new)
        self.segments += len(new)
        self.journal += lines
        events = [read_line(line) for line in lines.splitlines()]
        self.events += events
        return events

    def lose(self, kind: str, since: float) -> None:
        """What comes before the next session does not shorten the time to it."""
        self.lost = self.lost or (kind, since)

    @property
    def session(self) -> SessionStarted | None:
        begun = [each for each in self.events if isinstance(each, SessionStarted)]
        return begun[-1] if begun else None

    @property
    def gets_on(self) -> bool:
        """This session has brought it further. `keep` gives up one that never does."""
        for each in reversed(self.events):
            if isinstance(each, SessionStarted):
                return False
            if isinstance(each, Evaluated):
                return True
        return False

    @property
    def is_over(self) -> bool:
        last = self.events[-1] if self.events else None
        return isinstance(last, SessionEnded) and last.outcome == "finished"

    def repeated(self) -> list[int]:
        """Of each time that a trial went back, how many steps. A program that is paused goes on
        until it hears of it: those steps are not meant."""
        found = []
        for created in (each for each in self.events if isinstance(each, TrialCreated)):
            path = self.folder / "steps" / str(created.values["learning_rate"])
            lines = (
                [line.split() for line in path.read_text().splitlines()] if path.exists() else []
            )
            steps = [(int(step), float(when)) for step, when in lines]
            for (before, _), (after, when) in itertools.pairwise(steps):
                if after <= before and not self._was_paused(created.id, when):
                    found.append(before - after + 1)
        return found

    def _was_paused(self, trial: str, until: float) -> bool:
        """Rather than killed."""
        ended = False
        for each in self.events:
            if each.time.timestamp() > until:
                break
            if isinstance(each, SessionStarted):
                ended = False
            elif isinstance(each, TrialPaused | AttemptFailed) and each.trial == trial:
                ended = isinstance(each, TrialPaused)
        return ended

    def begins_as_it_did(self) -> bool:
        whole = b"".join(each for each, _ in read_segments(self.bucket, 0))
        return all(whole.startswith(before) for before in self.before)


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
        self.seconds: dict[str, list[float]] = {kind: [] for kind in WEIGHTS}
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
            while self.sweeps:
                self._look()
                if self._goes_on and time.time() >= kill_at:
                    self._kill()
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
            Thread(target=self.head.join, args=(worker,), kwargs={"cpus": 2}, daemon=True).start()

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
            for event in sweep.look():
                if sweep.lost is None:
                    continue
                (kind, since), begins = sweep.lost, isinstance(event, SessionStarted)
                if begins:
                    seconds = event.time.timestamp() - since
                    self.seconds[kind].append(seconds)
                    print(f"  {sweep.name}: {seconds:.1f} s after {kind}", flush=True)
                if begins or (kind == "bucket" and not isinstance(event, SessionEnded)):
                    sweep.lost = None
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

    def _kill(self) -> None:
        at_work = [sweep for sweep in self.sweeps if sweep.gets_on and not sweep.lost]
        if not at_work:
            return
        kind = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self._look()
        hit = [self.chance.choice(at_work)] if kind == "driver" else self.sweeps
        for sweep in hit:
            sweep.before.append(sweep.journal)
        self.killed[kind] += 1
        print(f"{time.strftime('%T')} fault {self._num_killed}: {kind}", flush=True)
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
        for kind, seconds in self.seconds.items():
            if seconds:
                print(
                    f"{kind}: {len(seconds)} times to the next session, {min(seconds):.1f} to "
                    f"{max(seconds):.1f} s, in the middle {statistics.median(seconds):.1f}; "
                    f"above 60 s: {sum(each > 60 for each in seconds)}"
                )
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
