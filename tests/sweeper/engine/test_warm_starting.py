"""`search.from`: what another sweep has found out is taken over once, and stands in the journal."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.warm_starting import read_warm_start
from sweeper.errors import SpecError
from sweeper.plan.plan import Plan
from sweeper.record.replay import replay
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.event_lines import read_line, to_line
from sweeper.record.state.events import WarmStarted
from sweeper.record.state.warm_start import WarmStart
from sweeper.spec.reading.spec_file import load_spec
from sweeper.status import Status
from sweeper.strategy.surface.observation import Observation
from tests.sweeper.closed_form import loss_at
from tests.sweeper.in_process import drive, opened, run_trial

RATES = [1e-4, 1e-3, 1e-2, 0.7]
LATER = {"learning_rate": {"loguniform": [1e-3, 1]}}


@pytest.fixture
def first_plan(tiny_plan: Any) -> Plan:
    """Two learning rates more than the later space has, in two sizes."""
    return tiny_plan(
        name="first",
        space={
            "learning_rate": {"grid": RATES},
            "size": {"grid": {"small": {"d_ff": 16}, "large": {"d_ff": 64}}},
        },
    )


def later(write_space: Any, write: dict[str, Any] | None = None, **search: Any) -> Any:
    search = {"algorithm": "tpe", "num_trials": 4, "from": "first", **search}
    return load_spec(write_space(**({"space": LATER} | (write or {})), search=search))


def run_first(runs: Path, plan: Plan) -> RunFolder:
    folder = create_run_folder(runs, plan.spec, None, "space.yaml")
    drive(folder, plan)
    return folder


def test_what_lies_in_the_space_is_taken_with_what_became_of_it(
    runs: Path, first_plan: Plan, write_space: Any
) -> None:
    """Bundles go by what they set, whatever they are called; a setting that only this space has, by
    what it was there."""
    folder = run_first(runs, first_plan)
    sizes = {"choice": {"sixteen": {"d_ff": 16}, "small": {"d_ff": 8}}}
    spec, source = later(
        write_space, {"space": {**LATER, "width": sizes, "weight_decay": {"uniform": [0, 0.3]}}}
    )
    found = read_warm_start(spec, runs, source)
    ended = {
        (t.config.learning_rate, t.config.d_ff): t
        for t in replay(first_plan.spec, folder).trials.values()
    }
    taken = {seen.point["learning_rate"]: seen for seen in found.observations}
    assert set(taken) == {1e-3, 1e-2, 0.7}
    assert (len(found.observations), found.unfit) == (3, 5)
    for rate, seen in taken.items():
        trial = ended[rate, 16]
        assert seen.point == {
            "learning_rate": rate, "width": "sixteen", "weight_decay": trial.config.weight_decay,
        }  # fmt: skip
        assert seen.status is trial.status
        losses = [(m.step, m.val_loss) for m in trial.evaluations if m.val_loss is not None]
        assert list(seen.curve) == losses
        if trial.status is Status.COMPLETED:
            assert seen.value == loss_at(trial.config, 16)
    assert taken[0.7].status is Status.DIVERGED
    assert "the results of 3 points; 5 did not fit this space" in found.summary()


def test_settings_that_differ_are_told(runs: Path, first_plan: Plan, write_space: Any) -> None:
    run_first(runs, first_plan)
    same = later(write_space, {"train": {"d_ff": 16}})
    assert read_warm_start(*same[:1], runs, same[1]).different == ("d_ff",)
    spec, source = later(write_space, {"train": {"max_steps": 64}})
    found = read_warm_start(spec, runs, source)
    assert found.different == ("d_ff", "max_steps")
    assert "Other settings differ there: d_ff, max_steps" in found.summary()


def test_constraints_and_unfinished_trials_leave_points_out(
    runs: Path, first_plan: Plan, write_space: Any
) -> None:
    folder = create_run_folder(runs, first_plan.spec, None, "space.yaml")
    with opened(folder, first_plan) as sweep:
        for number in range(len(first_plan.trials)):
            trial = sweep.next_trial()
            assert trial is not None
            if number < 5:
                run_trial(sweep, trial)
    spec, source = later(
        write_space,
        {
            "space": {"learning_rate": {"loguniform": [1e-5, 1]}},
            "constraints": [{"at_most": ["learning_rate", 0.05]}],
        },
    )
    ended = [t for t in first_plan.trials[:5] if t.config.learning_rate <= 0.05]
    found = read_warm_start(spec, runs, source)
    assert len(found.observations) == len(ended)
    assert found.unfit == 5 - len(ended)


def test_each_point_of_a_sweep_with_seeds_is_taken_once(
    runs: Path, tiny_plan: Any, write_space: Any
) -> None:
    first = tiny_plan(
        name="first",
        space={"learning_rate": {"grid": RATES}},
        scheduler={"type": "fifo"},
        seeds=[3, 4],
    )
    run_first(runs, first)
    spec, source = later(write_space)
    found = read_warm_start(spec, runs, source)
    assert sorted(seen.point["learning_rate"] for seen in found.observations) == RATES[1:]
    assert found.different == ()


@pytest.mark.parametrize(
    ("search", "more", "problem"),
    [
        ({"from": "frist"}, {}, r"space.yaml:\d+: search.from: .*no sweep there; did you mean"),
        ({}, {"objective": {"mode": "max"}}, r"search.from: that sweep's objective is min val_loss,"
         " and this one's max val_loss; results do not compare"),
        ({}, {"objective": {"metric": "train_loss"}}, "and this one's min train_loss"),
    ],
)  # fmt: skip
def test_another_question_is_refused(
    runs: Path, first_plan: Plan, write_space: Any, search: Any, more: Any, problem: str
) -> None:
    run_first(runs, first_plan)
    spec, source = later(write_space, more, **search)
    with pytest.raises(SpecError, match=problem):
        read_warm_start(spec, runs, source)


def test_a_resumed_sweep_has_it_from_its_journal(
    runs: Path, first_plan: Plan, tiny_plan: Any, write_space: Any
) -> None:
    first = run_first(runs, first_plan)
    spec, source = later(write_space)
    warm_start = read_warm_start(spec, runs, source)
    plan = tiny_plan(space=LATER, search={"algorithm": "tpe", "num_trials": 4, "from": "first"})
    folder = create_run_folder(runs, plan.spec, "later", "space.yaml")
    with opened(folder, plan, warm_start=warm_start):
        pass
    shutil.rmtree(first.path)
    moved = folder.path.rename(runs / "moved")
    sweep = drive(RunFolder(moved), plan)
    assert sweep.state.warm_start == warm_start
    assert load_spec(RunFolder(moved).spec)[0].search.from_run == "first"


def test_what_is_recorded_is_read_back_the_same() -> None:
    seen = (
        Observation({"a": 1e-3, "b": "x"}, Status.COMPLETED, 0.1, ((4, 0.25), (8, 0.1))),
        Observation({"a": 2, "b": True}, Status.STOPPED, None, ((4, 0.3),)),
        Observation({"a": None}, Status.FAILED),
    )
    start = WarmStart("runs/x", seen, 3, ("max_steps",))
    recorded = read_line(to_line(start.to_event()))
    assert isinstance(recorded, WarmStarted)
    assert WarmStart.from_event(recorded) == start
