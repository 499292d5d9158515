"""Whether sweeps that share one Ray cluster have what their weights say, in real work.

Sweeps of many short trials, which save and leave when they are asked to, begin one after the other
on a cluster of this machine. Told are each one's slot seconds from half a minute after the moment
at which all have had a place: of its trials, from the journal, from the start of each attempt on.

    python benchmarks/shares.py [--minutes 2] [--cpus 4] [--weights 1 1 2]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from ray.cluster_utils import Cluster
from ruamel.yaml import YAML

from sweeper.record.journal import read_journal
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import (
    AttemptFailed,
    Event,
    GaveWay,
    TrialEnded,
    TrialPaused,
    TrialStarted,
)

ROOT = Path(__file__).parents[1]
TRAINER = "tests.sweeper.runtime.ray_tune.driver:SlowTrainer"  # 0.05 s a step
STEPS = 200
SETTLE_SECONDS = 30.0  # a trial that has begun trains for a turn before it gives way


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--cpus", type=int, default=4)
    parser.add_argument("--weights", type=float, nargs="+", default=[1, 1, 2])
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": arguments.cpus})
    os.environ["RAY_ADDRESS"] = cluster.address
    drivers: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folders = []
        try:
            for number, weight in enumerate(arguments.weights):
                space = space_in(Path(temporary), f"sweep{number}", weight)
                runs = Path(temporary) / "runs"
                command = [sys.executable, "-m", "tests.sweeper.runtime.ray_tune.driver", "run"]
                drivers.append(
                    subprocess.Popen([*command, str(space), str(runs), TRAINER], cwd=ROOT)
                )
                folders.append(RunFolder(runs / f"sweep{number}"))
            while not all(folder.journal.exists() and attempts(folder) for folder in folders):
                assert all(driver.poll() is None for driver in drivers)
                time.sleep(0.5)
            begin = time.time() + SETTLE_SECONDS
            end = begin + 60 * arguments.minutes
            time.sleep(end - time.time())
            had = [slot_seconds(attempts(folder), begin, end) for folder in folders]
        finally:
            for driver in drivers:
                driver.kill()
                driver.wait()
            cluster.shutdown()
    for weight, seconds in zip(arguments.weights, had, strict=True):
        fair = weight / sum(arguments.weights)
        print(
            f"weight {weight:g}: {seconds:.1f} slot seconds, {seconds / sum(had):.4f} of them; "
            f"fair {fair:.4f}, off by {seconds / sum(had) / fair - 1:+.1%}"
        )
    whole = arguments.cpus * (end - begin)
    print(f"{sum(had) / whole:.1%} of {arguments.cpus} slots x {end - begin:.0f} s were held")


def space_in(folder: Path, name: str, weight: float) -> Path:
    for part in ("train", "val"):
        np.save(folder / f"{part}.npy", np.zeros(1000, np.uint8))
    rates = [10 ** (-4 + 3 * (i * 0.618034 % 1)) for i in range(1000)]
    document: dict[str, Any] = {
        "name": name,
        "data": str(folder),
        "train": {
            "d_model": 16, "num_heads": 2, "vocab_size": 64, "context_length": 16,
            "max_steps": STEPS, "eval_every_steps": STEPS // 4, "warmup_steps": 0,
            "min_learning_rate": 0,
        },
        "space": {"learning_rate": {"grid": rates}},
        "scheduler": {"type": "fifo"},
        "resources": {"cpu": 1},
        "share": {"weight": weight},
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    with path.open("w") as file:
        YAML().dump(document, file)
    return path


def attempts(folder: RunFolder) -> list[tuple[float, float]]:
    """Of each, when it began and ended; of those that run, the end is infinite."""
    began: dict[str, float] = {}
    found = []
    for event in read_journal(folder.journal):
        when = event.time.timestamp()
        if isinstance(event, TrialStarted):
            began[event.trial] = when
        elif (trial := ended_by(event)) in began:
            found.append((began.pop(trial), when))
    return found + [(when, float("inf")) for when in began.values()]


def ended_by(event: Event) -> str:
    ends = isinstance(event, TrialEnded | TrialPaused | GaveWay | AttemptFailed)
    return event.trial if ends else ""  # type: ignore[union-attr]


def slot_seconds(attempts: list[tuple[float, float]], begin: float, end: float) -> float:
    return sum(max(0.0, min(last, end) - max(first, begin)) for first, last in attempts)


if __name__ == "__main__":
    main()
