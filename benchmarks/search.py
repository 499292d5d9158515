"""How good the searches are, and what a suggestion costs: no training, no Ray.

    python benchmarks/search.py [--seeds 10] [--gp]

The loss is a formula of four settings with its best value at 0. Told is the mean, over the seeds,
of the best loss found so far; then the seconds of one suggestion after so many results.
"""

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from sweeper.engine.upcoming.point_search import PointSearch
from sweeper.plan.plan import Plan, PlannedTrial, make_plan
from sweeper.record.state.trial import Trial
from sweeper.spec.reading.spec_file import load_spec
from sweeper.status import Status
from trainable.loop.metrics import Metrics

AFTER = (10, 25, 50, 100)
SPACE = """
train: {{max_steps: 100, min_learning_rate: 0, beta1: 0, d_model: 64, num_heads: 2}}
space:
  learning_rate: {{loguniform: [1e-6, 1]}}
  warmup_steps: {{randint: [0, 99]}}
  weight_decay: {{uniform: [0, 1]}}
  size: {{choice: {{a: {{d_ff: 64}}, b: {{d_ff: 128}}, c: {{d_ff: 256}}, d: {{d_ff: 512}}}}}}
search: {{algorithm: {algorithm}, num_trials: {number}, seed: {seed}{more}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--gp", action="store_true", help="The Gaussian process too: minutes.")
    arguments = parser.parse_args()
    algorithms = ["random", "sobol", "tpe", "model", *(["gp"] if arguments.gp else [])]
    with tempfile.TemporaryDirectory() as data:
        for name in ("train", "val"):
            np.save(Path(data) / f"{name}.npy", np.zeros(1000, np.uint8))
        print("best loss after".ljust(16) + "".join(f"{after:>10}" for after in AFTER))
        for algorithm in algorithms:
            runs = [best_losses(algorithm, seed, Path(data)) for seed in range(arguments.seeds)]
            means = [statistics.mean(run[after - 1] for run in runs) for after in AFTER]
            print(algorithm.ljust(16) + "".join(f"{mean:>10.4f}" for mean in means))
        print("one suggestion, seconds")
        for algorithm, after in (
            ("tpe", 100),
            ("tpe", 1000),
            ("model", 100),
            *([("gp", 100)] * arguments.gp),
        ):
            print(f"{algorithm} after {after}: {seconds_of_one(algorithm, after, Path(data)):.3f}")


def planned(algorithm: str, number: int, seed: int, data: Path) -> Plan:
    file = data / "space.yaml"
    more = ", alpha: 0.0001" if algorithm == "model" else ""  # as good as never
    file.write_text(SPACE.format(algorithm=algorithm, number=number, seed=seed, more=more))
    spec, source = load_spec(file)
    return make_plan(spec, data, source)


def run_one(trial: PlannedTrial) -> Trial:
    config = trial.config
    loss = (
        math.log10(config.learning_rate / 1e-3) ** 2
        + (config.warmup_steps / 100 - 0.3) ** 2
        + (config.weight_decay - 0.1) ** 2
        + 0.5 * math.log2(config.d_ff / 128) ** 2
    )
    end = Metrics(
        step=config.max_steps,
        tokens=0,
        train_loss=loss,
        val_loss=loss,
        val_perplexity=None,
        val_bits_per_byte=None,
        learning_rate=0.0,
        grad_norm=0.0,
        tokens_per_second=None,
        train_seconds=0.0,
        skipped_steps=0,
        diverged=False,
    )
    return Trial(trial.trial_id, trial.values, config, Status.COMPLETED, [end])


def best_losses(algorithm: str, seed: int, data: Path) -> list[float]:
    plan = planned(algorithm, max(AFTER), seed, data)
    search = PointSearch(plan)
    trials: list[Trial] = []
    best = [math.inf]
    while len(trials) < len(plan.trials) and (chosen := search.next(trials)) is not None:
        trials.append(run_one(chosen))
        best.append(min(best[-1], trials[-1].evaluations[-1].val_loss))
    return best[1:] + best[-1:] * (max(AFTER) - len(trials))  # `model` may end sooner


def seconds_of_one(algorithm: str, after: int, data: Path) -> float:
    """The median of five, each after a new result; the first, which tells all, aside."""
    plan = planned(algorithm, after + 6, 0, data)
    trials = [run_one(trial) for trial in plan.trials[:after]]
    search = PointSearch(plan)
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        chosen = search.next(trials)
        seconds.append(time.perf_counter() - start)
        if chosen is not None:
            trials.append(run_one(chosen))
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
