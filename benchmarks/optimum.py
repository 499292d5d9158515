"""Whether the report's intervals hold the true optimum as often as they say, and whether its noise
names winners where there are none.

    python -m benchmarks.optimum [--sweeps 1000] [--only synthetic random recorded alike]

Synthetic sweeps have curves of four forms, none of them the model's own, with noise added; their
best learning rate is known. Random ones draw three settings at once, without seeds: what a warmup
does is added to such a curve, and what weight decay does, which is little. Of a recorded family
(benchmarks/curves) one sweep is each pair of seeds at each warmup and weight decay. Its truth is
the lowest point of the cubic spline (in the logarithm of the learning rate) through the means over
all seeds.
"""

import argparse
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import fmean

import numpy as np
from scipy.interpolate import CubicSpline

from benchmarks.curves.reading import Curve, families, read_family
from sweeper.analysis.noise import noise_in
from sweeper.analysis.reading.sweep_data import Evaluation, Parameter, SweepData, TrialData
from sweeper.analysis.summary.ends import ends_of
from sweeper.analysis.summary.levels import levels_of
from sweeper.analysis.summary.optimum import OptimumInterval, optima_of
from sweeper.status import Status

Losses = dict[float, list[float]]  # learning rate -> a loss for each seed
KINDS = (  # learning rates, seeds, octaves from the first to the last, noise
    (5, 2, 4, 0.003),
    (5, 2, 4, 0.01),
    (7, 2, 6, 0.01),
    (8, 1, 7, 0.01),
    (9, 3, 8, 0.01),
)
RANDOM_KINDS = (  # trials, noise, how much worse weight decay is 0.1 away from its best
    (24, 0.01, 0.004),
    (24, 0.003, 0.004),
    (40, 0.01, 0.004),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=1000, help="of each kind")
    parts = {"synthetic": show_synthetic, "random": show_random}
    parts |= {"recorded": show_recorded, "alike": show_alike}
    parser.add_argument("--only", choices=parts, nargs="*", default=list(parts))
    arguments = parser.parse_args()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for part in arguments.only:
            parts[part](pool, arguments.sweeps)


def show_synthetic(pool: ProcessPoolExecutor, sweeps: int) -> None:
    print(f"\n## Synthetic: {sweeps} sweeps of each kind; half-widths are medians, in octaves\n")
    print("| LRs x seeds, octaves, noise | holds the best | open | half-width | regret as said |")
    print("|---|---|---|---|---|")
    for kind in KINDS:
        found = list(pool.map(partial(synthetic, kind), range(sweeps), chunksize=20))
        holds, edges, widths, kept = (np.array(column) for column in zip(*found, strict=True))
        title = f"{kind[0]} x {kind[1]}, {kind[2]}, {kind[3]:g}"
        inner = np.median(widths[~edges]) if not edges.all() else math.nan
        shares = f"{holds.mean():.1%} | {edges.mean():.0%} | {inner:.2f} | {kept.mean():.1%}"
        print(f"| {title} | {shares} |", flush=True)


def synthetic(kind: tuple[int, int, float, float], number: int) -> tuple[bool, bool, float, bool]:
    """Whether the best is held, whether the interval is open, half its width in octaves, whether
    the value to take is as good as is said."""
    num_rates, seeds, octaves, noise = kind
    rng = np.random.default_rng([number, num_rates, seeds])
    loss, best = drawn_curve(rng)
    rates = [1e-3 * 2 ** float(x) for x in np.linspace(-octaves / 2, octaves / 2, num_rates)]
    found = interval(
        {r: [3 + loss(octave(r)) + rng.normal(0, noise) for _ in range(seeds)] for r in rates}
    )
    open_end = found.at_low_end or found.at_high_end
    return (
        holds(found, best),
        open_end,
        math.log2(found.high / found.low) / 2,
        loss(octave(found.taken)) - loss(best) <= found.regret,
    )


def show_random(pool: ProcessPoolExecutor, sweeps: int) -> None:
    print(f"\n## Random: {sweeps} sweeps of each kind over three settings\n")
    print("| trials, noise, weight decay | setting | holds the best | says nothing | open |")
    print("|---|---|---|---|---|")
    for kind in RANDOM_KINDS:
        found = list(pool.map(partial(drawn_at_random, kind), range(sweeps), chunksize=10))
        for name in ("learning_rate", "warmup_steps", "weight_decay"):
            of_name = [(o, best) for sweep in found for o, best in sweep if o.name == name]
            known = [o for o, _ in of_name if o.is_known]
            held = fmean(not o.is_known or within(o, best) for o, best in of_name)
            is_open = fmean(o.at_low_end or o.at_high_end for o in known)
            shares = f"{held:.1%} | {1 - len(known) / len(of_name):.0%} | {is_open:.0%}"
            print(f"| {kind[0]}, {kind[1]:g}, {kind[2]:g} | {name} | {shares} |", flush=True)


