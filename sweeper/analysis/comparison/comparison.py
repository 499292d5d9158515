"""What sweeps have in common, and what each of them has found: values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose

from sweeper.analysis.comparison.lead import Lead
from sweeper.analysis.comparison.likeness import tokens_of_best, unlike_of
from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.summary.ends import ends_of
from sweeper.analysis.summary.levels import levels_of
from sweeper.analysis.summary.optimum import OptimumInterval, optima_of
from sweeper.analysis.summary.response import Response, responses_of
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status

MAX_VALUES = 20  # of a swept name, beyond which a table of them helps nobody
UNCOMPARED = (
    "name", "description", "resources", "max_concurrent", "max_retries", "checkpoints", "max_spend",
    "share", "notify",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A sweep under the name that it is compared by."""

    name: str
    sweep: SweepData
    spec: SweepSpec


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a sweep has spent, and what it has found. None: not measured, or no winner yet."""

    name: str
    state: str
    num_trials: int
    num_ended: int
    num_completed: int
    tokens: int
    flops: int
    train_seconds: float  # of all trials together
    best_trial: str | None
    best_values: Point  # its point
    num_seeds: int | None  # of its point that have completed
    best_step: int | None
    best_tokens: int | None  # that it was trained on
    best_objective: float | None  # the mean over the seeds of its point
    stands_by: float | None  # what is compared in its place: corrected for what its seeds do
    val_loss: float | None  # its own, as what follows
    val_perplexity: float | None
    val_bits_per_byte: float | None
    set_losses: Mapping[str, float]  # of validation sets with a name, by metric


@dataclass(frozen=True)
class Difference:
    """A setting that the sweeps do not share, with its value in each; None where it is absent."""

    setting: str
    values: tuple[object, ...]


@dataclass(frozen=True)
class ValueRow:
    """A swept value, and the best objective that it has led to in each sweep."""

    value: Scalar
    objectives: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several sweeps side by side, in the order in which they were named."""

    metric: str
    outcomes: tuple[Outcome, ...]
    differences: tuple[Difference, ...]
    by_value: Mapping[str, tuple[ValueRow, ...]]  # swept name -> its values, in order
    unlike: tuple[str, ...]  # why it cannot be said which is ahead
    caveats: tuple[str, ...]  # why what is compared is not quite the same
    best: str | None  # the sweep that is ahead; None: tied, or there is none
    margin: float | None  # to the next one; None: there is none
    chance: float | None  # a lead that can be chance; None: not known


def compare(contenders: Sequence[Contender]) -> Comparison:
    """Side by side. The metric is the sweeps' own where they agree, else the validation loss."""
    alike = measured_alike(contenders)
    assert len({c.name for c in contenders}) == len(contenders), "a name for each"
    own = {c.name: winner.trial_id for c in contenders if (winner := c.sweep.ranking.winner)}
    lead = Lead({c.name: sweep for c, sweep in zip(contenders, alike, strict=True)}, own)
    won = {name: sweep for name, sweep in lead.sweeps.items() if sweep.ranking.best}
    unlike = tuple(unlike_of(won, [c.spec.data for c in contenders if c.name in won]))
    values = [
        _own_values(sweep) if unlike else lead.values(contender.name)
        for contender, sweep in zip(contenders, alike, strict=True)
    ]
    outcomes = tuple(map(_outcome, contenders, alike, values))
    margin = None if unlike else lead.margin
    return Comparison(
        metric=alike[0].metric,
        outcomes=outcomes,
        differences=tuple(_differences([c.spec for c in contenders])),
        by_value=_by_value(alike, values),
        unlike=unlike,
        caveats=tuple(_caveats(contenders, outcomes, None if unlike else lead)),
        best=next(iter(lead.order), None) if not unlike and margin != 0 else None,
        margin=margin,
        chance=None if unlike else lead.chance,
    )


def measured_alike(contenders: Sequence[Contender]) -> list[SweepData]:
    """The sweeps, with one and the same metric; the trials keep the order of their own."""
    sweeps = [contender.sweep for contender in contenders]
    if len({(sweep.metric, sweep.mode) for sweep in sweeps}) == 1:
        return sweeps
    return [by_loss(sweep) for sweep in sweeps]


def by_loss(sweep: SweepData) -> SweepData:
    """The sweep as if the validation loss had been its objective."""
    trials = (
        replace(
            t, forecast=None, evaluations=tuple(replace(e, value=e.loss) for e in t.evaluations)
        )
        for t in sweep.trials
    )
    return replace(sweep, metric="val_loss", mode="min", trials=tuple(trials), arrivals=())


def best_responses(sweep: SweepData) -> dict[str, Response]:
    """By swept name: the best at each of its values, whatever else was swept."""
    responses = responses_of(sweep, levels_of(sweep), grouped=False)
    return {response.parameter.name: response for response in responses}


def best_optima(sweep: SweepData) -> tuple[OptimumInterval, ...]:
    """Where the best of each numeric setting lies, whatever else was swept."""
    return optima_of(sweep, levels_of(sweep), ends_of(sweep), grouped=False)


