"""What sweeps have in common and what came of each: a pure function of their states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.record.ranking import best_trial, objective, ranked
from sweeper.record.state.sweep_state import SweepState, Trial
from sweeper.spec.domains.values import Scalar
from trainable.model.model_size import flops_per_token

MAX_VALUES = 20  # of a swept name, beyond which a table of them helps nobody
UNCOMPARED = ("name", "description", "resources", "max_concurrent", "max_retries", "checkpoints")


@dataclass(frozen=True)
class Contender:
    """A sweep under the name that it is compared by."""

    name: str
    state_name: str
    num_trials: int
    state: SweepState


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
    best_values: Mapping[str, Scalar]
    best_step: int | None
    best_objective: float | None
    val_loss: float | None
    val_perplexity: float | None
    val_bits_per_byte: float | None


@dataclass(frozen=True)
class Difference:
    """A setting that the sweeps do not share, with its value in each; None where it is absent."""

    setting: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class ValueRow:
    """A swept value, and the best objective that trials of it have reached in each sweep."""

    value: Scalar
    objectives: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several sweeps side by side, in the order in which they were named."""

    metric: str
    outcomes: tuple[Outcome, ...]
    differences: tuple[Difference, ...]
    by_value: Mapping[str, tuple[ValueRow, ...]]  # swept name -> its values, in order
    caveats: tuple[str, ...]  # why what is compared is not quite the same
    best: str | None  # the sweep that is ahead; None: tied, or there is none
    margin: float | None  # to the next one; None: there is none


def compare(contenders: Sequence[Contender]) -> Comparison:
    """Side by side. The metric is the sweeps' own where they agree, else the validation loss."""
    metric, mode = _objective(contenders)
    outcomes = tuple(_outcome(contender, metric) for contender in contenders)
    best, margin = _ahead(outcomes, mode)
    return Comparison(
        metric=metric,
        outcomes=outcomes,
        differences=tuple(_differences([c.state for c in contenders])),
        by_value=_by_value([c.state for c in contenders], metric, mode),
        caveats=tuple(_caveats(contenders, outcomes)),
        best=best,
        margin=margin,
    )


def _objective(contenders: Sequence[Contender]) -> tuple[str, str]:
    objectives = {(c.state.spec.objective.metric, c.state.spec.objective.mode) for c in contenders}
    return objectives.pop() if len(objectives) == 1 else ("val_loss", "min")


def _outcome(contender: Contender, metric: str) -> Outcome:
    state = contender.state
    last = [(t, seen) for t in state.trials.values() if (seen := t.last_evaluation)]
    best = best_trial(state)
    of_best = best.last_evaluation if best is not None else None
    return Outcome(
        name=contender.name,
        state=contender.state_name,
        num_trials=contender.num_trials,
        num_ended=sum(trial.status.ended for trial in state.trials.values()),
        num_completed=sum(trial.status == "completed" for trial in state.trials.values()),
        tokens=sum(seen.tokens or 0 for _, seen in last),
        flops=sum((seen.tokens or 0) * flops_per_token(trial.config) for trial, seen in last),
        train_seconds=sum(seen.train_seconds or 0.0 for _, seen in last),
        best_trial=None if best is None else best.trial_id,
        best_values={} if best is None else best.values,
        best_step=of_best.step if of_best else None,
        best_objective=of_best.value(metric) if of_best else None,
        val_loss=of_best.val_loss if of_best else None,
        val_perplexity=of_best.val_perplexity if of_best else None,
        val_bits_per_byte=of_best.val_bits_per_byte if of_best else None,
    )


def _ahead(outcomes: Sequence[Outcome], mode: str) -> tuple[str | None, float | None]:
    """The sweep with the best winner, and by how much."""
    won = [(o.best_objective, o.name) for o in outcomes if o.best_objective is not None]
    won.sort(key=lambda pair: pair[0], reverse=mode == "max")
    if not won:
        return None, None
    margin = abs(won[1][0] - won[0][0]) if len(won) > 1 else None
    return None if margin == 0 else won[0][1], margin