def drawn_at_random(
    kind: tuple[int, float, float], number: int
) -> list[tuple[OptimumInterval, float]]:
    """The intervals of a sweep over three settings at once, each with the true best."""
    num_trials, noise, decay = kind
    rng = np.random.default_rng([number, num_trials])
    of_rate, best_octave = drawn_curve(rng)
    best_warmup, best_decay = rng.uniform(15, 50), rng.uniform(0.05, 0.25)
    points, losses = [], []
    for _ in range(num_trials):
        x, warmup, wd = rng.uniform(-3, 3), int(rng.integers(1, 61)), float(rng.uniform(0, 0.3))
        points.append({"learning_rate": 1e-3 * 2**x, "warmup_steps": warmup, "weight_decay": wd})
        worse = 0.05 * ((warmup - best_warmup) / 20) ** 2 + decay * ((wd - best_decay) / 0.1) ** 2
        losses.append(3 + of_rate(x) + worse + rng.normal(0, noise))
    sweep = SweepData(
        name="random",
        folder="runs/random",
        parameters=(
            Parameter(name="learning_rate", scale="log", options=(), low=1.25e-4, high=8e-3),
            Parameter(name="warmup_steps", scale="linear", options=(), low=1, high=60),
            Parameter(name="weight_decay", scale="linear", options=(), low=0, high=0.3),
        ),
        trials=tuple(
            TrialData(
                trial_id=f"{number:04d}",
                status=Status.COMPLETED,
                point=point,
                seed=None,
                config={},
                evaluations=(Evaluation(step=1, value=loss),),
            )
            for number, (point, loss) in enumerate(zip(points, losses, strict=True))
        ),
        seeds=(),
    )
    bests = {"learning_rate": 1e-3 * 2**best_octave, "warmup_steps": best_warmup}
    found = optima_of(sweep, levels_of(sweep), ends_of(sweep))
    return [(each, bests.get(each.name, best_decay)) for each in found]


def drawn_curve(rng: np.random.Generator) -> tuple[Callable[[float], float], float]:
    """A loss over octaves around 1e-3, steeper to the right as learning rates are, and its best."""
    best, bend, steeper = rng.uniform(-1, 1), rng.uniform(0.02, 0.12), rng.uniform(1, 3)
    forms: list[Callable[[float], float]] = [
        lambda x: bend * (x - best) ** 2,
        lambda x: bend * (x - best) ** 2 * (steeper if x > best else 1),
        lambda x: bend * (math.exp(x - best) - 1 - (x - best)),
        lambda x: 2 * bend * math.log(math.cosh(1.5 * (x - best))),
    ]
    return forms[rng.integers(len(forms))], float(best)


def octave(rate: float) -> float:
    return math.log2(rate / 1e-3)


def holds(found: OptimumInterval, best: float) -> bool:
    """Whether it holds a best learning rate, in octaves."""
    return within(found, 1e-3 * 2**best)


def within(found: OptimumInterval, best: float) -> bool:
    """An open end holds all that lies beyond it."""
    return (found.at_low_end or found.low <= best) and (found.at_high_end or best <= found.high)


def interval(losses: Losses) -> OptimumInterval:
    sweep = sweep_of(losses)
    (found,) = optima_of(sweep, levels_of(sweep), ends_of(sweep))
    return found


def sweep_of(losses: Losses) -> SweepData:
    rates, repeated = sorted(losses), max(map(len, losses.values())) > 1
    trials = [
        TrialData(
            trial_id=f"{rate:g}-{seed}",
            status=Status.COMPLETED,
            point={"learning_rate": rate},
            seed=seed if repeated else None,
            config={},
            evaluations=(Evaluation(step=1, value=value),),
        )
        for rate, values in losses.items()
        for seed, value in enumerate(values)
    ]
    rate = Parameter(
        name="learning_rate", scale="log", options=tuple(rates), low=rates[0], high=rates[-1]
    )
    seeds = tuple(range(max(map(len, losses.values())))) if repeated else ()
    return SweepData(
        name="lr", folder="runs/lr", parameters=(rate,), trials=tuple(trials), seeds=seeds
    )