def _own_values(sweep: SweepData) -> dict[str, float]:
    """What each point stands by beside the others of its own sweep, by the ids of its trials."""
    value_of = sweep.ranking.value_of
    return {t.trial_id: value_of(p) for p in sweep.ranking.points for t in p.completed}


def _outcome(contender: Contender, alike: SweepData, values: Mapping[str, float]) -> Outcome:
    sweep = contender.sweep
    best = sweep.ranking.best
    trial = None if best is None else best.best
    means = {t.trial_id: p.mean for p in alike.ranking.points for t in p.completed}
    mean, value = (None if trial is None else of.get(trial.trial_id) for of in (means, values))
    same = mean is None or value is None or isclose(mean, value)
    return Outcome(
        name=contender.name,
        state=sweep.state,
        num_trials=len(sweep.trials) if sweep.num_planned is None else sweep.num_planned,
        num_ended=sum(t.status.ended for t in sweep.trials),
        num_completed=sum(t.status is Status.COMPLETED for t in sweep.trials),
        tokens=round(sum(t.own_share * t.step * (t.tokens_per_step or 0) for t in sweep.trials)),
        flops=round(sum(t.own_share * t.step * (t.flops_per_step or 0) for t in sweep.trials)),
        train_seconds=sum(t.own_share * (t.seconds or 0.0) for t in sweep.trials),
        best_trial=None if trial is None else trial.trial_id,
        best_values={} if best is None else best.point,
        num_seeds=None if best is None else len(best.completed),
        best_step=None if trial is None else trial.step,
        best_tokens=tokens_of_best(sweep),
        best_objective=mean,
        stands_by=None if same else value,
        val_loss=None if trial is None else trial.loss,
        val_perplexity=None if trial is None else trial.perplexity,
        val_bits_per_byte=None if trial is None else trial.bits_per_byte,
        set_losses={} if trial is None else trial.set_losses,
    )


def _differences(specs: Sequence[SweepSpec]) -> list[Difference]:
    flat = [dict(_flat(spec.model_dump())) for spec in specs]
    names = list(dict.fromkeys(name for settings in flat for name in settings))
    values = {name: tuple(settings.get(name) for settings in flat) for name in names}
    return [
        Difference(name, each)
        for name, each in values.items()
        if any(repr(value) != repr(each[0]) for value in each)
    ]


def _flat(settings: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    """Settings with dots between the levels, as `--set` names them; a domain is one value."""
    found: list[tuple[str, object]] = []
    for key, value in settings.items():
        if not prefix and key in UNCOMPARED:
            continue
        if isinstance(value, Mapping) and prefix != "space.":
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", _without_nulls(value) if prefix == "space." else value))
    return found


def _without_nulls(domain: object) -> object:
    if not isinstance(domain, Mapping):
        return domain
    return {key: value for key, value in domain.items() if value is not None}


def _by_value(
    sweeps: Sequence[SweepData], values_of: Sequence[Mapping[str, float]]
) -> dict[str, tuple[ValueRow, ...]]:
    """For names of which sweeps have tried the same values, where these are few. What was stopped
    counts where it was compared last; the end counts where a trial of the value got there."""
    found = {}
    names = [parameter.name for sweep in sweeps for parameter in sweep.parameters]
    for name in [n for n in dict.fromkeys(names) if names.count(n) > 1]:
        columns = [_best_by_value(*each, name) for each in zip(sweeps, values_of, strict=True)]
        tried = [value for column in columns for value in column]
        values = list(dict.fromkeys(tried))
        if len(values) < len(tried) and 1 < len(values) <= MAX_VALUES:
            found[name] = tuple(
                ValueRow(value, tuple(column.get(value) for column in columns))
                for value in sorted(values, key=_order)
            )
    return found


def _best_by_value(
    sweep: SweepData, values: Mapping[str, float], name: str
) -> dict[Scalar, float | None]:
    """Of every value that was tried; None where no trial of it got to where trials compare."""
    best: dict[Scalar, float | None] = {
        trial.point[name]: None for trial in sweep.trials if name in trial.point
    }
    response = best_responses(sweep).get(name)
    for curve in () if response is None else response.curves:  # the last level of a value counts
        at_end = values if curve.level.is_end else {}
        best |= {each.x: at_end.get(each.trial_id, each.value) for each in curve.samples}
    return best


def _order(value: Scalar) -> tuple[bool, float, str]:
    """Numbers by size, then words."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return False, float(value), ""
    return True, 0.0, str(value)


def _caveats(
    contenders: Sequence[Contender], outcomes: Sequence[Outcome], lead: Lead | None
) -> list[str]:
    """With those about who is ahead, where that can be said."""
    specs = [contender.spec for contender in contenders]
    caveats = [f"{c.name}: {note}" for c in contenders for note in c.sweep.notes]
    if len({(spec.objective.metric, spec.objective.mode) for spec in specs}) > 1:
        caveats.append("Their objectives differ: compared by validation loss.")
    if lead is not None:
        caveats += lead.caveats
    unfinished = [outcome.name for outcome in outcomes if outcome.state != "finished"]
    if unfinished:
        caveats.append(f"Not finished: {', '.join(unfinished)}.")
    return caveats
