"""Which swept names matter most: PED-ANOVA (Watanabe et al., https://arxiv.org/abs/2304.10255)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.summary.levels import Level, common_level

MIN_TRIALS = 10  # fewer say nothing
MIN_TOP = 5  # trials to count as the best, as Optuna advises
TOP_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much each name decides whether a trial is among the best `top_share` of the trials at a
    level: as shares that sum to 1, largest first. `num_trials` reached that level."""

    shares: tuple[tuple[str, float], ...]
    level: Level
    num_trials: int
    top_share: float


def importance_of(sweep: SweepData, levels: Sequence[Level]) -> Importance | None:
    """At the deepest level that most of the trials reached, if these are enough; else where the
    most of them got.

    Returns:
        None if only one name is swept, or too few trials got there.
    """
    level = common_level(sweep, levels, MIN_TRIALS)
    if len(sweep.parameters) < 2 or level is None:
        return None
    names = {parameter.name for parameter in sweep.parameters}
    trials = [t for t in sweep.trials if t.trial_id in level.values and names <= t.point.keys()]
    if len(trials) < MIN_TRIALS:
        return None
    share = max(TOP_SHARE, MIN_TOP / len(trials))
    shares = _ped_anova(sweep, trials, level, share)
    total = sum(shares.values())
    if not total > 0:
        return None
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return Importance(
        shares=tuple((name, value / total) for name, value in ordered),
        level=level,
        num_trials=len(trials),
        top_share=share,
    )


def _ped_anova(
    sweep: SweepData, trials: Sequence[TrialData], level: Level, share: float
) -> dict[str, float]:
    import optuna  # takes a second

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="minimize" if sweep.mode == "min" else "maximize")
    space = {parameter.name: _distribution(parameter, trials) for parameter in sweep.parameters}
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={p.name: _param(p, trial) for p in sweep.parameters},
                distributions=space,
                value=level.values[trial.trial_id],
            )
            for trial in trials
        ]
    )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=share)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _param(parameter: Parameter, trial: TrialData) -> Any:
    value = trial.point[parameter.name]
    return str(value) if parameter.scale == "category" else value


def _distribution(parameter: Parameter, trials: Sequence[TrialData]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    tried = [trial.point[parameter.name] for trial in trials]
    if parameter.scale == "category":
        return CategoricalDistribution(
            [str(v) for v in dict.fromkeys((*parameter.options, *tried))]
        )
    numbers = [float(value) for value in tried if isinstance(value, int | float)]
    ends = [end for end in (parameter.low, parameter.high) if end is not None]
    low, high = min([*numbers, *ends]), max([*numbers, *ends])
    return FloatDistribution(low, high, log=parameter.scale == "log")
