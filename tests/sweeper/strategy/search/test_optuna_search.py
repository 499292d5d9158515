"""Searches that learn: as Optuna by hand, and told all that happened."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import GPSampler, TPESampler
from optuna.trial import TrialState

from sweeper.plan.plan import Plan
from sweeper.record.state.events import Promoted, now
from sweeper.spec.constraints import RELATIONS
from sweeper.status import Status
from sweeper.strategy.search import optuna_search
from sweeper.strategy.search.optuna_axes import sampler_seed
from sweeper.strategy.search.optuna_search import OptunaSearcher
from tests.sweeper.in_process import (
    drive,
    opened,
    run_trial,
)
from tests.sweeper.strategy.search.studies import (
    DISTRIBUTIONS,
    FIFO,
    PROMOTE,
    RATE,
    SPACE,
    STOP,
    mirrored,
    new_folder,
    observed,
    search,
)


@pytest.mark.filterwarnings("ignore:Clip non-finite values")
@pytest.mark.parametrize(
    ("algorithm", "number", "scheduler"),
    [("tpe", 30, STOP), ("tpe", 25, FIFO), ("gp", 14, FIFO)],
    ids=["tpe-stop", "tpe-fifo", "gp-fifo"],
)
def test_it_suggests_what_optuna_does_when_told_the_same_by_hand(
    tmp_path: Path, tiny_plan: Any, algorithm: str, number: int, scheduler: dict[str, Any]
) -> None:
    plan = tiny_plan(space=SPACE, scheduler=scheduler, search=search(algorithm, number))
    sweep = drive(new_folder(tmp_path, plan), plan)
    study = optuna.create_study()
    for index, trial in enumerate(sweep.trials.values()):
        seed = sampler_seed(3, index)
        study.sampler = TPESampler(seed=seed)
        if algorithm == "gp":
            study.sampler = GPSampler(seed=seed, independent_sampler=TPESampler(seed=seed))
        asked = study.ask(DISTRIBUTIONS)
        assert trial.values == {
            "learning_rate": asked.params["learning_rate"],
            "weight_decay": round(0.1 * asked.params["weight_decay"], 1),
            "size": ["small", "large"][asked.params["size"]],
        }
        for seen in trial.evaluations:
            if seen.val_loss is not None:
                asked.report(seen.val_loss, seen.step)
        match trial.status:
            case Status.COMPLETED:
                study.tell(asked, trial.evaluations[-1].val_loss)
            case Status.STOPPED:
                study.tell(asked, state=TrialState.PRUNED)
            case Status.DIVERGED:
                study.tell(asked, math.inf)
    seen = Counter(trial.status for trial in sweep.trials.values())
    assert seen[Status.COMPLETED] > 3
    assert (seen[Status.STOPPED] > 3) == (scheduler is STOP)
    assert algorithm == "gp" or seen[Status.DIVERGED]


def test_a_study_is_told_what_became_of_each_trial(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(space=RATE, scheduler=STOP, search=search("tpe", 16))
    with opened(new_folder(tmp_path, plan), plan) as sweep:
        for number in range(16):
            trial = sweep.next_trial()
            assert trial is not None
            if number == 5:
                sweep.start(trial.trial_id)
                sweep.end(trial.trial_id, error="no memory")
            elif number < 15:
                run_trial(sweep, trial)
        told = mirrored(plan, sweep)
    expected = {
        Status.COMPLETED: TrialState.COMPLETE,
        Status.DIVERGED: TrialState.COMPLETE,
        Status.STOPPED: TrialState.PRUNED,
        Status.FAILED: TrialState.FAIL,
        Status.PENDING: TrialState.RUNNING,
    }
    trials = list(sweep.trials.values())
    assert [t.state for t in told] == [expected[trial.status] for trial in trials]
    assert {trial.status for trial in trials} == set(expected)
    for frozen, trial in zip(told, trials, strict=True):
        if trial.status is Status.PENDING:
            continue  # what it will come to is not known
        losses = {m.step: m.val_loss for m in trial.evaluations if m.val_loss is not None}
        assert frozen.intermediate_values == losses
        if trial.status is Status.COMPLETED:
            assert frozen.value == losses[16]
        if trial.status is Status.DIVERGED:
            assert frozen.value == math.inf, "the worst there is"


@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_diverged_is_the_worst_whichever_way(
    tmp_path: Path, tiny_plan: Any, mode: str
) -> None:
    plan = tiny_plan(
        space={"learning_rate": {"choice": [0.7, 1e-3]}},
        objective={"metric": "val_loss", "mode": mode},
        scheduler=FIFO,
        search=search("tpe", 6),
    )
    told = mirrored(plan, drive(new_folder(tmp_path, plan), plan))
    worst = math.inf if mode == "min" else -math.inf
    assert {trial.value for trial in told if trial.params["learning_rate"] == 0} == {worst}
    assert all(math.isfinite(t.value) for t in told if t.params["learning_rate"] == 1)


def test_a_gaussian_process_copes_with_what_diverged(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(
        space=RATE, scheduler=FIFO, search=search("gp", 13, initial=[{"learning_rate": 0.9}])
    )
    sweep = drive(new_folder(tmp_path, plan), plan)
    assert sweep.trials["0000"].status is Status.DIVERGED
    assert all(trial.status.ended for trial in sweep.trials.values())


def test_what_was_told_of_a_paused_trial_is_taken_back_when_it_is_promoted(
    tmp_path: Path, tiny_plan: Any
) -> None:
    rates = [{"learning_rate": rate} for rate in (1e-3, 1e-2)]
    plan = tiny_plan(space=RATE, scheduler=PROMOTE, search=search("tpe", 5, initial=rates))
    searcher = OptunaSearcher(plan.spec)
    with opened(new_folder(tmp_path, plan), plan) as sweep:

        def told() -> list[str]:
            study = searcher.study(observed(sweep))
            return [trial.state.name for trial in study.trials]

        for _ in rates:
            trial = sweep.next_trial()
            assert trial is not None
            run_trial(sweep, trial)
        assert told() == ["PRUNED", "PRUNED"]
        promoted = sweep.next_trial()
        assert promoted is not None
        assert promoted.trial_id == "0000"
        assert told() == ["RUNNING", "PRUNED"]
        while promoted.status is not Status.COMPLETED:
            run_trial(sweep, promoted)
            if promoted.status is Status.PAUSED:
                assert promoted.rung is not None
                sweep._record(Promoted(time=now(), trial="0000", rung=promoted.rung))
        assert told() == ["COMPLETE", "PRUNED"]


@pytest.mark.parametrize("algorithm", ["sobol", "tpe", pytest.param("gp", marks=pytest.mark.slow)])
def test_every_suggestion_satisfies_the_constraints(
    tmp_path: Path, tiny_plan: Any, algorithm: str
) -> None:
    plan = constrained(tiny_plan, algorithm)
    sweep = drive(new_folder(tmp_path, plan), plan)
    for trial in sweep.trials.values():
        assert RELATIONS["divides"](trial.config.context_length, trial.config.d_ff)
        assert trial.config.learning_rate <= 0.01
    assert TrialState.RUNNING not in {trial.state for trial in mirrored(plan, sweep)}


def constrained(tiny_plan: Any, algorithm: str) -> Plan:
    return tiny_plan(
        space={
            **RATE,
            "width": {"choice": {f"w{d_ff}": {"d_ff": d_ff} for d_ff in range(8, 65, 8)}},
            "size": {"choice": {"short": {"context_length": 8}, "long": {"context_length": 24}}},
        },
        constraints=[
            {"divides": ["context_length", "d_ff"]},
            {"at_most": ["learning_rate", 0.01]},
        ],
        scheduler=FIFO,
        search=search(algorithm, 6 if algorithm == "gp" else 24),  # each ask of gp takes seconds
    )


def test_asked_in_vain_a_trial_gets_the_draw_that_stood_for_it(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def never(searcher: OptunaSearcher) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"learning_rate": 0.9, "width": "w8", "size": "long"}

    monkeypatch.setattr(OptunaSearcher, "_ask", never)
    monkeypatch.setattr(optuna_search, "MAX_ASKS", 7)
    plan = constrained(tiny_plan, "tpe")
    sweep = drive(new_folder(tmp_path, plan), plan)
    assert [t.values for t in sweep.trials.values()] == [t.values for t in plan.trials]
    assert asked == 7 * len(plan.trials)


def test_a_point_that_no_run_can_have_is_asked_for_again(tmp_path: Path, tiny_plan: Any) -> None:
    """The evaluations must divide the first rung: checked for each config, and no constraint."""
    plan = tiny_plan(space=RATE, scheduler=STOP, search=search("tpe", 2))
    assert plan.trial_at(0, {"learning_rate": 0.1}) is not None
    odd = tiny_plan(
        space={"eval_every_steps": {"randint": [1, 4]}},
        train={"checkpoint_every_steps": 4},
        scheduler=FIFO,
        search=search("tpe", 2),
    )
    assert odd.trial_at(0, {"eval_every_steps": 0}) is None
    assert odd.trial_at(1, {"eval_every_steps": 3}) is not None


@pytest.mark.parametrize("algorithm", ["sobol", "tpe", "gp"])
def test_a_name_is_suggested_only_where_its_condition_holds(
    tmp_path: Path, tiny_plan: Any, algorithm: str
) -> None:
    plan = tiny_plan(
        space={
            "weight_decay": {"uniform": [0.1, 0.3], "when": {"size": "large"}},
            **RATE,
            "size": {"choice": {"small": {"d_ff": 16}, "large": {"d_ff": 32}}},
        },
        train={"weight_decay": 0.05},
        scheduler=FIFO,
        search=search(algorithm, 14 if algorithm == "gp" else 24),
    )
    sweep = drive(new_folder(tmp_path, plan), plan)
    assert {t.values["size"] for t in sweep.trials.values()} == {"small", "large"}
    for trial in sweep.trials.values():
        assert list(trial.values) == [key for key in plan.spec.space if key in trial.values]
        assert ("weight_decay" in trial.values) == (trial.values["size"] == "large")
        assert (trial.config.weight_decay == 0.05) == (trial.values["size"] == "small")


def test_each_point_is_told_once_with_the_mean_over_its_seeds(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loss(config: Any, step: int) -> float:
        return config.learning_rate + (10 if config.seed == 7 else 0) + 1 / step

    monkeypatch.setattr("tests.sweeper.closed_form.loss_at", loss)
    plan = tiny_plan(
        space={"learning_rate": {"uniform": [0, 1]}},
        seeds=[1, 7, 4],
        scheduler=FIFO,
        search=search("tpe", 12),
    )
    sweep = drive(new_folder(tmp_path, plan), plan)
    trials = list(sweep.trials.values())
    assert len(trials) == 36
    assert [trial.config.seed for trial in trials] == [1, 7, 4] * 12
    told = mirrored(plan, sweep)
    assert len(told) == 12
    for index, frozen in enumerate(told):
        alike = trials[3 * index : 3 * index + 3]
        assert {trial.values["learning_rate"] for trial in alike} == {
            frozen.params["learning_rate"]
        }
        expected = frozen.params["learning_rate"] + 10 / 3 + 1 / 16
        assert frozen.value == pytest.approx(expected)


@pytest.mark.parametrize("algorithm", ["grid", "random", "sobol", "tpe", "gp"])
def test_known_points_come_first_in_their_order_and_once(
    tmp_path: Path, tiny_plan: Any, algorithm: str
) -> None:
    rates = [1e-4, 1e-3, 1e-2, 1e-1]
    initial = [{"size": "large", "learning_rate": 1e-2}, {"learning_rate": 0.1, "size": "small"}]
    number = {} if algorithm == "grid" else {"num_trials": 8}
    sections: dict[str, Any] = {
        "space": {
            "learning_rate": {"choice": rates},
            "size": {"choice": {"small": {"d_ff": 16}, "large": {"d_ff": 32}}},
        },
        "scheduler": FIFO,
    }
    plain = tiny_plan(**sections, search={"algorithm": algorithm, **number})
    plan = tiny_plan(**sections, search={"algorithm": algorithm, "initial": initial, **number})
    sweep = drive(new_folder(tmp_path, plan), plan)
    values = [trial.values for trial in sweep.trials.values()]
    assert len(values) == len(plan.trials) == 8
    assert values[:2] == initial
    if algorithm == "grid":
        left = [trial.values for trial in plain.trials]
        assert values[2:] == [point for point in left if point not in initial]
    elif algorithm in ("random", "sobol"):
        assert values[2:] == [trial.values for trial in plain.trials][:6]
