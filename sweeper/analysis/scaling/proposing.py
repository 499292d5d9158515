"""Sizes and tokens to sweep, so that the law tells as much as a budget can of a large model."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.remarks.next_sweeps import predict_command, sizes_command
from sweeper.analysis.remarks.remark import Offer
from sweeper.analysis.scaling.learning_rate_law import OCTAVE, SCATTER_PRIOR
from sweeper.analysis.scaling.predicting import FEWEST_SIZES, Target, predict
from sweeper.analysis.scaling.priors import Exponents, learning_rate_prior
from sweeper.analysis.scaling.sizes import LEARNING_RATE, learning_rates
from sweeper.errors import PredictionError, TooFewFlopsError
from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.model.model_size import flops_per_token, matrix_params

LARGER = 10  # times the largest size, of which an offer is made
TIMES_SPENT = (1, 2, 5, 10, 20, 50, 100)  # what an offered proposal may cost, beside its sweep
TOKENS_PER_PARAMETER = 20  # about what is best for its FLOPs (https://arxiv.org/abs/2203.15556)
MOST_SIZES = 5
RATIOS = (5, 10, 20, 40)  # tokens a parameter
STEP = 2.0  # from one size to the next, in parameters
LONGER = 4  # times the tokens, for one size in the middle
NARROWEST, MOST_WIDTHS = 32, 128  # the least width, and how many are looked at
SHORTEST = 200  # steps: a shorter run is mostly warmup
BATCH_EXPONENT = 0.571  # the best batch grows so with the tokens (Step Law, arXiv 2503.04715)
OPTIMUM_DEVIATION = 0.2 * OCTAVE  # of a size's best; docs/answer.md has half-widths of 0.2 to 0.4
# Towards a time: the first guess, how often, and the share of the time that is enough.
GUESSED_SPEED, GUESSES, SPENT, MARGIN = 2e10, 4, 0.7, 0.95  # FLOPs a second
WITHIN_80 = 1.2816  # deviations to each side


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The configs to sweep learning rates at, from the smallest; those of one size may differ in
    their tokens. `octaves`: how wide an 80 % interval they would leave at the target."""

    params: int  # of the target
    tokens: int
    configs: tuple[TrainConfig, ...]
    num_rates: int
    flops: float
    octaves: float


def propose(
    base: TrainConfig, params: int, tokens: int, *, num_rates: int, flops: float
) -> Proposal:
    """The best of some designs: 3 to 5 sizes, each twice the one before, of the depth and the size
    of heads of `base`, at 5 to 40 tokens a parameter, and one in the middle for four times as long.

    Args:
        num_rates: Learning rates at each size.
        flops: That all trials together may cost.

    Raises:
        TooFewFlopsError: the budget is too small for any of them.
        PredictionError: the target is.
    """
    prior = learning_rate_prior(base.parametrisation, same_batch=False)
    found = []
    least = math.inf
    for configs in _designs(base, params):
        cost = num_rates * sum(tokens_of(c) * float(flops_per_token(c)) for c in configs)
        least = min(least, cost)
        if cost <= flops:
            sizes = [(matrix_params(c), tokens_of(c)) for c in configs]
            width = 2 * WITHIN_80 * _deviation(sizes, (params, tokens), prior) / OCTAVE
            found.append((width, cost, configs))
    if not found:
        raise _refusal(base, params, flops, least)
    width, cost, configs = min(found, key=lambda each: each[:2])
    return Proposal(
        params=params,
        tokens=tokens,
        configs=configs,
        num_rates=num_rates,
        flops=cost,
        octaves=width,
    )


def propose_within(
    offer: Callable[[float], Proposal], seconds_of: Callable[[Proposal], float], seconds: float
) -> tuple[Proposal, float]:
    """The most telling of some proposals that take no longer, and the seconds that it takes.

    Args:
        offer: Makes one for so many FLOPs.
        seconds_of: Measures how long it takes here: how many FLOPs a second a machine computes
            depends on the sizes.

    Raises:
        PredictionError: all that were tried take longer; the target is too small.
    """
    found: list[tuple[Proposal, float]] = []
    flops = GUESSED_SPEED * seconds
    for _ in range(GUESSES):
        try:
            proposal = offer(flops)
        except TooFewFlopsError as error:
            if any(tried.flops <= error.least for tried, _ in found):
                break
            proposal = offer(error.least)  # only its time here says whether that is too much
        found.append((proposal, seconds_of(proposal)))
        share = found[-1][1] / seconds
        if SPENT <= share <= 1:
            break
        flops = proposal.flops * MARGIN / share
    fitting = [each for each in found if each[1] <= seconds]
    if not fitting:
        least = math.ceil(min(taken for _, taken in found))
        raise PredictionError(
            f"plan --for: --time: of the sweeps that were looked at, the shortest takes "
            f"{least} s here. Allow as much (--time {least}s), or lower train.num_layers"
        )
    return min(fitting, key=lambda each: each[0].octaves)


