"""What the driver needs for thousands of trials: its memory, and its time a trial.

    python benchmarks/scale.py [--trials 1000 3000 10000] [--slots 1000]

The engine, the journal, the tables and the metrics files are the real ones, on a disk; what trains
is a formula, in this process, and the next to be heard of is drawn by a seed. So this is all of the
driver but Ray's and Tune's part. Each number of trials runs in a process of its own.
"""

import argparse
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan, make_plan
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.run_folder import create_run_folder
from sweeper.record.state.trial import Trial
from sweeper.record.tables import Tables
from sweeper.runtime.in_process import InProcess
from sweeper.runtime.trial_loop import TrialLoop
from sweeper.spec.reading.spec_file import load_spec
from tests.sweeper.closed_form import ClosedFormTrainer

STEPS = 16
PARTS = 4  # of a sweep, told apart


class Slots(InProcess):
    """As many trials at once as there are slots."""

    def run_in(self, slots: int) -> list[tuple[float, float]]:
        """Returns the seconds of this process, all and the CPU's, at each trial's first start."""
        rng, live, begun = random.Random(0), list[tuple[Trial, TrialLoop]](), set[str]()
        moments = []
        while not self.sweep.is_over:
            while len(live) < slots and (trial := self.sweep.next_trial()) is not None:
                live.append((trial, self.started(trial)))
                if trial.trial_id not in begun:
                    begun.add(trial.trial_id)
                    moments.append((time.monotonic(), time.process_time()))
            if not live:
                continue  # those that were paused have ended: the sweep is over
            place = rng.randrange(len(live))
            trial, loop = live[place]
            if self._leaves(trial, loop):
                live[place] = live[-1]
                live.pop()
                self.sweep.release(trial.trial_id)
                self.audience.ended(trial)
            self.sweep.commit()
            self.audience.refresh(self.sweep.state)
        return moments

    def started(self, trial: Trial) -> TrialLoop:
        loop = TrialLoop(self.trainer, trial.config, num_threads=None)
        checkpoints = self.sweep.folder.whole_checkpoints(trial.trial_id)
        loop.restore(checkpoints, evaluated=trial.step)
        self.sweep.start(trial.trial_id)
        self.audience.started(trial)
        return loop


def plan_of(trials: int, folder: Path) -> Plan:
    for name in ("train", "val"):
        np.save(folder / f"{name}.npy", np.zeros(1000, np.uint8))
    space = {
        "name": "scale",
        "data": str(folder),
        "train": {
            "d_model": 16, "num_heads": 2, "vocab_size": 64, "context_length": 16,
            "max_steps": STEPS, "warmup_steps": 0, "min_learning_rate": 0,
        },
        "space": {"learning_rate": {"loguniform": [1e-5, 1e-1]}},
        "search": {"algorithm": "random", "num_trials": trials},
        "scheduler": {"type": "asha", "mode": "promote", "grace_steps": 1},
    }  # fmt: skip
    with (folder / "space.yaml").open("w") as file:
        YAML().dump(space, file)
    spec, source = load_spec(folder / "space.yaml")
    return make_plan(spec, folder, source)


def measure(trials: int, slots: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        plan = plan_of(trials, Path(temporary))
        folder = create_run_folder(Path(temporary) / "runs", plan.spec, None, "space.yaml")
        sweep = Sweep.open(folder, plan)
        audience = Audience(sweep, [MetricsFiles(folder), Tables(folder)])
        began, cpu = time.monotonic(), time.process_time()
        moments = Slots(sweep, audience, ClosedFormTrainer).run_in(slots)
        audience.close(sweep.state)
        sweep.close("finished")
        told = {
            "seconds": time.monotonic() - began,
            "cpu": time.process_time() - cpu,
            "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "journal": folder.journal.stat().st_size,
            "parts": [cpu_ms(*pair) for pair in itertools.pairwise(parts_of(moments))],
        }
    print(json.dumps(told))


def parts_of(moments: list[tuple[float, float]]) -> list[tuple[int, float]]:
    """How many had begun after each part, and the CPU's seconds by then."""
    places = [round((len(moments) - 1) * part / PARTS) for part in range(PARTS + 1)]
    return [(place, moments[place][1]) for place in places]


def cpu_ms(begin: tuple[int, float], end: tuple[int, float]) -> float:
    return 1000 * (end[1] - begin[1]) / (end[0] - begin[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[1000, 3000, 10_000])
    parser.add_argument("--slots", type=int, default=1000)
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        measure(arguments.trials[0], arguments.slots)
        return
    print(f"{arguments.slots} slots; ms of CPU a trial, and in each quarter of the sweep")
    for trials in arguments.trials:
        command = [sys.executable, __file__, "--only", f"--trials={trials}"]
        done = subprocess.run(
            [*command, f"--slots={arguments.slots}"], capture_output=True, text=True, check=True
        )
        told = json.loads(done.stdout.splitlines()[-1])
        quarters = ", ".join(f"{ms:.1f}" for ms in told["parts"])
        print(
            f"{trials} trials: {told['seconds']:.1f} s, {1000 * told['cpu'] / trials:.1f} ms "
            f"({quarters}), {told['mib']:.0f} MiB, journal {told['journal'] / 1e6:.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
