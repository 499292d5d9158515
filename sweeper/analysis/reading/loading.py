"""Reads a run folder into the values that a summary is computed from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sweeper.analysis.forecasts import forecasts_of
from sweeper.analysis.reading import parameters
from sweeper.analysis.reading.sweep_data import Evaluation, SweepData, TrialData
from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.in_bucket import place_here
from sweeper.errors import RunFolderError
from sweeper.record.exhibits.load import read_loads
from sweeper.record.exhibits.texts import read_texts
from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.finals import Finals
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.tables import Row, history_rows, result_rows
from sweeper.spec.columns import COLUMNS
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.settings import OURS, OWNED
from sweeper.status import Status
from sweeper.typed_json import read_json
from trainable.config import TrainConfig
from trainable.errors import ConfigError, UserError
from trainable.model.model_size import flops_per_token
from trainable.validation_sets import set_of

# Settings that differ between trials though nobody asks about them.
UNASKED = {"seed", *OWNED}


def load(folder: RunFolder) -> SweepData:
    """Everything that a run folder says, whether the sweep has ended or not.

    The journal is the truth, and the tables are made from it. If it cannot be read, the tables are
    used in its place, and `notes` say what is missing for that reason.

    Raises:
        RunFolderError: there is no sweep in it.
    """
    sweep = _named(folder)
    try:
        spec, _ = load_spec(folder.spec)
        sweep = _described(sweep, spec, folder)  # in case the journal cannot be read
        running = folder.is_locked  # asked first: what is then said last is in the journal
        state = read_state(folder)
        if not running:
            state.interrupt()
        return of_state(state, folder, running=running)
    except UserError as error:
        if not folder.results.exists():
            raise RunFolderError(str(error)) from error
        problem = str(error).splitlines()[0].rstrip(".")
        note = f"{problem}. This report is made from {folder.results.name} alone."
        return _tabulated(replace(sweep, notes=(note,)), folder)


def _named(folder: RunFolder) -> SweepData:
    name = folder.path.resolve().name
    note, texts = folder.read_note(), read_texts(folder)
    return SweepData(name=name, folder=str(folder.path), note=note, texts=texts)


def of_state(state: SweepState, folder: RunFolder, *, running: bool = False) -> SweepData:
    """The same, where it is known what the journal leads to."""
    sweep = _named(folder)
    sweep = replace(_described(sweep, state.spec, folder), finals=state.finals)
    values = {trial_id: trial.values for trial_id, trial in state.trials.items()}
    rows = [row | {"values": values[row["trial_id"]]} for row in result_rows(state, folder)]
    forecasts = forecasts_of(state)
    return replace(
        sweep,
        state="running" if running else state.outcome or "interrupted",
        trials=tuple(
            replace(trial, forecast=forecasts.get(trial.trial_id))
            for trial in _trials(sweep, rows, history_rows(state))
        ),
        num_planned=state.num_trials,
        arrivals=tuple(state.arrivals),
        sessions=tuple(state.sessions),
        stints=tuple(state.stints),
        loads=read_loads(folder.load),
    )


def _described(sweep: SweepData, spec: SweepSpec, folder: RunFolder) -> SweepData:
    """The sweep with what its search-space file says."""
    return replace(
        sweep,
        spec=spec,
        spec_text=_text(folder.spec),
        description=spec.description,
        metric=spec.objective.metric,
        mode=spec.objective.mode,
        parameters=parameters.of_spec(spec),
        seeds=tuple(spec.seeds or ()),
        finals=None if spec.finals is None else Finals(spec.finals, spec.num_seeds),
        scheduler=spec.scheduler.type,
        clock=getattr(spec.scheduler, "clock", "step"),
        reduction_factor=getattr(spec.scheduler, "reduction_factor", None),
        data=_data_meta(spec),
    )


def _tabulated(sweep: SweepData, folder: RunFolder) -> SweepData:
    """The sweep with what the tables alone say; those of an older version may lack columns."""
    rows = _read(folder.results)
    history = (
        _read(folder.history) if folder.history.exists() else [r for r in rows if r.get("step")]
    )
    if not sweep.parameters:
        sweep = replace(sweep, parameters=parameters.of_values(_varying(rows)))
    names = [parameter.name for parameter in sweep.parameters]
    for row in rows:
        row["values"] = {name: row[name] for name in names if row.get(name) is not None}
    sweep = replace(sweep, trials=_trials(sweep, rows, history))
    return replace(sweep, trials=sweep.ranking.trials)  # an older version ordered them otherwise


def _read(path: Path) -> list[Row]:
    import pyarrow.lib as arrow
    import pyarrow.parquet as pq

    try:
        rows: list[Row] = pq.read_table(path).to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise RunFolderError(f"{path}: cannot be read ({error}); restore it from a copy") from None
    if rows and "trial_id" not in rows[0]:
        raise RunFolderError(f"{path}: no table of a sweep's: it has no column trial_id")
    return rows


def _varying(rows: Sequence[Row]) -> dict[str, list[Scalar]]:
    """The columns of what was swept, as far as the table shows it: settings and names of bundles
    that are not the same in all trials. A setting that a bundle decides is left out."""
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    settings = TrainConfig.__dataclass_fields__
    swept = {
        name: column
        for name, column in columns.items()
        if (name in settings or name not in COLUMNS)
        and name not in UNASKED
        and len({repr(value) for value in column}) > 1
    }
    bundles = [column for name, column in swept.items() if name not in settings]
    return {
        name: column
        for name, column in swept.items()
        if name not in settings or not any(_follows(column, bundle) for bundle in bundles)
    }


def _follows(column: Sequence[object], bundle: Sequence[object]) -> bool:
    return len(set(zip(bundle, column, strict=True))) == len(set(bundle))


def _trials(sweep: SweepData, rows: Sequence[Row], history: Sequence[Row]) -> tuple[TrialData, ...]:
    evaluations: dict[str, list[Evaluation]] = defaultdict(list)
    for row in history:
        if row.get("step") is not None:
            evaluations[row["trial_id"]].append(
                Evaluation(
                    step=row["step"],
                    value=row.get(sweep.metric),
                    loss=row.get("val_loss"),
                    seconds=row.get("train_seconds", row.get("wall_seconds")),
                    train_loss=row.get("train_loss"),
                    grad_norm=row.get("grad_norm"),
                    learning_rate=row.get("learning_rate"),
                    set_losses=_set_losses(sweep, row),
                )
            )
    return tuple(_trial(sweep, row, evaluations[row["trial_id"]]) for row in rows)


def _trial(sweep: SweepData, row: Row, evaluations: Sequence[Evaluation]) -> TrialData:
    values: Point = dict(row["values"])
    seed = values.pop("seed", row.get("seed")) if sweep.repeated else None
    names = OURS.types if sweep.spec is None else sweep.spec.known.types
    config = {name: row[name] for name in names if name in row}
    tokens, flops = _pace(config) if sweep.is_ours else (None, None)
    return TrialData(
        trial_id=row["trial_id"],
        status=_status(row.get("status")),
        point=values,
        seed=seed if isinstance(seed, int) else None,
        config=config,
        evaluations=tuple(evaluations),
        loss=row.get("val_loss"),
        perplexity=row.get("val_perplexity"),
        bits_per_byte=row.get("val_bits_per_byte"),
        set_losses=_set_losses(sweep, row),
        tokens_per_second=row.get("tokens_per_second"),
        max_steps=row.get("max_steps"),
        num_params=row.get("num_params"),
        checkpoint=row.get("checkpoint"),
        error=row.get("error"),
        taken_from=row.get("taken_from"),
        forked_from=row.get("forked_from"),
        forked_at=row.get("forked_at") or 0,
        stopped_by_hand=row.get("stopped_by_hand") or False,
        tokens_per_step=tokens,
        flops_per_step=flops,
    )


def _set_losses(sweep: SweepData, row: Row) -> dict[str, float]:
    """What another trainer calls so may be something else."""
    names = filter(set_of, row) if sweep.is_ours else ()
    return {name: row[name] for name in names if row[name] is not None}


def _status(text: object) -> Status:
    return Status(str(text)) if text in set(Status) else Status.INTERRUPTED


def _pace(settings: Mapping[str, object]) -> tuple[int | None, int | None]:
    """The tokens and FLOPs of one step; None if a setting that decides them is not known."""
    needed = {"batch_size", "context_length", "d_model", "d_ff", "num_layers", "vocab_size"}
    try:
        config = TrainConfig.from_mapping(settings)
    except ConfigError:
        return None, None
    if not needed <= settings.keys():
        return None, None
    tokens = config.batch_size * config.context_length
    return tokens, tokens * flops_per_token(config)


def _text(path: Path) -> str | None:
    """None if it was deleted under a sweep that knows its own spec."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _data_meta(spec: SweepSpec) -> dict[str, object] | None:
    """meta.json of the prepared folder; None if it is no longer there."""
    if spec.data is None:
        return None
    try:
        meta = CorpusFolder(place_here(spec.data)).meta.read_bytes()
        return read_json(dict[str, object], meta)
    except (OSError, ValueError):
        return None
