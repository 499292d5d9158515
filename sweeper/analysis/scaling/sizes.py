"""The sizes of a sweep: each number of parameters and tokens that learning rates were swept at,
with the best of these."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sweeper.analysis.comparison.comparison import by_loss
from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.remarks.next_sweeps import extended
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from sweeper.analysis.summary.ends import ends_of
from sweeper.analysis.summary.levels import levels_of
from sweeper.analysis.summary.optimum import FEWEST, optima_of
from sweeper.errors import PredictionError
from sweeper.spec.domains.listed import Grid
from sweeper.spec.domains.scale import numbers_of
from sweeper.spec.points import swept_text
from sweeper.spec.sweep_spec import SweepSpec
from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.model.model_size import matrix_params
from trainable.validation_sets import set_of

LEARNING_RATE = "learning_rate"
LAWFUL = ("val_loss", "val_bits_per_byte", "val_loss_ema", "train_loss")  # that go as a power law
LIKE = "Sweep learning_rate at three or more sizes, as search_spaces/transfer.yaml does"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A size whose best learning rate is not known, and what would tell it."""

    params: int
    tokens: int
    why: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class SweptSizes:
    """From the least compute to the most."""

    metric: str
    config: TrainConfig  # of the largest; the others share its parametrisation
    known: tuple[SizeOptimum, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Group:
    config: TrainConfig
    trials: tuple[TrialData, ...]

    @property
    def params(self) -> int:
        return matrix_params(self.config)

    @property
    def batch_tokens(self) -> int:
        return self.config.batch_size * self.config.context_length

    @property
    def tokens(self) -> int:
        return self.config.max_steps * self.batch_tokens


def sizes_of(sweep: SweepData) -> SweptSizes:
    """Each size by itself: what the others found has no say in where its best lies, since a law is
    to be told from how they differ.

    Raises:
        PredictionError: learning rates were not swept, or under several parametrisations.
    """
    if LEARNING_RATE not in {parameter.name for parameter in sweep.parameters}:
        swept = ", ".join(parameter.name for parameter in sweep.parameters) or "nothing"
        raise PredictionError(
            f"{sweep.name}: not a sweep over learning rates: `space` has {swept}. {LIKE}."
        )
    is_lawful = sweep.metric in LAWFUL or set_of(sweep.metric) is not None
    sweep = sweep if is_lawful and sweep.mode == "min" else by_loss(sweep)
    if not sweep.is_ours:
        raise PredictionError(f"{sweep.name}: of another trainer's models the sizes are not known")
    groups = sorted(_groups(sweep), key=lambda group: group.params * group.tokens)
    if not groups:
        raise PredictionError(f"{sweep.name}: no trial has been evaluated yet. Wait, or resume it.")
    kinds = sorted({group.config.parametrisation for group in groups})
    if len(kinds) > 1:
        raise PredictionError(
            f"{sweep.name}: space.parametrisation: swept ({', '.join(kinds)}), and each has a law "
            f"of its own. Sweep one: --set train.parametrisation={kinds[0]}"
        )
    found = [_optimum(sweep, group) for group in groups]
    return SweptSizes(
        metric=sweep.metric,
        config=groups[-1].config,
        known=tuple(each for each in found if isinstance(each, SizeOptimum)),
        left_out=tuple(each for each in found if isinstance(each, LeftOut)),
    )


def learning_rates(spec: SweepSpec) -> list[float]:
    """Those that a search space lists.

    Raises:
        PredictionError: too few for a size to show its best, or none are listed.
    """
    domain = spec.space.get(LEARNING_RATE)
    listed = numbers_of(domain.values()) if isinstance(domain, Grid) else None
    if listed is None or len(listed) < FEWEST:
        example = "{grid: [1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2]}"
        raise PredictionError(
            f"{spec.name}: space.{LEARNING_RATE}: must list {FEWEST} or more at which each size is "
            f"swept, as {example}"
        )
    return listed


def _groups(sweep: SweepData) -> Iterator[_Group]:
    trials: dict[tuple[int, int, str], list[TrialData]] = {}
    configs: dict[tuple[int, int, str], TrainConfig] = {}
    for trial in sweep.trials:
        if not trial.evaluations:
            continue
        try:
            config = TrainConfig.from_mapping(trial.config)
        except ConfigError:  # of another version
            continue
        tokens = config.max_steps * config.batch_size * config.context_length
        key = (matrix_params(config), tokens, str(config.parametrisation))
        configs.setdefault(key, config)
        trials.setdefault(key, []).append(trial)
    for key, config in configs.items():
        yield _Group(config, tuple(trials[key]))


def _optimum(sweep: SweepData, group: _Group) -> SizeOptimum | LeftOut:
    alone = _alone(sweep, group.trials)
    optima = optima_of(alone, levels_of(alone), ends_of(alone), grouped=False)
    found = next((optimum for optimum in optima if optimum.name == LEARNING_RATE), None)
    if found is None or found.level is not None:
        return LeftOut(
            params=group.params,
            tokens=group.tokens,
            why=f"fewer than {FEWEST} of its learning rates came to their ends",
            remedy=f"run it to the end (`resume`), with {FEWEST} or more of them",
        )
    size = SizeOptimum(
        params=group.params, tokens=group.tokens, batch_tokens=group.batch_tokens, optimum=found
    )
    if size.edge is None:
        return size
    side, end = size.edge
    parameter = next(p for p in sweep.parameters if p.name == LEARNING_RATE)
    offer = extended(sweep, [(parameter, side)], group.trials[0].point)
    beyond = f"{'below' if side == 'low' else 'above'} {swept_text(end)}"
    return LeftOut(
        params=group.params,
        tokens=group.tokens,
        why=f"its best learning rate lies at the edge of what was tried, or {beyond}",
        remedy=offer.command if offer else f"sweep {LEARNING_RATE} {beyond} too",
    )


def _alone(sweep: SweepData, trials: Sequence[TrialData]) -> SweepData:
    """These trials as a sweep of their own, over what is not the same in all of them."""
    ids = {trial.trial_id for trial in trials}
    varying = (
        parameter
        for parameter in sweep.parameters
        if len({repr(trial.point.get(parameter.name)) for trial in trials}) > 1
    )
    return replace(
        sweep,
        trials=tuple(trials),
        parameters=tuple(varying),
        arrivals=tuple(arrival for arrival in sweep.arrivals if arrival.trial_id in ids),
    )