def _refusal(base: TrainConfig, params: int, flops: float, least: float) -> PredictionError:
    layers = f"of {base.num_layers} layers"
    if least == math.inf:
        return PredictionError(
            f"plan --for: {layers} no three are small enough beside {params:,} parameters. Ask for "
            f"a larger one, or lower train.num_layers"
        )
    return TooFewFlopsError(
        f"plan --for: {flops:.1e} FLOPs are too few for three sizes {layers}: the smallest of them "
        f"need {_rounded_up(least):.1e}. Allow as many with --flops, or lower train.num_layers",
        least=least,
    )


def _rounded_up(flops: float) -> float:
    """To two digits: whoever allows as many has enough."""
    unit = 10.0 ** (math.floor(math.log10(flops)) - 1)
    return math.ceil(flops / unit) * unit


def tokens_of(config: TrainConfig) -> int:
    return config.max_steps * config.batch_size * config.context_length


def _designs(base: TrainConfig, params: int) -> Iterator[tuple[TrainConfig, ...]]:
    narrowest = -(-NARROWEST // base.head_dim)
    widths = [_shaped(base, heads) for heads in range(narrowest, narrowest + MOST_WIDTHS)]
    smaller = [config for config in widths if matrix_params(config) * STEP <= params]
    for ratio in RATIOS:
        for first in range(len(smaller)):
            sizes = [smaller[first]]
            for config in smaller[first + 1 :]:
                if len(sizes) < MOST_SIZES and matrix_params(config) >= STEP * matrix_params(
                    sizes[-1]
                ):
                    sizes.append(config)
                    if len(sizes) >= FEWEST_SIZES:
                        yield tuple(_trained(base, sizes, ratio))


def _shaped(base: TrainConfig, heads: int) -> TrainConfig:
    """A model of so many heads, as deep as the base and of its proportions."""
    width = heads * base.head_dim
    return replace(
        base,
        d_model=width,
        num_heads=heads,
        num_kv_heads=None,
        d_ff=max(4, 4 * round(base.d_ff * width / base.d_model / 4)),
        warmup_steps=0,
    )


def _trained(base: TrainConfig, sizes: Sequence[TrainConfig], ratio: int) -> Iterator[TrainConfig]:
    """Each at this ratio, and one in the middle for longer."""
    middle = sizes[(len(sizes) - 1) // 2]
    horizons = [(config, ratio * matrix_params(config)) for config in sizes]
    horizons.append((middle, LONGER * ratio * matrix_params(middle)))
    least = horizons[0][1]
    for config, tokens in horizons:
        batch = max(1, round(base.batch_size * (tokens / least) ** BATCH_EXPONENT))
        steps = max(SHORTEST, round(tokens / (batch * base.context_length)))
        yield replace(config, batch_size=batch, max_steps=steps)


def _deviation(
    sizes: Sequence[tuple[int, int]], target: tuple[int, int], prior: Exponents
) -> float:
    """Of the logarithm of the target's best learning rate, after such a sweep: as in the law, at
    the scatter that is usual."""
    logs = np.log(sizes)
    centre = logs.mean(axis=0)
    design = np.hstack([np.ones((len(sizes), 1)), logs - centre])
    noise = OPTIMUM_DEVIATION**2 + SCATTER_PRIOR**2
    known = np.diag([0, prior.params_spread**-2, prior.tokens_spread**-2])
    precision = design.T @ design / noise + known
    there = np.append(1.0, np.log(target) - centre)
    return float(np.sqrt(there @ np.linalg.solve(precision, there) + SCATTER_PRIOR**2))


def offer_of(sweep: SweepData) -> Offer | None:
    """Of a sweep over learning rates and sizes: what a larger model wants, or else the sizes that
    would tell it for what this sweep has cost. None where neither can be said."""
    names = {parameter.name for parameter in sweep.parameters}
    if LEARNING_RATE not in names or not any(p.changes_size for p in sweep.parameters):
        return None
    try:
        predict(sweep, Target(scale=LARGER))
    except PredictionError:
        return _sizes_offer(sweep)
    return Offer(
        purpose="What a model of ten times the size wants", command=predict_command(sweep, LARGER)
    )


def _sizes_offer(sweep: SweepData) -> Offer | None:
    """For as little more than what this sweep has cost as will do."""
    trials = sorted(sweep.trials, key=lambda trial: trial.trial_id)
    spent = sum((trial.max_steps or 0) * (trial.flops_per_step or 0) for trial in trials)
    if sweep.spec is None or not spent:
        return None
    try:
        configs = [TrainConfig.from_mapping(trial.config) for trial in trials]
        rates = len(learning_rates(sweep.spec)) * len(sweep.seeds or [0])
    except (ConfigError, PredictionError):  # settings of another version; no listed rates
        return None
    params = LARGER * max(map(matrix_params, configs))
    for times in TIMES_SPENT:
        with suppress(PredictionError):
            tokens, flops = TOKENS_PER_PARAMETER * params, times * spent
            propose(configs[0], params, tokens, num_rates=rates, flops=flops)
            return Offer(
                purpose=(
                    "See which sizes would tell what a model of ten times the size wants, for "
                    f"{times:g} times what this sweep has cost"
                ),
                command=sizes_command(sweep, params, flops),
            )
    return None
