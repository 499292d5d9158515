"""Trials of an earlier sweep that are trials of this one: taken whole, and trained no more."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.session.terms import SessionTerms
from sweeper.engine.sweep import Sweep
from sweeper.engine.warm_starting import Here, read_warm_start, taken_from_earlier
from sweeper.plan.cost.forecast import forecast
from sweeper.plan.cost.shapes import Machine
from sweeper.plan.plan import Plan
from sweeper.record.journal import read_journal
from sweeper.record.metrics_files import read_metrics
from sweeper.record.ranking import ranking_of
from sweeper.record.replay import replay
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.events import Evaluated
from sweeper.record.state.warm_start import WarmStart
from sweeper.runtime.losses import Losses
from sweeper.spec.reading.yaml_source import read_yaml
from sweeper.status import Status
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.engine.test_warm_starting import RATES
from tests.sweeper.in_process import drive, killed_at_each_event, opened
from tests.sweeper.journals import raw_events


def prepared(plan: Plan, runs: Path) -> WarmStart:
    """What a run would read, with this code and these data."""
    fingerprint = take_fingerprint(plan.spec, REFERENCE)
    source = read_yaml(runs.parent / "space.yaml")
    return read_warm_start(plan.spec, runs, source, Here(plan=plan, fingerprint=fingerprint))


def run_with(runs: Path, plan: Plan, warm_start: WarmStart | None = None) -> Sweep:
    folder = create_run_folder(runs, plan.spec, None, "space.yaml")
    terms = SessionTerms(fingerprint=take_fingerprint(plan.spec, REFERENCE))
    return drive(folder, plan, terms, warm_start)


def grid(tiny_plan: Any, name: str, rates: list[float], **sections: Any) -> Plan:
    search = {"from": "first"} if name != "first" else {}
    plan: Plan = tiny_plan(
        name=name,
        space={"learning_rate": {"grid": rates}},
        **{"scheduler": {"type": "fifo"}, "search": search} | sections,
    )
    return plan


@pytest.mark.parametrize("algorithm", ["grid", "model"])
def test_a_wider_grid_trains_only_what_is_new(
    runs: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    first = run_with(runs, grid(tiny_plan, "first", RATES))
    search = {"algorithm": algorithm, "from": "first"} | (
        {"alpha": 1e-9} if algorithm == "model" else {}
    )
    wider = grid(tiny_plan, "wider", [*RATES, 3e-3, 3e-2], search=search)
    warm_start = prepared(wider, runs)
    assert len(warm_start.trials) == len(RATES)
    sweep = run_with(runs, wider, warm_start)
    taken = [trial for trial in sweep.trials.values() if trial.taken_from is not None]
    trained = [trial for trial in sweep.trials.values() if trial.attempts]
    assert sorted(trial.config.learning_rate for trial in taken) == RATES
    assert sorted(trial.config.learning_rate for trial in trained) == [3e-3, 3e-2]
    ended = {trial.config.learning_rate: trial for trial in first.trials.values()}
    for trial in taken:
        there = ended[trial.config.learning_rate]
        assert trial.taken_from == f"trial {there.trial_id} of {first.folder.path}"
        assert (trial.status, trial.evaluations) == (there.status, there.evaluations)
        assert read_metrics(sweep.folder.trial_metrics(trial.trial_id)) == there.evaluations
    said: list[str] = []
    with opened(sweep.folder, wider) as again:
        Losses(again, said.append)._look()
    told = {text.split(":")[0] for text in said}  # of what ran here: nothing kept its metrics
    assert told.isdisjoint(f"Trial {trial.trial_id}" for trial in taken)
    # In every view by the one ranking; and the earlier folder is needed no more.
    best = ranking_of(sweep.state).winner
    assert best is not None
    assert best.trial.config.learning_rate == 1e-3
    assert best.trial.taken_from is not None
    shutil.rmtree(first.folder.path)
    replayed = replay(wider.spec, sweep.folder)
    assert [t.taken_from for t in replayed.trials.values()] == [
        t.taken_from for t in sweep.trials.values()
    ]


def test_forecasts_learn_from_trials_that_are_taken(runs: Path, tiny_plan: Any) -> None:
    rates = [1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3, 6.4e-3]
    every = {"train": {"eval_every_steps": 4}}
    run_with(runs, grid(tiny_plan, "first", rates, **every))
    forecasts = {"type": "asha", "grace_steps": 4, "compare": "forecast"}
    plan = grid(tiny_plan, "wider", [*rates, 2e-2, 5e-2], scheduler=forecasts, **every)
    sweep = run_with(runs, plan, prepared(plan, runs))
    new = [trial for trial in sweep.trials.values() if trial.taken_from is None]
    told = [e for e in read_journal(sweep.folder.journal) if isinstance(e, Evaluated)]
    assert {event.trial for event in told if event.forecast} & {t.trial_id for t in new}
    assert Status.STOPPED in {trial.status for trial in new}
    replayed = replay(plan.spec, sweep.folder)
    assert [t.status for t in replayed.trials.values()] == [t.status for t in sweep.trials.values()]


@pytest.mark.parametrize(
    "other",
    [
        {"train": {"max_steps": 12}},
        {"train": {"weight_decay": 0.2}},
        {"train": {"eval_windows": 2}},
        {"train": {"seed": 1}},
    ],
)
def test_with_another_setting_nothing_is_taken(runs: Path, tiny_plan: Any, other: Any) -> None:
    run_with(runs, grid(tiny_plan, "first", RATES))
    assert prepared(grid(tiny_plan, "wider", RATES, **other), runs).trials == ()


def test_by_other_code_or_on_other_data_nothing_is_taken(runs: Path, tiny_plan: Any) -> None:
    run_with(runs, grid(tiny_plan, "first", RATES))
    plan = grid(tiny_plan, "wider", RATES)
    ours = take_fingerprint(plan.spec, REFERENCE)
    source = read_yaml(runs.parent / "space.yaml")
    for changed, told in (
        (replace(ours, code={**ours.code, "trainable/config.py": "0"}), "the training code"),
        (replace(ours, data={**ours.data, "data/train.npy": "0"}), "data"),
    ):
        found = read_warm_start(plan.spec, runs, source, Here(plan=plan, fingerprint=changed))
        assert found.trials == ()
        assert found.different == (told,)


def test_how_often_it_is_evaluated_and_saved_is_no_other_result(runs: Path, tiny_plan: Any) -> None:
    run_with(runs, grid(tiny_plan, "first", RATES))
    often = {"train": {"eval_every_steps": 2, "checkpoint_every_steps": 2}}
    assert len(prepared(grid(tiny_plan, "wider", RATES, **often), runs).trials) == len(RATES)


def test_each_seed_is_a_trial_of_its_own(runs: Path, tiny_plan: Any) -> None:
    run_with(runs, grid(tiny_plan, "first", RATES, seeds=[0, 1]))
    sweep = run_with(
        runs,
        plan := grid(tiny_plan, "wider", [1e-3, 3e-3], seeds=[1, 2]),
        prepared(plan, runs),
    )
    taken = [t.values for t in sweep.trials.values() if t.taken_from is not None]
    assert taken == [{"learning_rate": 1e-3, "seed": 1}]


def test_only_what_came_to_its_end_is_taken(runs: Path, tiny_plan: Any) -> None:
    """What a scheduler stopped has more to say; and what is taken is not the scheduler's."""
    asha = {"type": "asha", "grace_steps": 4}
    first = run_with(runs, grid(tiny_plan, "first", [*RATES, 3e-3], scheduler=asha))
    plan = grid(tiny_plan, "wider", [*RATES, 3e-3], scheduler=asha)
    sweep = run_with(runs, plan, prepared(plan, runs))
    ends = {Status.COMPLETED, Status.DIVERGED}
    whole = {t.config.learning_rate for t in first.trials.values() if t.status in ends}
    assert whole < {*RATES, 3e-3}
    taken = {t.config.learning_rate for t in sweep.trials.values() if t.taken_from is not None}
    assert taken == whole