def show_recorded(pool: ProcessPoolExecutor, sweeps: int) -> None:
    print("\n## Recorded: each pair of seeds at each warmup and weight decay\n")
    print("| family | sweeps | holds the best | half-width |")
    print("|---|---|---|---|")
    for family in families():
        found = [pool.submit(interval, losses) for losses, _ in lines(family)]
        bests = [best for _, best in lines(family)]
        intervals = [each.result() for each in found]
        held = [holds(each, best) for each, best in zip(intervals, bests, strict=True)]
        width = np.median([math.log2(each.high / each.low) / 2 for each in intervals] or [math.nan])
        print(f"| {family} | {len(held)} | {fmean(held or [0]):.0%} | {width:.2f} |", flush=True)


def lines(family: str) -> Iterator[tuple[Losses, float]]:
    """Sweeps over the learning rate alone, and where their best lies."""
    of_line: dict[tuple[int, float], dict[float, dict[int, float]]] = {}
    for curve in read_family(family):
        if curve.status == "completed":
            line = of_line.setdefault((curve.warmup_steps, curve.weight_decay), {})
            line.setdefault(curve.learning_rate, {})[curve.seed] = curve.losses[-1]
    for line in of_line.values():
        seeds = sorted({seed for values in line.values() for seed in values})
        whole = {rate: values for rate, values in line.items() if len(values) == len(seeds)}
        if len(whole) < 4:
            continue
        best = lowest({rate: fmean(values.values()) for rate, values in whole.items()})
        for pair in itertools.combinations(seeds, 2):
            yield {rate: [values[s] for s in pair] for rate, values in whole.items()}, best


def lowest(means: dict[float, float]) -> float:
    rates = sorted(means)
    spline = CubicSpline([octave(rate) for rate in rates], [means[rate] for rate in rates])
    fine = np.linspace(octave(rates[0]), octave(rates[-1]), 2001)
    return float(fine[np.argmin(spline(fine))])


def show_alike(pool: ProcessPoolExecutor, sweeps: int) -> None:
    print(f"\n## A/A: {sweeps} sweeps of each kind over what has no effect\n")
    print("| kind | claims a winner |")
    print("|---|---|")
    kinds: dict[str, Callable[[np.random.Generator], Sequence[Sequence[float]]]] = {
        "8 points x 2 seeds": lambda rng: rng.normal(3, 0.01, (8, 2)),
        "8 points x 3 seeds": lambda rng: rng.normal(3, 0.01, (8, 3)),
        "24 points x 3 seeds": lambda rng: rng.normal(3, 0.01, (24, 3)),
        "8 points x 3 seeds, half of them with 3 x the noise": lambda rng: rng.normal(
            3, np.repeat([0.01, 0.03], 4)[:, None], (8, 3)
        ),
        "8 points x 3 seeds, Student's t of 4 degrees": lambda rng: (
            3 + 0.01 * rng.standard_t(4, (8, 3))
        ),
    }
    for name, draw in kinds.items():
        drawn = [draw(np.random.default_rng(number)) for number in range(sweeps)]
        print(f"| {name} | {claims(drawn):.1%} |", flush=True)
    for family in families():
        drawn = list(itertools.islice(shuffled(family), sweeps))
        if drawn:
            print(f"| 8 points with the residuals of {family} | {claims(drawn):.1%} |", flush=True)


def claims(sweeps: Sequence[Sequence[Sequence[float]]]) -> float:
    """The share of the sweeps that name one winner."""
    named = []
    for losses in sweeps:
        of_rate = {1e-4 * 2**k: list(map(float, of)) for k, of in enumerate(losses)}
        noise = noise_in(sweep_of(of_rate).ranking)
        assert noise is not None
        named.append(len(noise.tied) == 1)
    return fmean(named)


def shuffled(family: str) -> Iterator[list[list[float]]]:
    """Eight settings without a difference, with what the seeds do to the better half of a family's:
    the residuals around the settings' means, shuffled."""
    points: dict[int, list[Curve]] = {}
    for curve in read_family(family):
        points.setdefault(curve.point, []).append(curve)
    whole = [
        [curve.losses[-1] for curve in seeds]
        for seeds in points.values()
        if all(curve.status == "completed" for curve in seeds)
    ]
    whole = sorted(whole, key=fmean)[: max(8, len(whole) // 2)]
    # A residual around a mean of n is smaller than the deviation, by sqrt(1 - 1/n).
    residuals = [(loss - fmean(of)) / math.sqrt(1 - 1 / len(of)) for of in whole for loss in of]
    for number in itertools.count():
        rng = np.random.default_rng(number)
        drawn = rng.choice(residuals, 8 * len(whole[0]), replace=False)
        yield (3 + drawn.reshape(8, len(whole[0]))).tolist()


if __name__ == "__main__":
    main()
