"""A sweep whose data have further validation sets: each trial is evaluated on all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from sweeper.analysis.reading.loading import load
from sweeper.analysis.summary.summarising import summarise
from sweeper.corpus.folder import CorpusFolder
from sweeper.engine.audience import Audience
from sweeper.errors import SpecError
from sweeper.plan.plan import Plan, make_plan
from sweeper.record.run_folder import create_run_folder
from sweeper.record.tables import write_tables
from sweeper.runtime.in_process import InProcess
from sweeper.spec.reading.spec_file import load_spec
from sweeper.views.format import measured_text
from sweeper.views.report.trial_rows import trial_table
from tests.sweeper.in_process import opened
from trainable.loop.training import Trainer


@pytest.fixture
def data(tmp_path: Path, tokens_folder: Path) -> CorpusFolder:
    """With a set that is learned, as the training tokens are, and one of noise."""
    folder = CorpusFolder(tmp_path / "data")
    folder.path.mkdir()
    for file in tokens_folder.iterdir():
        (folder.path / file.name).write_bytes(file.read_bytes())
    (folder.path / "val-cycle.npy").write_bytes(folder.val.read_bytes())
    np.save(folder.path / "val-noise.npy", np.random.default_rng(1).integers(0, 64, 900, np.uint8))
    return folder


def planned(write_space: Any, data: CorpusFolder, **sections: Any) -> Plan:
    space = {"learning_rate": {"grid": [1e-4, 3e-2]}}
    given = {"space": space, "scheduler": {"type": "fifo"}} | sections
    spec, source = load_spec(write_space(data=str(data.path), **given))
    return make_plan(spec, data.path, source)


def test_each_set_has_its_loss_wherever_losses_are_told(
    write_space: Any, tmp_path: Path, data: CorpusFolder
) -> None:
    plan = planned(write_space, data, objective={"metric": "val_loss_noise"})
    assert {t.config.to_dict()["val_sets"] for t in plan.trials} == {"cycle,noise"}
    run = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    with opened(run, plan) as opening:
        InProcess(opening, Audience(opening, []), Trainer).run()
        opening.close("finished")
    state = opening.state
    write_tables(state, run)

    losses = {t.values["learning_rate"]: t.last_evaluation for t in state.trials.values()}
    low, high = losses[1e-4], losses[3e-2]
    assert low is not None and high is not None
    for seen in (low, high):
        assert seen.others["val_loss_cycle"] == seen.val_loss, "the same tokens"
    assert low.val_loss is not None and high.val_loss is not None and high.val_loss < low.val_loss
    assert low.others["val_loss_noise"] < high.others["val_loss_noise"]

    for table in (run.results, run.history):
        assert {"val_loss_cycle", "val_loss_noise"} <= set(pq.read_table(table).column_names)
    sweep = load(run)
    assert sweep.trials[0].point == {"learning_rate": 1e-4}, "what noise is worth least to"
    columns = trial_table(summarise(sweep)).columns
    assert columns[0] == "loss noise" and "loss cycle" in columns
    told = measured_text(low, "val_loss_noise")
    assert told.startswith(f"validation loss on noise {low.others['val_loss_noise']:.4f}")
    assert f"validation loss on cycle {low.val_loss:.4f}" in told


@pytest.mark.parametrize(
    ("metric", "file", "told"),
    [
        ("val_loss_code", None, r"objective\.metric: .*no validation set code \(it has cycle, noi"),
        ("val_los_code", None, r"objective\.metric: must be 'val_loss', "),
        ("val_loss", "val-old-one.npy", r"data: .*val-old-one\.npy: a set is named by letters"),
    ],
)
def test_a_set_that_is_not_there_or_has_no_name_is_refused(
    write_space: Any, data: CorpusFolder, metric: str, file: str | None, told: str
) -> None:
    if file is not None:
        (data.path / file).touch()
    with pytest.raises(SpecError, match=told):
        planned(write_space, data, objective={"metric": metric})
