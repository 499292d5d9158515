"""The two tables of a sweep: of its trials, best first, and of their evaluations."""

import math
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sweeper.record.ranking import ranked
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.watcher import Watcher
from sweeper.spec.columns import (
    COLUMNS,
    EVALUATION,
    MEASURED,
    NAMED,
    REPORTED,
    Columns,
    plain_types,
)
from sweeper.spec.trainer.config import num_params
from trainable.loop.metrics import Metrics

Row = dict[str, Any]


def result_rows(state: SweepState, folder: RunFolder) -> list[Row]:
    """A row for each trial, best first. A value that was not measured is None."""
    rows = []
    for trial in ranked(state):
        last = trial.last_evaluation
        stored = state.checkpoints.newest(trial.trial_id)
        checkpoint = folder.checkpoint(trial.trial_id, stored.name) if stored else None
        rows.append(
            {
                "trial_id": trial.trial_id,
                "status": trial.status.value,
                **_labels(state, trial),
                **trial.config.to_dict(),
                **{name: last.value(name) if last else None for name in REPORTED},
                **_others_of(last, state),
                "num_params": num_params(trial.config),
                "wall_seconds": last.train_seconds if last else None,
                "checkpoint": str(checkpoint.relative_to(folder.path)) if checkpoint else None,
                "checkpoint_bytes": stored.size if stored else None,
                "num_failures": trial.failures,
                "taken_from": trial.taken_from,
                "forked_from": trial.forked_from,
                "forked_at": trial.forked_at or None,
                "stopped_by_hand": trial.stopped_by_hand or None,
                "error": trial.error,
            }
        )
    return rows


def history_rows(state: SweepState) -> list[Row]:
    """A row for each evaluation, by trial and step."""
    return [
        {
            "trial_id": trial.trial_id,
            **_labels(state, trial),
            **seen.to_dict(),
            **_others_of(seen, state),
        }
        for trial in state.trials.values()
        for seen in trial.evaluations
    ]


class Tables(Watcher):
    """Rewrites the Parquet tables while a sweep runs, so that they can be watched, and at its
    end."""

    keeps_the_record = True
    EVERY_SECONDS = 10.0
    MOST_OF_THE_TIME = 0.02  # thousands of trials take a while to write

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._due = -math.inf

    def refresh(self, state: SweepState) -> None:
        if time.monotonic() > self._due:
            self.close(state)

    def close(self, state: SweepState) -> None:
        began = time.monotonic()
        write_tables(state, self.folder)
        now = time.monotonic()
        self._due = now + max(self.EVERY_SECONDS, (now - began) / self.MOST_OF_THE_TIME)


def write_tables(state: SweepState, folder: RunFolder) -> None:
    """Write results.parquet and history.parquet, each whole or not at all."""
    _write(results_table(state, folder), folder.results)
    _write(history_table(state), folder.history)


def results_table(state: SweepState, folder: RunFolder) -> pa.Table:
    """`result_rows` as an Arrow table."""
    labels: Columns = dict.fromkeys(_label_names(state), str)
    of_sweep = {"checkpoint_high_water_bytes": str(state.checkpoints.high_water)}
    schema = pa.schema(_schema(NAMED, labels, _settings(state), _others(state), MEASURED), of_sweep)
    return pa.Table.from_pylist(result_rows(state, folder), schema=schema)


def history_table(state: SweepState) -> pa.Table:
    """`history_rows` as an Arrow table."""
    labels: Columns = dict.fromkeys(_label_names(state), str)
    schema = pa.schema(_schema({"trial_id": NAMED["trial_id"]}, labels, EVALUATION, _others(state)))
    return pa.Table.from_pylist(history_rows(state), schema=schema)


def _label_names(state: SweepState) -> list[str]:
    """The swept names that are no training setting but stand for bundles."""
    return [key for key in state.spec.space if key not in state.spec.known]


def _settings(state: SweepState) -> Columns:
    return plain_types(state.spec.known.types)


def _others(state: SweepState) -> Columns:
    """What another trainer measures beside what ours does."""
    last = (trial.last_evaluation for trial in state.trials.values())
    names = {name for seen in last for name in _others_of(seen, state)}
    return dict.fromkeys(sorted(names), float)


def _others_of(seen: Metrics | None, state: SweepState) -> Row:
    """Without those that are called as a column is that says something else."""
    others = {} if seen is None else seen.others
    taken = (COLUMNS, state.spec.known, state.spec.space)
    return {name: x for name, x in others.items() if not any(name in each for each in taken)}


def _labels(state: SweepState, trial: Trial) -> Row:
    """The trial's value of each of these names; None where it is not swept."""
    return {
        key: str(trial.values[key]) if key in trial.values else None for key in _label_names(state)
    }


def _schema(*columns: Columns) -> list[tuple[str, pa.DataType]]:
    arrow = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}
    return [(name, arrow[kind]) for each in columns for name, kind in each.items()]


def _write(table: pa.Table, path: Path) -> None:
    temporary = path.with_name(path.name + ".tmp")
    pq.write_table(table, temporary)
    os.replace(temporary, path)