def _differences(states: Sequence[SweepState]) -> list[Difference]:
    flat = [dict(_flat(state.spec.model_dump())) for state in states]
    names = list(dict.fromkeys(name for settings in flat for name in settings))
    values = {name: tuple(settings.get(name) for settings in flat) for name in names}
    return [
        Difference(name, each)
        for name, each in values.items()
        if any(repr(value) != repr(each[0]) for value in each)
    ]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Settings with dots between the levels, as `--set` names them; a domain is one value."""
    found: list[tuple[str, Any]] = []
    for key, value in settings.items():
        if not prefix and key in UNCOMPARED:
            continue
        if isinstance(value, Mapping) and prefix != "space.":
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", _without_nulls(value) if prefix == "space." else value))
    return found


def _without_nulls(domain: Any) -> Any:
    if not isinstance(domain, Mapping):
        return domain
    return {key: value for key, value in domain.items() if value is not None}


def _by_value(
    states: Sequence[SweepState], metric: str, mode: str
) -> dict[str, tuple[ValueRow, ...]]:
    """For names of which sweeps have tried the same values, where these are few."""
    found = {}
    names = [name for state in states for name in state.spec.swept_names()]
    for name in [n for n in dict.fromkeys(names) if names.count(n) > 1]:
        columns = [_best_by_value(state, name, metric, mode) for state in states]
        tried = [value for column in columns for value in column]
        values = list(dict.fromkeys(tried))
        if len(values) < len(tried) and 1 < len(values) <= MAX_VALUES:
            found[name] = tuple(
                ValueRow(value, tuple(column.get(value) for column in columns))
                for value in sorted(values, key=_order)
            )
    return found


def _best_by_value(
    state: SweepState, name: str, metric: str, mode: str
) -> dict[Scalar, float | None]:
    """Of the trials that came furthest: a trial that was stopped early has not had its chance."""
    best: dict[Scalar, float | None] = {}
    furthest: dict[Scalar, int] = {}
    for trial in state.trials.values():
        if name not in trial.values:
            continue
        value, reached = trial.values[name], _reached(trial, metric)
        old = best.setdefault(value, None)
        if reached is None or trial.step < furthest.get(value, 0):
            continue
        better = old is None or trial.step > furthest[value]
        if better or (reached < old if mode == "min" else reached > old):  # type: ignore[operator]
            best[value], furthest[value] = reached, trial.step
    return best


def _reached(trial: Trial, metric: str) -> float | None:
    last = trial.last_evaluation
    return None if last is None else last.value(metric)


def _order(value: Scalar) -> tuple[bool, float, str]:
    """Numbers by size, then words."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return not is_number, float(value) if is_number else 0.0, str(value)  # type: ignore[arg-type]


def _caveats(contenders: Sequence[Contender], outcomes: Sequence[Outcome]) -> list[str]:
    specs = [contender.state.spec for contender in contenders]
    caveats = []
    if len({spec.data for spec in specs}) > 1:
        caveats.append("They trained on different data: the losses do not compare.")
    if len({spec.train.get("vocab_size") for spec in specs}) > 1:
        caveats.append("Their vocabularies differ: compare bits per byte, not losses.")
    if len({(spec.objective.metric, spec.objective.mode) for spec in specs}) > 1:
        caveats.append("Their objectives differ: compared by validation loss.")
    if len({outcome.best_step for outcome in outcomes} - {None}) > 1:
        caveats.append("Their winners were trained for different numbers of steps.")
    unfinished = [outcome.name for outcome in outcomes if outcome.state != "finished"]
    if unfinished:
        caveats.append(f"Not finished: {', '.join(unfinished)}.")
    return caveats


def curve(trial: Trial, metric: str) -> list[tuple[int, float]]:
    """Tokens and the metric, at every evaluation that has one."""
    seen = ((evaluation.tokens, evaluation.value(metric)) for evaluation in trial.evaluations)
    return [(tokens, value) for tokens, value in seen if tokens is not None and value is not None]


def merit(state: SweepState) -> list[Trial]:
    """Trials with an objective, best first."""
    return [trial for trial in ranked(state) if objective(state, trial) is not None]
