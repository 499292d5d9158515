"""How well the learning rate of a large model is predicted from smaller ones, on runs of others.

    python -m benchmarks.transfer [PATH_TO_step_law.csv]

First our own recorded families: the model of 128 x 4 (823k parameters) from those of 32 x 2 and
64 x 2, all in batches of 512 tokens.

The table has a row a run: params, tokens, learning_rate, batch_size, and its loss (smoothed_loss
where there is that column). A setting is one number of parameters and of tokens; its runs are a
sweep over learning rate and batch size. Each setting is predicted from those that cost at most a
quarter of it (6 x parameters x tokens), if these are three or more. Regret is what the predicted
learning rate loses to the setting's best, at the batch size of its best run, read off a line
through the runs; also where each learning rate has its own best batch size. An interval holds the
best where it holds the mean of where the setting's own runs put it.

Beside the law: a plain fit of both exponents (least squares), and Step Law's exponents with an
intercept of their own.
"""

import argparse
import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.curves.reading import read_family
from sweeper.analysis.reading.parameters import of_values
from sweeper.analysis.reading.sweep_data import Evaluation, SweepData, TrialData
from sweeper.analysis.scaling.laws import Laws, Predicted
from sweeper.analysis.scaling.priors import TUNED_BATCH
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from sweeper.analysis.summary.ends import ends_of
from sweeper.analysis.summary.levels import levels_of
from sweeper.analysis.summary.optimum import OptimumInterval, optima_of
from sweeper.spec.reading.spec_file import load_spec
from sweeper.status import Status
from trainable.config import TrainConfig
from trainable.model.model_size import matrix_params

CURVES = Path(__file__).parent / "curves"
RECORDED = ("python_d32_decay", "python_d64", "python_d64_short", "python_d128")  # the last: large
SHAPE = ("d_model", "num_heads", "d_ff", "num_layers", "context_length", "batch_size", "max_steps")
FAR = 4  # times the compute of the largest that is fitted
FEWEST = 3
GOALS = "goals: regret 0.08 % in the mean, 0.2 % at worst; 80 % intervals of an octave, 75 to 90 %"
Losses = Mapping[float, float]  # by learning rate


@dataclass(frozen=True)
class Setting:
    """All runs of one number of parameters and of tokens."""

    params: int
    tokens: int
    losses: Mapping[tuple[float, int], float]  # by learning rate and batch size

    @property
    def compute(self) -> float:
        return float(self.params) * self.tokens

    @cached_property
    def size(self) -> SizeOptimum:
        points = [{"learning_rate": rate, "batch_size": batch} for rate, batch in self.losses]
        trials = [
            TrialData(
                trial_id=str(number),
                status=Status.COMPLETED,
                point=dict(point),
                config={},
                evaluations=(Evaluation(step=1, value=loss),),
            )
            for number, (point, loss) in enumerate(zip(points, self.losses.values(), strict=True))
        ]
        # Their batches grow with the tokens, which is all that the law asks of them.
        batch = min(self.losses, key=lambda point: self.losses[point])[1]
        return SizeOptimum(
            params=self.params,
            tokens=self.tokens,
            batch_tokens=batch,
            optimum=best_rate(trials, ("learning_rate", "batch_size")),
        )

    @property
    def at_best_batch(self) -> Losses:
        best = min(self.losses, key=lambda point: self.losses[point])[1]
        return {rate: loss for (rate, batch), loss in self.losses.items() if batch == best}

    @property
    def at_own_batch(self) -> Losses:
        rates = {rate for rate, _ in self.losses}
        return {
            rate: min(loss for (other, _), loss in self.losses.items() if other == rate)
            for rate in rates
        }


