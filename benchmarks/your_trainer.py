"""What it costs to run a training program as a trial: the time from a line that it prints to its
metrics, its time beside that of the program alone, and the CPU time of what watches it.

    python -m benchmarks.your_trainer
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        script = folder / "program.py"
        script.write_text(PROGRAM)
        print(json.dumps({"seconds_alone": round(_alone(script), 2)}))
        print(json.dumps(_as_a_trial(script, folder)))


def _alone(script: Path) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-u", str(script)], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _as_a_trial(script: Path, folder: Path) -> dict[str, float]:
    job = Job(
        command=f"{sys.executable} {script}",
        stdout=("step {step:d}: val_loss {val_loss:f} at {train_seconds:f}",),
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
        "line_to_metrics_ms_median": round(1000 * statistics.median(late), 1),
        "line_to_metrics_ms_most": round(1000 * max(late), 1),
    }


if __name__ == "__main__":
    main()