@pytest.mark.parametrize("before", [True, False])
def test_killed_at_any_event_it_goes_on_the_same(runs: Path, tiny_plan: Any, before: bool) -> None:
    run_with(runs, grid(tiny_plan, "first", RATES))
    plan = grid(tiny_plan, "wider", [*RATES, 3e-3])
    warm_start = prepared(plan, runs)
    untouched = run_with(runs, plan, warm_start)
    whole = [(t.values, t.status, t.taken_from) for t in untouched.trials.values()]

    def run(folder: RunFolder) -> Sweep:
        return drive(folder, plan, warm_start=warm_start)

    left = killed_at_each_event(runs.parent / "killed", plan, run, before=before)
    assert len(left) == len([*raw_events(untouched.folder.journal)])
    for folder in left:
        resumed = run(folder)
        assert [(t.values, t.status, t.taken_from) for t in resumed.trials.values()] == whole


def test_a_plan_says_how_many_are_taken_and_costs_the_others_alone(
    runs: Path, tiny_plan: Any
) -> None:
    run_with(runs, grid(tiny_plan, "first", RATES))
    plan = grid(tiny_plan, "wider", [*RATES, 3e-3])
    source = read_yaml(runs.parent / "space.yaml")
    taken = taken_from_earlier(plan, runs, source, REFERENCE)
    told = forecast(plan, Machine(slots=1, free_memory=None), {}, taken)
    assert (told.num_trials, told.num_taken) == (5, 4)
    alone = forecast(grid(tiny_plan, "first", [3e-3]), Machine(slots=1, free_memory=None), {})
    assert told.whole == alone.whole
    all_taken = forecast(
        plan,
        Machine(slots=1, free_memory=None),
        {},
        replace(taken, trials=frozenset(t.trial_id for t in plan.trials)),
    )
    assert (all_taken.whole.tokens, all_taken.num_taken) == (0, 5)
