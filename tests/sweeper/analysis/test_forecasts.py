"""Where trials would have ended: told of those that were stopped, once enough have ended."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.analysis.forecasts import forecasts_of
from sweeper.analysis.reading.loading import load
from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.status import Status
from tests.sweeper.closed_form import loss_at
from tests.sweeper.in_process import drive

RATES = [round(1e-4 * 1.5**k, 6) for k in range(16)] + [0.9]


def swept(plan: Plan, tmp_path: Path) -> tuple[RunFolder, Sweep]:
    folder = create_run_folder(tmp_path / "runs", plan.spec, "lr", "space.yaml")
    return folder, drive(folder, plan)


def test_trials_that_were_stopped_have_an_end_that_is_forecast(
    tiny_plan: Any, tmp_path: Path
) -> None:
    plan = tiny_plan(
        train={"eval_every_steps": 2},
        space={"learning_rate": {"grid": RATES}},
        scheduler={"type": "asha", "grace_steps": 4, "compare": "forecast"},
    )
    folder, sweep = swept(plan, tmp_path)
    forecasts = forecasts_of(sweep.state)
    assert forecasts.keys() == {t.trial_id for t in sweep.state.with_status(Status.STOPPED)}
    assert len(forecasts) >= 3
    for trial_id, forecast in forecasts.items():
        truth = loss_at(sweep.trials[trial_id].config, 16)
        assert abs(forecast.mean - truth) < 3 * forecast.deviation
        assert forecast.deviation < 0.5
    told = {trial.trial_id: trial.forecast for trial in load(folder).trials}
    assert told == {trial_id: forecasts.get(trial_id) for trial_id in sweep.trials}


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"space": {"learning_rate": {"grid": RATES[:5]}}}, "too few have come to their ends"),
        ({"scheduler": {"type": "pbt", "interval_steps": 4}}, "settings change on the way"),
    ],
)
def test_where_nothing_can_be_forecast_nothing_is(
    tiny_plan: Any, tmp_path: Path, sections: dict[str, Any], why: str
) -> None:
    _, sweep = swept(tiny_plan(**sections), tmp_path)
    assert forecasts_of(sweep.state) == {}, why
