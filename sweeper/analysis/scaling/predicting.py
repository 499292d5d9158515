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
from sweeper.errors import NoLawError, PredictionError

FEWEST_SIZES = 3
TELL_APART = "sweep a size in the middle at four times the tokens as well"
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
        NoLawError: its sizes follow no law, or do not tell parameters from tokens.
    """
    found = sizes_of(sweep)
    _require_sizes(sweep, found)
    sizes, parametrisation = found.known, found.config.parametrisation
    laws, missed = Laws(sizes, parametrisation), held_out(sizes, parametrisation)
    largest = max(sizes, key=lambda size: (size.params, size.tokens))
    params, tokens = target.beside(largest)
    _require_law(sweep, missed, params)
    along = _line_of(sizes)
    if along is not None and not along.holds(params, tokens):
        raise NoLawError(
            f"{sweep.name}: no learning rate can be told for {params:,} parameters after "
            f"{tokens:,} tokens: {along.how}, so what each of the two does to it is not known, and "
            f"this lies off their line.\n  To mend it: {TELL_APART}"
        )
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
            *([] if missed.loss_holds else [_no_loss(missed)]),
            *([] if along is None else [along.remark]),
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


def _require_law(sweep: SweepData, missed: HeldOut, params: int) -> None:
    if missed.rate_holds:
        return
    size = f"{missed.params:,} parameters, {missed.tokens:,} tokens"
    raise NoLawError(
        f"{sweep.name}: no learning rate can be told: its law fails your largest size ({size}), "
        f"which it missed from the others alone by {abs(missed.octaves):.2g} octaves, outside of "
        "its 95 %.\n  To mend it: sweep a larger size, or more of them; "
        f"`plan FILE --for {params}` proposes which"
    )


def _no_loss(missed: HeldOut) -> str:
    return (
        "No loss can be told: its law fails your largest size, which it missed from the others "
        f"alone by {100 * abs(missed.loss_share):.2g} %, outside of its 95 %. Sweep a larger size, "
        "or more of them."
    )


@dataclass(frozen=True)
class _Line:
    """Along which the parameters and tokens of all sizes lie, in logarithms."""

    slope: float
    level: float
    how: str

    def holds(self, params: int, tokens: int) -> bool:
        return abs(math.log(tokens) - self.level - self.slope * math.log(params)) < ALIKE

    @property
    def remark(self) -> str:
        return f"Only sizes on one line can be told: {self.how}. For others, {TELL_APART}."


def _line_of(sizes: Sequence[SizeOptimum]) -> _Line | None:
    """Where parameters and tokens went up together, or tokens did not."""
    logs = np.log([[size.params, size.tokens] for size in sizes])
    slope, level = np.polyfit(logs[:, 0], logs[:, 1], 1)
    if float(np.abs(logs[:, 1] - level - slope * logs[:, 0]).max()) >= ALIKE:
        return None
    if are_alike(size.tokens / size.params for size in sizes):
        how = "all were trained on as many tokens a parameter"
    elif are_alike(size.tokens for size in sizes):
        how = "all were trained on as many tokens"
    else:
        how = "parameters and tokens went up together"
    return _Line(float(slope), float(level), how)
