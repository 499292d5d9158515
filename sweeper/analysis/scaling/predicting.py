"""What a sweep over sizes says of a size that it did not have, and what keeps that from being an
answer."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.scaling.laws import ALIKE, HeldOut, Laws, Predicted, are_alike, held_out
from sweeper.analysis.scaling.priors import Exponents
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from sweeper.analysis.scaling.sizes import LIKE, LeftOut, SweptSizes, sizes_of
from sweeper.errors import PredictionError

FEWEST_SIZES = 3
NODES = 13  # of the line along which the laws are drawn


@dataclass(frozen=True, kw_only=True)
class Target:
    """The size to predict: so many parameters and tokens, or so many times the largest size's."""

    params: int | None = None
    tokens: int | None = None
    scale: float | None = None

    def beside(self, largest: SizeOptimum) -> tuple[int, int]:
        if self.params is not None and self.tokens is not None:
            return self.params, self.tokens
        assert self.scale is not None, "the command has asked for one or the other"
        params, tokens = self.scale * largest.params, self.scale * largest.tokens
        return max(1, round(params)), max(1, round(tokens))


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """`fitted` is what the laws say of the sizes that they were fitted to."""

    sweep: str
    metric: str
    at: Predicted
    held_out: HeldOut
    exponents: tuple[float, float]  # of the learning rate's law: of parameters, of tokens
    prior: Exponents
    sizes: tuple[SizeOptimum, ...]
    fitted: tuple[Predicted, ...]
    line: tuple[Predicted, ...]  # from the smallest size to the target
    left_out: tuple[LeftOut, ...]
    missing: tuple[str, ...]  # what the sizes cannot tell


def predict(sweep: SweepData, target: Target) -> Prediction:
    """
    Raises:
        PredictionError: the sweep cannot tell, and what would make it.
    """
    found = sizes_of(sweep)
    _require_sizes(sweep, found)
    sizes, parametrisation = found.known, found.config.parametrisation
    laws, missed = Laws(sizes, parametrisation), held_out(sizes, parametrisation)
    largest = max(sizes, key=lambda size: (size.params, size.tokens))
    params, tokens = target.beside(largest)
    return Prediction(
        sweep=sweep.name,
        metric=found.metric,
        at=laws.at(params, tokens),
        held_out=missed,
        exponents=laws.rate.exponents,
        prior=laws.prior,
        sizes=sizes,
        fitted=tuple(laws.at(size.params, size.tokens) for size in sizes),
        line=tuple(
            laws.at(round(math.exp(n)), round(math.exp(d)))
            for n, d in np.linspace(
                np.log([sizes[0].params, sizes[0].tokens]), np.log([params, tokens]), NODES
            )
        ),
        left_out=found.left_out,
        missing=(
            *_unfinished(sweep),
            *_failures(missed),
            *_untold(sizes, laws.prior, params, tokens),
        ),
    )


def _require_sizes(sweep: SweepData, found: SweptSizes) -> None:
    if (number := len({size.params for size in found.known})) >= FEWEST_SIZES:
        return
    known = f"{number} size{'' if number == 1 else 's'}"
    lines = [
        f"{sweep.name}: the best learning rate is known of {known}, and a law that can be checked "
        f"needs {FEWEST_SIZES}."
    ]
    lines += [
        f"  {left.params:,} parameters, {left.tokens:,} tokens: {left.why}. To mend it: "
        f"{left.remedy}"
        for left in found.left_out
    ]
    if number + len({left.params for left in found.left_out}) < FEWEST_SIZES:
        lines.append(f"  {LIKE}.")
    raise PredictionError("\n".join(lines))


def _unfinished(sweep: SweepData) -> Iterator[str]:
    if sweep.state in ("running", "interrupted", "failed"):
        ended = sum(trial.status.ended for trial in sweep.trials)
        of = len(sweep.trials) if sweep.num_planned is None else sweep.num_planned
        yield f"The sweep is {sweep.state}: {ended} of {of} trials have ended, so this may change."


def _failures(missed: HeldOut) -> Iterator[str]:
    failing = [
        name
        for name, holds in (
            ("learning rate", missed.rate_holds),
            ("loss", missed.loss_holds),
        )
        if not holds
    ]
    if failing:
        yield (
            f"The law of the {' and of the '.join(failing)} fails its largest size: what was "
            "measured there lies outside of the 95 % that the other sizes gave. Do not go by it; "
            "sweep a larger size, or more of them."
        )


def _untold(
    sizes: Sequence[SizeOptimum], prior: Exponents, params: int, tokens: int
) -> Iterator[str]:
    """Where parameters and tokens went up together, or tokens did not."""
    logs = np.log([[size.params, size.tokens] for size in sizes])
    slope, level = np.polyfit(logs[:, 0], logs[:, 1], 1)
    if float(np.abs(logs[:, 1] - level - slope * logs[:, 0]).max()) >= ALIKE:
        return
    if are_alike(size.tokens / size.params for size in sizes):
        how = "All sizes were trained on as many tokens a parameter"
    elif are_alike(size.tokens for size in sizes):
        how = "All sizes were trained on as many tokens"
    else:
        how = "Parameters and tokens went up together"
    if abs(math.log(tokens) - level - slope * math.log(params)) < ALIKE:
        where = "What is asked for lies on the same line, where that is not needed"
    else:
        where = f"What is asked for lies off that line, where the law is mostly {prior.source}'s"
    yield (
        f"{how}, so what each of the two does to the learning rate cannot be told apart. {where}. "
        "To tell them apart, sweep a size in the middle at four times the tokens as well."
    )