@dataclass(frozen=True, kw_only=True)
class Row:
    setting: Setting
    predicted: Predicted
    regrets: Mapping[str, tuple[float, float]]  # by law: shares of the loss, at both kinds of batch
    held: bool
    octaves: float  # how wide the interval is
    times: float  # as much compute as the largest that was fitted

    @property
    def loss_error(self) -> float:
        return self.predicted.loss / self.setting.size.loss - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, nargs="?")
    table = parser.parse_args().table
    show_recorded()
    if table is not None:
        settings = read_settings(table)
        show_settings(rows_of(settings))
        exponent, error = params_exponent(settings)
        print(f"at equal tokens and batches: parameters^{exponent:.2f}, give or take {error:.2f}")


def show_recorded() -> None:
    *smaller, large = map(recorded_size, RECORDED)
    at, best = Laws(smaller, "standard").at(large.params, large.tokens), large.optimum
    print(
        f"recorded: LR {at.learning_rate:.2e}, 80 % {at.learning_rate_80[0]:.2e} to "
        f"{at.learning_rate_80[1]:.2e}; measured {best.taken:.2e} (95 %: {best.low:.2e} to "
        f"{best.high:.2e}), so {math.log2(at.learning_rate / best.taken):+.2f} octaves; loss "
        f"{at.loss / large.loss - 1:+.2%}\n"
    )


