"""What the engine costs: trivial trials through sweeper and through plain Ray Tune, interleaved.

Or, with `--wandb offline`, through sweeper with Weights & Biases and without; with `--bucket`, with
the run in a bucket (of SeaweedFS, on this machine) and on the disk.

    python benchmarks/overhead.py [--trials 200] [--pairs 3]
    python benchmarks/overhead.py --wandb offline
    python benchmarks/overhead.py --bucket
    python benchmarks/overhead.py --trials 2000 --pairs 0       whether time per trial stays flat
    python benchmarks/overhead.py --trials 2000 --pairs 0 --asha promote --budget 10kB

Both run the same closed-form trials of 5 reports as class trainables on reused actors, without
loggers, two at a time, each sweep in a fresh process and a fresh Ray. Ours also journals every
report to disk, keeps metrics files and tables, and decides by ASHA; Tune decides by its own.
Time is from the first trial's start to the last one's end, Ray's start-up aside.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

REPORTS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--wandb", choices=["offline"], help="Compare with W&B, not with Tune.")
    parser.add_argument("--asha", choices=["stop", "promote"], default="stop")
    parser.add_argument("--budget", help="Of the checkpoints; only with --pairs 0.")
    parser.add_argument("--bucket", action="store_true", help="Compare with a bucket.")
    parser.add_argument(
        "--only", choices=["sweeper", "tune", "wandb", "bucket"], help=argparse.SUPPRESS
    )
    arguments = parser.parse_args()
    if arguments.only:
        run = {
            "sweeper": run_sweeper,
            "tune": run_tune,
            "wandb": lambda trials: run_sweeper(trials, wandb="offline"),
            "bucket": run_in_bucket,
        }[arguments.only]
        print(json.dumps(run(arguments.trials)))
        return
    if not arguments.pairs:
        measured = run_sweeper(arguments.trials, mode=arguments.asha, budget=arguments.budget)
        print_flatness(measured, arguments.trials)
        return
    other = "wandb" if arguments.wandb else "bucket" if arguments.bucket else "tune"
    seconds: dict[str, list[float]] = {"sweeper": [], other: []}
    memory: dict[str, list[float]] = {"sweeper": [], other: []}
    closing: dict[str, list[float]] = {"sweeper": [], other: []}
    print(f"{arguments.trials} trials of {REPORTS} reports, two at a time")
    print(f"{'pair':>4} {'sweeper s':>10} {other + ' s':>10} {'ratio':>6}")
    for pair in range(arguments.pairs):
        for which in ("sweeper", other) if pair % 2 else (other, "sweeper"):
            command = [sys.executable, __file__, "--only", which, "--trials", str(arguments.trials)]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            measured = json.loads(output.splitlines()[-1])
            seconds[which].append(measured["seconds"])
            memory[which].append(measured["driver_mib"])
            closing[which].append(measured["seconds_to_close"])
        ours, theirs = seconds["sweeper"][-1], seconds[other][-1]
        print(f"{pair + 1:>4} {ours:>10.2f} {theirs:>10.2f} {ours / theirs:>6.2f}", flush=True)
    ratios = [a / b for a, b in zip(seconds["sweeper"], seconds[other], strict=True)]
    ratio = statistics.median(ratios)
    print(f"median ratio {ratio:.2f}; the other way round {1 / ratio:.2f}")
    for which in ("sweeper", other):
        per_trial = 1000 * statistics.median(seconds[which]) / arguments.trials
        mib = statistics.median(memory[which])
        end = statistics.median(closing[which])
        print(
            f"{which}: {per_trial:.1f} ms a trial, {end:.2f} s from the last one's end to the "
            f"session's, driver's peak memory {mib:.0f} MiB"
        )


def print_flatness(measured: dict[str, Any], trials: int) -> None:
    """A promoted trial counts as a run of its own."""
    print(f"{trials} trials of {REPORTS} reports: {measured['seconds']:.1f} s")
    starts = measured["starts"]
    bounds = [round(part * (len(starts) - 1) / 4) for part in range(5)]
    for first, last in itertools.pairwise(bounds):
        ms = 1000 * (starts[last] - starts[first]) / (last - first)
        cpu = 1000 * (measured["cpu"][last] - measured["cpu"][first]) / (last - first)
        print(f"runs {first}-{last}: {ms:.1f} ms each, {cpu:.1f} ms of the driver's CPU")
    print(f"driver's peak memory {measured['driver_mib']:.0f} MiB")
    print(f"checkpoints: {measured['high_water']} bytes at most")


def driver_mib() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def learning_rates(trials: int) -> list[float]:
    return [10 ** (-4 + 3 * (i * 0.618034 % 1)) for i in range(trials)]


def run_in_bucket(trials: int) -> dict[str, Any]:
    import os

    from tests.sweeper.servers import BUCKET, KEYS, seaweed

    with tempfile.TemporaryDirectory() as folder, seaweed(Path(folder)) as endpoint:
        cache = str(Path(folder) / "cache")
        os.environ |= {**KEYS, "AWS_ENDPOINT_URL": endpoint, "XDG_CACHE_HOME": cache}
        return run_sweeper(trials, runs=f"s3://{BUCKET}/runs")


def run_sweeper(
    trials: int,
    wandb: Literal["off", "offline"] = "off",
    mode: Literal["stop", "promote"] = "stop",
    budget: str | None = None,
    runs: str | None = None,
) -> dict[str, Any]:
    import numpy as np
    import pyarrow.parquet as pq
    from rich.console import Console
    from ruamel.yaml import YAML

    from sweeper.engine.sweep import Sweep
    from sweeper.record.journal import read_journal
    from sweeper.record.run_folder import RunFolder
    from sweeper.record.state.events import TrialEnded, TrialStarted, WatcherFailed
    from sweeper.record.stores.places import runs_folder
    from sweeper.running import run_file
    from sweeper.runtime.session.ending import written_report
    from sweeper.runtime.session.preparation import Options

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("train", "val"):
            np.save(folder / f"{name}.npy", np.zeros(1000, np.uint8))
        space = {
            "name": "overhead",
            "data": temporary,
            "train": {
                "d_model": 16, "num_heads": 2, "vocab_size": 64, "context_length": 16,
                "max_steps": REPORTS, "warmup_steps": 0, "min_learning_rate": 0,
                "checkpoint_every_steps": REPORTS if mode == "stop" else 1,
            },
            "space": {"learning_rate": {"grid": learning_rates(trials)}},
            "scheduler": {"type": "asha", "mode": mode, "grace_steps": 1, "reduction_factor": 2},
            "checkpoints": {"budget": budget},
        }  # fmt: skip
        with (folder / "space.yaml").open("w") as file:
            YAML().dump(space, file)
        trainer = "tests.sweeper.closed_form:ClosedFormTrainer"
        where = runs_folder(runs or folder / "runs")
        options = Options(runs=where, dashboard=False, trainer=trainer, wandb=wandb)
        cpu, start = [], Sweep.start  # whatever else the machine does, this is ours

        def timed_start(sweep: Sweep, trial_id: str) -> None:
            cpu.append(time.process_time())
            start(sweep, trial_id)

        Sweep.start = timed_start
        console = Console(quiet=True)
        written_report(console, run_file(folder / "space.yaml", console, options))
        run_folder = RunFolder(where / "overhead")
        events = list(read_journal(run_folder.journal))
        metadata = pq.read_schema(run_folder.results).metadata
        if wandb != "off":  # that all of it was logged
            assert len(list(run_folder.wandb.glob("offline-run-*"))) == trials
            assert not [e for e in events if isinstance(e, WatcherFailed)]
    started = [e.time.timestamp() for e in events if isinstance(e, TrialStarted)]
    ended = [e.time.timestamp() for e in events if isinstance(e, TrialEnded)]
    return {
        "seconds": ended[-1] - started[0],
        "seconds_to_close": events[-1].time.timestamp() - ended[-1],
        "starts": started,
        "cpu": cpu,
        "high_water": int(metadata[b"checkpoint_high_water_bytes"]),
        "driver_mib": driver_mib(),
    }


def run_tune(trials: int) -> dict[str, Any]:
    import math
    import os

    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = "2"
    import ray
    from ray import tune

    class Trial(tune.Trainable):
        def setup(self, config):
            self.rate, self.done_steps = config["learning_rate"], 0

        def reset_config(self, config):
            self.setup(config)
            return True

        def step(self):
            self.done_steps += 1
            loss = 1 + math.log10(self.rate / 1e-3) ** 2 + 3 / math.sqrt(self.done_steps)
            return {"val_loss": loss, "done": self.done_steps == REPORTS}

        def save_checkpoint(self, folder):
            Path(folder, "checkpoint.pt").write_text(json.dumps({"step": self.done_steps}))

    moments = []

    class Clock(tune.Callback):
        def on_trial_start(self, **info):
            moments.append(time.monotonic())

        def on_trial_complete(self, **info):
            moments.append(time.monotonic())

    # By itself Ray would join what was last started on this machine, and wait for it if it is dead.
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as temporary:
        tuner = tune.Tuner(
            Trial,
            param_space={"learning_rate": tune.grid_search(learning_rates(trials))},
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                scheduler=tune.schedulers.ASHAScheduler(
                    metric="val_loss", mode="min", grace_period=1, reduction_factor=2, max_t=REPORTS
                ),
            ),
            run_config=tune.RunConfig(
                storage_path=temporary,
                verbose=0,
                callbacks=[Clock()],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True),
            ),
        )
        tuner.fit()
    closed = time.monotonic()
    ray.shutdown()
    return {
        "seconds": max(moments) - min(moments),
        "seconds_to_close": closed - max(moments),
        "driver_mib": driver_mib(),
    }


if __name__ == "__main__":
    main()
