"""Whoever reads a sweep plans nothing: a grid of 50,000 points is read as fast as one of four."""

import json
from pathlib import Path
from typing import Any

import pytest

from sweeper.analysis.monitor import Monitor
from sweeper.plan import plan as planning
from sweeper.plan import points
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from tests.sweeper.commands.conftest import Sweeper
from tests.sweeper.in_process import opened


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    space = {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 0.7]}}
    return tiny_plan(space=space, constraints=[{"less": [0, "learning_rate"]}])


@pytest.fixture
def no_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a reader plans")

    for module, names in (
        (points, ("grid_points", "random_points")),
        (planning, ("_planned_trial", "draw")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, refused)


@pytest.mark.parametrize(
    "command",
    [
        ("status", "cut"),
        ("status", "cut", "--json"),
        ("best", "cut"),
        ("list",),
        ("list", "--json"),
        ("trial", "cut", "0"),
        ("compare", "cut", "lr", "--html", "both.html"),
        ("report", "cut"),
        ("delete", "cut", "--checkpoints", "--yes"),
        ("tensorboard", "cut"),
        ("optuna", "cut"),
    ],
    ids=" ".join,
)
def test_no_reader_plans(
    sweeper: Sweeper, finished: RunFolder, interrupted: RunFolder, no_plans: None, command: Any
) -> None:
    said = sweeper(*command)
    assert "Traceback" not in said.err
    assert said.code == 0


def test_the_number_of_trials_is_what_the_newest_session_said(
    interrupted: RunFolder, plan: Plan, tiny_plan: Any
) -> None:
    assert Monitor(interrupted).num_trials == 4
    longer = tiny_plan(space={"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 0.7, 0.8]}})
    assert len(longer.trials) == 5
    before = interrupted.journal.read_text()
    with opened(interrupted, plan):
        pass
    said = [json.loads(line) for line in interrupted.journal.read_text().splitlines()]
    first, second = (e for e in said if e["event"] == "session_started")
    assert first["num_trials"] == second["num_trials"] == 4
    interrupted.journal.write_text(before + json.dumps({**second, "num_trials": 7}) + "\n")
    assert Monitor(interrupted).num_trials == 7


def test_where_an_older_version_did_not_say_it_it_is_counted(interrupted: RunFolder) -> None:
    first, *rest = interrupted.journal.read_text().splitlines()
    event = json.loads(first)
    del event["num_trials"]
    interrupted.journal.write_text("\n".join([json.dumps(event), *rest, ""]))
    assert Monitor(interrupted).num_trials == 4


def test_a_space_that_was_edited_until_nothing_is_admitted_can_still_be_read(
    interrupted: RunFolder, plan: Plan
) -> None:
    spec = plan.spec.model_copy(update={"constraints": []})
    assert SweepState(spec).num_trials == 4
    [constraint] = plan.spec.constraints
    never = constraint.model_copy(update={"less": [1, "learning_rate"]})
    assert SweepState(spec.model_copy(update={"constraints": [never]})).num_trials == 0


def test_only_the_time_left_of_a_sweep_that_runs_is_planned(
    interrupted: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[Path] = []
    monkeypatch.setattr("sweeper.analysis.monitor.plan_again", lambda *_: planned.append(Path()))
    monkeypatch.setattr("sweeper.analysis.monitor.TimeLeftEstimator.time_left", lambda *_: None)
    Monitor(interrupted).time_left()
    assert not planned
    with interrupted.locked():
        monitor = Monitor(interrupted)
        assert not planned, "looking alone needs no plan"
        monitor.time_left()
        assert len(planned) == 1
