"""What it costs to run a training program as a trial: the time from a line that it prints to its
metrics, and through Ray to what is decided on them; its time beside that of the program alone, and
the CPU time of what watches it.

    python -m benchmarks.your_trainer
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sweeper.record.journal import read_journal
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import Evaluated
from sweeper.runtime.trainers.command_trainer import CommandTrainer
from sweeper.runtime.trainers.job import Job

STEPS, EVERY = 1000, 100
PROGRAM = f"""
import time
for step in range(1, {STEPS + 1}):
    until = time.perf_counter() + 0.01
    while time.perf_counter() < until:  # a step is 10 ms of work
        pass
    if step % 10 == 0:
        print(f"iter {{step}}: loss 1.0", flush=True)
    if step % {EVERY} == 0:
        print(f"step {{step}}: val_loss {{1 / step}} at {{time.time()!r}}", flush=True)
"""

LINE = "step {step:d}: val_loss {val_loss:f} at {train_seconds:f}"  # the clock as it was printed


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        script = folder / "program.py"
        script.write_text(PROGRAM)
        print(json.dumps({"seconds_alone": round(_alone(script), 2)}))
        print(json.dumps(_as_a_trial(script, folder)))
        print(json.dumps(_in_a_sweep(script, folder)))


def _alone(script: Path) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-u", str(script)], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _as_a_trial(script: Path, folder: Path) -> dict[str, float]:
    job = Job(
        command=f"{sys.executable} {script}",
        stdout=(LINE,),
        settings={},
        max_steps=STEPS,
        eval_every_steps=EVERY,
        trial_dir=folder / "trial" / "program",
        folder=folder,
    )
    trainer = CommandTrainer(job)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    late = []
    for metrics in trainer.train():
        if metrics is not None and metrics.train_seconds is not None:
            late.append(time.time() - metrics.train_seconds)  # where the program says its clock
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    trainer.close()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds_as_a_trial": round(seconds, 2),
        "watching_cpu_percent": round(100 * cpu / seconds, 2),
        **_shown("line_to_metrics", late),
    }


def _in_a_sweep(script: Path, folder: Path) -> dict[str, float]:
    """Two trials, one after the other, on a Ray of their own. What is decided has its time in the
    journal."""
    trainer = {
        "command": f"{sys.executable} {script} {{number}}",
        "metrics": {"stdout": LINE},
        "settings": {"number": {"type": "int"}},
        "max_steps": STEPS,
        "eval_every_steps": EVERY,
    }
    space = {"number": {"grid": [0, 1]}}
    scheduler = {"type": "asha", "grace_steps": EVERY}
    document = {"trainer": trainer, "space": space, "scheduler": scheduler, "max_concurrent": 1}
    (folder / "latency.yaml").write_text(json.dumps(document))
    sweeper = [sys.executable, "-m", "sweeper"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    subprocess.run(
        [*sweeper, "run", "latency.yaml", "--no-dashboard"],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    events = read_journal(RunFolder(folder / "runs" / "latency").journal)
    late = [
        event.time.timestamp() - (event.metrics.train_seconds or 0.0)
        for event in events
        if isinstance(event, Evaluated)
    ]
    return _shown("line_to_decision", late)


def _shown(what: str, late: Sequence[float]) -> dict[str, float]:
    return {
        f"{what}_ms_median": round(1000 * statistics.median(late), 1),
        f"{what}_ms_most": round(1000 * max(late), 1),
    }


if __name__ == "__main__":
    main()
