"""Recordings out of run folders and out of tables of curves."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sweeper.analysis.backtest.recording import Curve, Field, Recording
from sweeper.errors import RecordingError
from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.tables import Row
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.config import ours
from sweeper.status import Status
from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.loop.metrics import Metrics
from trainable.model.model_size import flops_per_token

WHOLE = (Status.COMPLETED, Status.DIVERGED)
HOW_TO_RECORD = (
    "record it whole: python -m sweeper run {spec} --name {name}-whole "
    "--set 'scheduler={{type: fifo}}' --set train.eval_every_steps={every}"
)
LATE = 1 / 8  # of the longest trial: without an evaluation by then nothing can be stopped early
# The columns that may be what a table of curves sweeps, those that may follow from others last.
SWEPT = ("learning_rate", "warmup_steps", "weight_decay", "size", "max_steps", "min_learning_rate")
NEEDED = {"family", "trial", "seed", "status", "step", "max_steps", "tokens", "val_loss"}
Keyed = dict[str, dict[int | None, Curve]]  # setting -> seed -> its curve


def read_run(folder: RunFolder) -> Recording:
    """The curves of a finished sweep whose trials all ran to their ends.

    Raises:
        RecordingError: it is another one.
        UserError: its folder cannot be read.
    """
    running = folder.is_locked
    state = read_state(folder)
    _require_whole(folder, state, running=running)
    spec, by_setting = state.spec, defaultdict[str, dict[int | None, Curve]](dict)
    failed = [trial for trial in state.trials.values() if trial.status is Status.FAILED]
    timed = all(
        seen.train_seconds is not None for t in state.trials.values() for seen in t.evaluations
    )
    for trial in state.trials.values():
        if trial.status in WHOLE and not trial.is_final:
            point = {key: trial.values[key] for key in spec.space if key in trial.values}
            seed = trial.config.seed if spec.seeds is not None else None
            by_setting[repr(point)][seed] = _curve(trial, point, timed=timed)
    note = f"{len(failed)} trials failed; their settings are left out"
    found = _recording(folder.name, spec, by_setting)
    notes = (*([note] if failed else []), *found.notes)
    return replace(found, timed=timed, clocks=("step", "tokens", "flops"), notes=notes)


def _require_whole(folder: RunFolder, state: SweepState, *, running: bool) -> None:
    every = min((t.config.eval_every_steps for t in state.trials.values()), default=1)
    again = HOW_TO_RECORD.format(spec=folder.spec, name=folder.name, every=every)
    if not state.spec.is_ours:
        raise RecordingError(
            f"{folder.path}: of another trainer the FLOPs are not known, which a replay counts"
        )
    if running:
        raise RecordingError(f"{folder.path}: the sweep still runs; wait until it has finished")
    if state.outcome != "finished":
        go_on = f"python -m sweeper resume {folder.called}"
        raise RecordingError(f"{folder.path}: the sweep has not finished; go on with it: {go_on}")
    if state.spec.scheduler.type == "pbt":
        raise RecordingError(
            f"{folder.path}: under pbt trials change their settings on the way, so nobody knows "
            f"how a setting would have done by itself; {again}"
        )
    stopped = [trial for trial in state.trials.values() if trial.status is Status.STOPPED]
    if stopped:
        raise RecordingError(
            f"{folder.path}: {len(stopped)} of {len(state.trials)} trials were stopped early, as "
            f"{stopped[0].trial_id} at step {stopped[0].step} of {stopped[0].config.max_steps}: "
            f"what they would have come to is not known, so nothing can be replayed; {again}"
        )


def _curve(trial: Trial, point: Point, *, timed: bool) -> Curve:
    config = ours(trial.config)
    flops = flops_per_token(config)
    tokens = config.batch_size * config.context_length
    return Curve(
        point=point,
        config=config,
        evaluations=tuple(trial.evaluations),
        flops_per_token=flops,
        seconds=tuple(
            (seen.train_seconds or 0.0) if timed else float(seen.step * tokens * flops)
            for seen in trial.evaluations
        ),
    )


def _recording(name: str, spec: SweepSpec, by_setting: Keyed) -> Recording:
    """The settings that have every seed, as far as a table tells.

    Raises:
        RecordingError: fewer than two, or none that came to its end.
    """
    seeds = list(dict.fromkeys(seed for of in by_setting.values() for seed in of))
    whole = [of for of in by_setting.values() if len(of) == len(seeds)]
    if len(whole) < 2:
        raise RecordingError(f"{name}: {len(whole)} settings were trained to their ends; needs 2")
    lacking = len(by_setting) - len(whole)
    notes = [f"{lacking} settings lack some of the seeds, and are left out"] if lacking else []
    bare = spec.model_copy(update={"seeds": None})
    fields = tuple(Field(bare, [of[seed] for of in whole]) for seed in seeds)
    if not any(field.score(s) < float("inf") for field in fields for s in range(len(whole))):
        raise RecordingError(f"{name}: no trial came to its end with a value of the objective")
    recording = Recording(
        name=name,
        spec=bare,
        seeds=tuple(seeds),
        fields=fields,
        timed=False,
        clocks=("step", "tokens"),
    )
    first, wanted = recording.evaluated[0], recording.max_steps * LATE
    if first > wanted:
        remedy = f"to compare early, record with --set train.eval_every_steps={int(wanted) or 1}"
        notes.append(f"it was evaluated at step {first} of {recording.max_steps} first; {remedy}")
    return replace(recording, notes=tuple(notes))


def read_table(path: Path) -> list[Recording]:
    """A recording of each family in a table of curves, as in benchmarks/curves/.

    Raises:
        RecordingError: it is no such table.
    """
    families = defaultdict[str, list[Row]](list)
    for row in _rows(path):
        families[str(row["family"])].append(row)
    if not families:
        raise RecordingError(f"{path}: it has no rows")
    return [_family(path, name, rows) for name, rows in families.items()]


def _rows(path: Path) -> list[Row]:
    import pyarrow.lib as arrow
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, arrow.ArrowException) as error:
        raise RecordingError(f"{path}: cannot be read as Parquet ({error})") from None
    if missing := NEEDED - {*table.column_names}:
        raise RecordingError(
            f"{path}: no table of curves: it lacks the columns {', '.join(sorted(missing))}; "
            "a sweep of your own is named by its run folder"
        )
    rows: list[Row] = table.to_pylist()
    return rows


def _family(path: Path, name: str, rows: Sequence[Row]) -> Recording:
    swept = _swept(rows)
    if not swept:
        raise RecordingError(f"{path}: all trials of {name} have the same settings")
    trials = defaultdict[int, list[Row]](list)
    for row in rows:
        trials[row["trial"]].append(row)
    by_setting = defaultdict[str, dict[int | None, Curve]](dict)
    for number, of_trial in trials.items():
        point = {key: of_trial[0][key] for key in swept}
        try:
            of_trial.sort(key=lambda row: row["step"])
            curve = _tabulated(of_trial, point)
        except (ConfigError, TypeError, ValueError, ArithmeticError) as error:
            raise RecordingError(f"{path}: trial {number} of {name}: {error}") from None
        if curve is not None:
            by_setting[repr(point)][of_trial[0]["seed"]] = curve
    return _recording(name, _spec(rows, swept), by_setting)


def _spec(rows: Sequence[Row], swept: Sequence[str]) -> SweepSpec:
    """The sweep that a table recorded, as far as it says: a search that learns may look at the
    settings of a point. What a size is made of it does not say."""
    space: dict[str, object] = {}
    for key in swept:
        values = list(dict.fromkeys(row[key] for row in rows))
        is_named = any(isinstance(value, str) for value in values)
        space[key] = {"grid": {str(value): {} for value in values} if is_named else values}
    columns = {key: {row.get(key) for row in rows} for key in TrainConfig.__dataclass_fields__}
    train: dict[str, object] = {
        key: next(iter(column))
        for key, column in columns.items()
        if key not in {*swept, "seed"} and len(column) == 1 and None not in column
    }
    if len(columns["min_learning_rate"]) > 1 and "min_learning_rate" not in swept:
        share = min(row["min_learning_rate"] / row["learning_rate"] for row in rows)
        train["min_learning_rate"] = {"times": share, "of": "learning_rate"}
    return SweepSpec.model_validate({"name": "recorded", "train": train, "space": space})


def _swept(rows: Sequence[Row]) -> list[str]:
    """The columns that differ among the trials; those left out that follow from the others."""
    found: list[str] = []
    for key in SWEPT:
        columns = {(*(row[name] for name in found), row.get(key)) for row in rows}
        if len(columns) > len({one[:-1] for one in columns}):
            found.append(key)
    return found


def _tabulated(rows: Sequence[Row], point: Point) -> Curve | None:
    """A trial of a table; None if it did not come to its end. Of its model the table knows the size
    alone, so the time that it takes is in proportion to that.

    Raises:
        ConfigError, TypeError, ValueError, ArithmeticError: no trial is like this.
    """
    first, last = rows[0], rows[-1]
    status = Status(last["status"])
    if status not in WHOLE:
        return None
    flops = 6 * int(first.get("num_parameters") or 1)
    evaluations = tuple(Metrics.from_mapping(row) for row in rows)
    if status is Status.DIVERGED:
        evaluations = (*evaluations[:-1], Metrics(step=last["step"], diverged=True))
    return Curve(
        point=point,
        config=TrainConfig.from_mapping(_settings(first)),
        evaluations=evaluations,
        flops_per_token=flops,
        seconds=tuple(float(row["step"] * flops) for row in rows),
    )


def _settings(row: Row) -> Mapping[str, object]:
    """All that the table says of a trial's settings; at least its tokens a step."""
    settings = TrainConfig.__dataclass_fields__
    known = {name: row[name] for name in settings if row.get(name) is not None}
    return {"batch_size": row["tokens"] // row["step"], "context_length": 1} | known
