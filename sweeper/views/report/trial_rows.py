"""Every trial: the rows of the table, and what the page shows of the one that is chosen."""

from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.domains.values import Scalar, Settings
from sweeper.spec.points import swept_text
from sweeper.views.format import count, likely, number


@dataclass(frozen=True, kw_only=True)
class TableCell:
    """`key` is what the column is sorted by, if not by the text. Cells without text come last."""

    text: str
    key: str | None = None
    is_number: bool = True


@dataclass(frozen=True, kw_only=True)
class TableRow:
    trial_id: str
    status: str
    cells: tuple[TableCell, ...]
    error: str  # the error's last line
    origin: str  # which trial of another sweep it is
    is_winner: bool


@dataclass(frozen=True, kw_only=True)
class TrialTable:
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    statuses: tuple[tuple[str, int], ...]  # each with the number of its trials


def trial_table(summary: Summary) -> TrialTable:
    """A row for each trial, best first."""
    sweep = summary.sweep
    winner = summary.winner.trial.trial_id if summary.winner else None
    names = [parameter.name for parameter in sweep.parameters]
    columns = [_heading(sweep.metric)]  # first: a phone shows it
    columns += ["likely end"] if _is_foretold(sweep) else []
    columns += [*names, *(["seed"] if sweep.repeated else []), "step"]
    columns += [_heading(metric) for metric in sweep.set_metrics]
    columns += [*(["perplexity"] if sweep.metric != "val_perplexity" else []), "tokens/s"]
    rows = [
        TableRow(
            trial_id=trial.trial_id,
            status=str(trial.status),
            cells=_cells(sweep, names, trial),
            error=_last_line(trial.error),
            origin=_origin(trial),
            is_winner=trial.trial_id == winner,
        )
        for trial in sweep.trials
    ]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    return TrialTable(columns=tuple(columns), rows=tuple(rows), statuses=tuple(counts.items()))


def _heading(metric: str) -> str:
    return metric.removeprefix("val_").replace("_", " ")


def _origin(trial: TrialData) -> str:
    if trial.taken_from is not None:
        return f"taken from {trial.taken_from}"
    trunk = _trunk(trial)
    return f"forked from {trunk}" if trunk else ""


def _trunk(trial: TrialData) -> str:
    known = trial.forked_from is not None
    return f"trial {trial.forked_from} at step {trial.forked_at}" if known else ""


def _cells(sweep: SweepData, names: list[str], trial: TrialData) -> tuple[TableCell, ...]:
    cells = [_number_cell(trial.value, number(trial.value))]
    if _is_foretold(sweep):
        end = trial.forecast
        cells.append(_number_cell(end.mean, likely(end)) if end else _blank())
    cells += [_value_cell(trial.point[n]) if n in trial.point else _blank() for n in names]
    if sweep.repeated:
        cells.append(_number_cell(trial.seed, "-" if trial.seed is None else str(trial.seed)))
    of = "" if trial.max_steps is None else f"/{trial.max_steps}"
    cells.append(_number_cell(trial.step, f"{trial.step}{of}"))
    losses = (trial.set_losses.get(metric) for metric in sweep.set_metrics)
    cells += [_number_cell(loss, number(loss)) for loss in losses]
    if sweep.metric != "val_perplexity":
        cells.append(_number_cell(trial.perplexity, number(trial.perplexity, 2)))
    cells.append(_number_cell(trial.tokens_per_second, count(trial.tokens_per_second)))
    return tuple(cells)


def _is_foretold(sweep: SweepData) -> bool:
    return any(trial.forecast is not None for trial in sweep.trials)


def _value_cell(value: Scalar) -> TableCell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_cell(value, swept_text(value))
    return TableCell(text=swept_text(value), is_number=False)


def _number_cell(value: float | None, text: str) -> TableCell:
    key = "" if value is None else str(value) if isinstance(value, int) else f"{value:.9g}"
    return TableCell(text=text, key=None if key == text else key)


def _blank() -> TableCell:
    return TableCell(text="", is_number=False)


def _last_line(error: str | None) -> str:
    lines = (error or "").strip().splitlines()
    return lines[-1] if lines else ""


def shared_config(sweep: SweepData) -> Settings:
    """The settings that all trials have in common."""
    configs = [trial.config for trial in sweep.trials]
    if not configs:
        return {}
    first, *others = configs
    return {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in others)
    }


def trial_details(sweep: SweepData) -> dict[str, dict[str, object]]:
    """What the page shows of a chosen trial beside its row, by the trial's id. Of its config, only
    what not all trials share and no column shows."""
    shared = shared_config(sweep).keys() | {parameter.name for parameter in sweep.parameters}
    details: dict[str, dict[str, object]] = {}
    for trial in sweep.trials:
        config = {k: swept_text(v) for k, v in trial.config.items() if k not in shared}
        facts = {
            "parameters": count(trial.num_params),
            "checkpoint": trial.checkpoint,
            "taken from": trial.taken_from,
            "forked from": _trunk(trial),
            "stopped": "by hand" if trial.stopped_by_hand else "",
        }
        known = {name: text for name, text in facts.items() if text and text != "-"}
        details[trial.trial_id] = {"facts": known, "config": config}
        if trial.error:
            details[trial.trial_id]["error"] = trial.error
    return details