def show_settings(rows: Sequence[Row]) -> None:
    print(
        "| params | tokens | times | LR | 80 % | octaves | holds | regret | own batch | loss off |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        at, (best, own) = row.predicted, row.regrets["law"]
        low, high = at.learning_rate_80
        print(
            f"| {at.params / 1e6:.0f}M | {at.tokens / 1e9:.1f}B | {row.times:.1f} x "
            f"| {at.learning_rate:.2e} | {low:.2e} to {high:.2e} | {row.octaves:.2f} "
            f"| {'yes' if row.held else 'no'} | {best:.3%} | {own:.3%} | {row.loss_error:+.2%} |"
        )
    print("\n| | mean regret | worst | at own batch: mean | worst |")
    print("|---|---|---|---|---|")
    for name in rows[0].regrets:
        best_batch, own_batch = zip(*(row.regrets[name] for row in rows), strict=True)
        print(
            f"| {name} | {fmean(best_batch):.3%} | {max(best_batch):.3%} "
            f"| {fmean(own_batch):.3%} | {max(own_batch):.3%} |"
        )
    widths = [row.octaves for row in rows]
    held = fmean(row.held for row in rows)
    print(
        f"\n80 % intervals: {fmean(widths):.2f} octaves in the mean, {max(widths):.2f} at most; "
        f"{held:.0%} of {len(rows)} hold the best. Loss off by "
        f"{fmean(abs(row.loss_error) for row in rows):.2%} in the mean.\n{GOALS}"
    )


def recorded_size(family: str) -> SizeOptimum:
    spec, _ = load_spec(CURVES / f"{family}.yaml")
    shape = {name: value for name, value in spec.train.items() if name in SHAPE}
    config = TrainConfig.from_mapping({**shape, "vocab_size": 256, "warmup_steps": 1})
    trials = [
        TrialData(
            trial_id=str(curve.trial),
            status=Status(curve.status),
            point={name: getattr(curve, name) for name in spec.space},
            seed=curve.seed,
            config={},
            evaluations=(Evaluation(step=curve.steps[-1], value=curve.losses[-1]),),
        )
        for curve in read_family(family)
    ]
    batch = config.batch_size * config.context_length
    return SizeOptimum(
        params=matrix_params(config),
        tokens=config.max_steps * batch,
        batch_tokens=batch,
        optimum=best_rate(trials, list(spec.space), tuple(spec.seeds or ())),
    )


def best_rate(
    trials: Sequence[TrialData], names: Sequence[str], seeds: tuple[int, ...] = ()
) -> OptimumInterval:
    """Of trials over several settings."""
    sweep = SweepData(
        name="",
        folder="",
        parameters=of_values({name: sorted({t.point[name] for t in trials}) for name in names}),
        trials=tuple(trials),
        seeds=seeds,
    )
    optima = optima_of(sweep, levels_of(sweep), ends_of(sweep), grouped=False)
    (found,) = (optimum for optimum in optima if optimum.name == "learning_rate")
    return found


def read_settings(table: Path) -> list[Setting]:
    """From the least compute to the most."""
    found: dict[tuple[int, int], dict[tuple[float, int], float]] = {}
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            losses = found.setdefault((int(row["params"]), int(row["tokens"])), {})
            # The table writes one learning rate as 0.000488 and as 0.0004883.
            rate = float(f"{float(row['learning_rate']):.3g}")
            losses[rate, int(row["batch_size"])] = float(row.get("smoothed_loss") or row["loss"])
    settings = [Setting(params, tokens, losses) for (params, tokens), losses in found.items()]
    return sorted(settings, key=lambda setting: setting.compute)


def rows_of(settings: Sequence[Setting]) -> list[Row]:
    """Of each setting that there are enough far smaller ones for."""
    rows = []
    for setting in settings:
        smaller = [other for other in settings if FAR * other.compute <= setting.compute]
        if len(smaller) >= FEWEST:
            rows.append(row_of(setting, [other.size for other in smaller]))
    return rows


def row_of(setting: Setting, sizes: Sequence[SizeOptimum]) -> Row:
    laws = Laws(sizes, "standard")
    at = laws.at(setting.params, setting.tokens)
    low, high = at.learning_rate_80
    rates = {"law": at.learning_rate, **plain_fits(sizes, setting)}
    return Row(
        setting=setting,
        predicted=at,
        regrets={
            name: (regret(setting.at_best_batch, rate), regret(setting.at_own_batch, rate))
            for name, rate in rates.items()
        },
        held=math.log(low) <= setting.size.log_rate <= math.log(high),
        octaves=math.log2(high / low),
        times=setting.compute / max(size.compute for size in sizes),
    )


def plain_fits(sizes: Sequence[SizeOptimum], setting: Setting) -> dict[str, float]:
    logs = np.log([[size.params, size.tokens] for size in sizes])
    there = np.log([setting.params, setting.tokens])
    best = np.log([size.optimum.taken for size in sizes])
    design = np.hstack([np.ones((len(sizes), 1)), logs])
    free = np.linalg.lstsq(design, best, rcond=None)[0]
    known = np.array([TUNED_BATCH.params, TUNED_BATCH.tokens])
    return {
        "free fit": math.exp(free @ np.append(1.0, there)),
        "Step Law, own intercept": math.exp((best - logs @ known).mean() + there @ known),
    }


def params_exponent(settings: Sequence[Setting]) -> tuple[float, float]:
    """Of parameters at equal tokens and equal batches, and its standard error: least squares in the
    logarithms of all three, on the best learning rate of each batch size that has one inside."""
    rows, best = [], []
    for setting in settings:
        for batch in {batch for _, batch in setting.losses}:
            losses = {rate: loss for (rate, b), loss in setting.losses.items() if b == batch}
            rates = sorted(losses)
            least = min(range(len(rates)), key=lambda i: losses[rates[i]])
            if 0 < least < len(rates) - 1:
                near = rates[least - 1 : least + 2]
                bend, slope, _ = np.polyfit(np.log(near), [losses[rate] for rate in near], 2)
                rows.append([1.0, *np.log([setting.params, setting.tokens, batch])])
                best.append(-slope / (2 * bend))
    design = np.array(rows)
    design[:, 1:] -= design[:, 1:].mean(axis=0)
    found, squares, *_ = np.linalg.lstsq(design, np.array(best), rcond=None)
    variance = np.linalg.inv(design.T @ design) * squares[0] / (len(best) - design.shape[1])
    return float(found[1]), math.sqrt(variance[1, 1])


def regret(losses: Losses, rate: float) -> float:
    """What this learning rate loses to the best of them, as a share."""
    rates = sorted(losses)
    values = [losses[each] for each in rates]
    there = np.interp(math.log(rate), np.log(rates), values)
    return float(there) / min(values) - 1


if __name__ == "__main__":
    main()
