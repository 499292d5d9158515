"""The tables, and what is in them."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.checkpoints import checkpoint_name
from sweeper.record.state.events import CheckpointLanded, TrialCreated, now
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.tables import write_tables
from sweeper.status import Status
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics

BUNDLES = {
    "size": {"grid": {"small": {"d_model": 16}, "large": {"d_model": 32, "num_heads": 4}}},
    "learning_rate": {"grid": [1e-3, 1e-2]},
}


def metrics(step: int, loss: float | None) -> Metrics:
    return Metrics(step=step, val_loss=loss, train_seconds=1.0)


def state_with(plan: Plan, *trials: tuple[Status, list[tuple[int, float | None]]]) -> SweepState:
    """A sweep whose trials have these statuses and evaluations."""
    state = SweepState(plan.spec)
    for planned, (status, losses) in zip(plan.trials, trials, strict=False):
        state.apply(
            TrialCreated(
                time=now(),
                id=planned.trial_id,
                values=planned.values,
                config=planned.config.to_dict(),
            )
        )
        state.trials[planned.trial_id].evaluations = [metrics(s, v) for s, v in losses]
        state.trials[planned.trial_id].status = status
    return state


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    return tiny_plan(space={"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 1e-1, 0.2]}})


def test_the_tables_have_a_typed_column_for_everything(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(space=BUNDLES)
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    state = state_with(plan, (Status.COMPLETED, [(16, 1.5)]), (Status.FAILED, []))
    write_tables(state, folder)
    table = pq.read_table(folder.results)
    assert set(TrainConfig.__dataclass_fields__) <= set(table.schema.names)
    assert {str(table.schema.field(n).type) for n in ("d_model", "step", "num_params")} == {"int64"}
    assert str(table.schema.field("val_loss").type) == "double"
    first, second = table.to_pylist()
    assert first["size"] in {"small", "large"}
    assert first["d_model"] == {"small": 16, "large": 32}[first["size"]]
    assert first["val_loss"] == 1.5
    assert (second["val_loss"], second["step"], second["wall_seconds"]) == (None, None, None)
    assert pq.read_table(folder.history).num_rows == 1


def test_a_name_that_is_not_swept_in_a_trial_is_null_there(tmp_path: Path, tiny_plan: Any) -> None:
    kinds = {"grid": {"a": {"beta1": 0.8}, "b": {"beta1": 0.9}}, "when": {"size": "large"}}
    plan = tiny_plan(space=BUNDLES | {"kind": kinds})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    write_tables(state_with(plan, *[(Status.COMPLETED, [(16, 1.5)])] * 6), folder)
    rows = pq.read_table(folder.results).to_pylist()
    assert sorted((row["size"], str(row["kind"])) for row in rows) == [
        ("large", "a"), ("large", "a"), ("large", "b"), ("large", "b"),
        ("small", "None"), ("small", "None"),
    ]  # fmt: skip


def test_the_table_has_what_the_checkpoints_took(tmp_path: Path, plan: Plan) -> None:
    folder = RunFolder(tmp_path)
    state = state_with(plan, (Status.RUNNING, [(4, 2.0)]), (Status.PENDING, []))
    for number, size in enumerate((500, 700, 300)):
        name = checkpoint_name(number)
        state.apply(CheckpointLanded(time=now(), trial="0000", checkpoint=name, bytes=size))
    write_tables(state, folder)
    table = pq.read_table(folder.results)
    assert table.column("checkpoint_bytes").to_pylist() == [300, None]
    assert table.column("checkpoint").to_pylist() == ["trials/0000/checkpoint_000002", None]
    assert table.schema.metadata == {b"checkpoint_high_water_bytes": b"1500"}


def test_tables_of_a_sweep_without_trials_have_the_same_columns(tmp_path: Path, plan: Plan) -> None:
    folder = RunFolder(tmp_path)
    write_tables(SweepState(plan.spec), folder)
    empty = pq.read_schema(folder.results)
    write_tables(state_with(plan, (Status.COMPLETED, [(16, 1.5)])), folder)
    assert pq.read_schema(folder.results) == empty
