"""The sweeps that are killed: what each trains, and what its bucket shows of it."""

import itertools
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.killing.recovery import Recovery, process_began
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.run_folder import RunFolder
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

EVERY_STEPS = 10
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
    before: list[bytes] = field(default_factory=list)  # the journal at each fault
    hit_at: int = 0  # so many events were there at the last fault
    lost: tuple[str, float] | None = None  # its driver, by what and since when
    back: tuple[float, float | None] | None = None  # when another's session and process began

    def look(self) -> list[Recovery]:
        """Read what is new in its journal. Returns the recoveries that it shows."""
        new = read_segments(self.bucket, self.segments)
        lines = b"".join(each for each, _ in new)
        self.segments += len(new)
        self.journal += lines
        events = [read_line(line) for line in lines.splitlines()]
        self.events += events
        return [found for event in events if (found := self._follow(event)) is not None]

    def _follow(self, event: Event) -> Recovery | None:
        if self.lost is None:
            return None
        kind, since = self.lost
        if self.back is None and isinstance(event, SessionStarted):
            self.back = event.time.timestamp(), process_began(event.pid)
        elif self.back is not None and isinstance(event, Evaluated | SessionEnded):
            (session, process), self.lost, self.back = self.back, None, None
            return Recovery(
                kind=kind, lost=since, jobs=self._submitted(since, session), process=process,
                session=session, got_on=event.time.timestamp(),
            )  # fmt: skip
        elif self.back is None and kind == "bucket" and not isinstance(event, SessionEnded):
            self.lost = None  # its driver has borne it
        return None

    def _submitted(self, since: float, until: float) -> list[float]:
        """When jobs were submitted for it."""
        folder = RunFolder(Path())
        names = (str(folder.attempt(number)) for number in itertools.count(1))
        there = self.bucket.objects(str(folder.attempts))
        told = itertools.takewhile(lambda name: name in there, names)
        times = [json.loads(self.bucket.get(name))["submitted"] for name in told]
        return [each for each in times if since < each < until]

    def hit(self) -> None:
        """There is a fault now."""
        self.before.append(self.journal)
        self.hit_at = len(self.events)

    def lose(self, kind: str, since: float) -> None:
        """What comes before the next session does not shorten the time to it."""
        self.lost = self.lost or (kind, since)

    @property
    def session(self) -> SessionStarted | None:
        begun = [each for each in self.events if isinstance(each, SessionStarted)]
        return begun[-1] if begun else None

    @property
    def gets_on(self) -> bool:
        """It has come further since the last fault, by a driver that is there."""
        for each in reversed(self.events[self.hit_at :]):
            if isinstance(each, SessionStarted):
                return False
            if isinstance(each, Evaluated):
                return self.lost is None
        return False

    @property
    def may_be_hit(self) -> bool:
        """`keep` gives up one that is hit again and again before it gets on."""
        return self.lost is None and (self.gets_on or not self.before)

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
