"""Searches that learn: as Optuna by hand, told all that happened, the same after a kill."""

import itertools
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import GPSampler, TPESampler
from optuna.trial import TrialState

from sweeper.engine.sweep import Sweep
from sweeper.engine.upcoming.observing import Observer
from sweeper.engine.upcoming.point_search import PointSearch
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.events import Promoted, now
from sweeper.record.state.trial import Trial
from sweeper.record.state.warm_start import WarmStart
from sweeper.record.tables import result_rows
from sweeper.spec.constraints import RELATIONS
from sweeper.status import Decision, Status
from sweeper.strategy.search import optuna_search
from sweeper.strategy.search.optuna_axes import sampler_seed
from sweeper.strategy.search.optuna_search import OptunaSearcher
from sweeper.strategy.surface.observation import Observation
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.in_process import (
    Killed,
    Mortal,
    drive,
    killed_at_each_event,
    opened,
    run_trial,
)
from tests.sweeper.journals import raw_events

RATE = {"learning_rate": {"loguniform": [1e-5, 1]}}  # diverges from 0.5 on
SPACE = {
    **RATE,
    "weight_decay": {"uniform": [0, 0.3], "step": 0.1},
    "size": {"choice": {"small": {"d_ff": 16}, "large": {"d_ff": 32}}},
}
DISTRIBUTIONS = {
    "learning_rate": FloatDistribution(1e-5, 1, log=True),
    "weight_decay": IntDistribution(0, 3),
    "size": CategoricalDistribution([0, 1]),
}
STOP = {"type": "asha", "grace_steps": 4}
PROMOTE = {**STOP, "mode": "promote"}
FIFO = {"type": "fifo"}


def new_folder(tmp_path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def search(algorithm: str, num_trials: int, **more: Any) -> dict[str, Any]:
    return {"algorithm": algorithm, "num_trials": num_trials, "seed": 3, **more}


def observed(sweep: Sweep) -> list[Observation]:
    return Observer(sweep.plan.spec).observations(list(sweep.trials.values()))


def study_of(plan: Plan, sweep: Sweep) -> optuna.Study:
    return OptunaSearcher(plan.spec).study(observed(sweep))


def mirrored(plan: Plan, sweep: Sweep) -> list[Any]:
    """The trials that a study has that has never been asked."""
    return study_of(plan, sweep).trials


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


def live(sweep: Sweep, searcher: OptunaSearcher) -> Counter[TrialState]:
    study = searcher.study(observed(sweep))
    return Counter(trial.state for trial in study.trials)


def test_what_runs_counts_as_running_and_is_not_suggested_twice(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(space=RATE, scheduler=FIFO, search=search("tpe", 24))
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        for _ in range(16):
            trial = sweep.next_trial()
            assert trial is not None
            run_trial(sweep, trial)
        at_once = [sweep.next_trial() for _ in range(8)]
        rates = sorted(math.log10(t.config.learning_rate) for t in at_once if t)
        assert len(rates) == 8
        assert all(a < b for a, b in itertools.pairwise(rates))
        assert isinstance(sweep._upcoming.search.searcher, OptunaSearcher)
        assert live(sweep, sweep._upcoming.search.searcher)[TrialState.RUNNING] == 8
    with opened(folder, plan) as again:
        for trial in iter(again.next_trial, None):
            run_trial(again, trial)
        assert not live(again, OptunaSearcher(plan.spec))[TrialState.RUNNING]


@pytest.mark.parametrize("scheduler", [STOP, PROMOTE, FIFO], ids=["stop", "promote", "fifo"])
@pytest.mark.parametrize("seeds", [None, [0, 1]], ids=["", "seeds"])
def test_a_suggestion_depends_on_what_is_known_alone(
    tmp_path: Path, tiny_plan: Any, scheduler: dict[str, Any], seeds: list[int] | None
) -> None:
    """Four trials at a time, in a random order, some of which fail: each suggestion is that of a
    searcher which has just been made."""
    number = 26 if seeds else 40
    plan = tiny_plan(space=SPACE, scheduler=scheduler, search=search("tpe", number), seeds=seeds)
    rng = random.Random(0)
    with opened(new_folder(tmp_path, plan), plan) as sweep:
        running: list[tuple[Trial, Any]] = []
        suggested = 0
        while running or not sweep.is_over:
            if len(running) < 4:
                known = list(sweep.trials.values())
                is_last = len(known) == len(plan.trials)
                before = None if is_last else PointSearch(plan).next(known)
                trial = sweep.next_trial()
                if trial is not None:
                    if len(sweep.trials) > len(known):
                        assert before is not None
                        assert trial.values == before.values
                        suggested += 1
                    sweep.start(trial.trial_id)
                    running.append((trial, reports_of(trial)))
                    continue
            if running:
                advance(sweep, running, rng)
        assert suggested == len(plan.trials)
        assert isinstance(sweep._upcoming.search.searcher, OptunaSearcher)
        states = live(sweep, sweep._upcoming.search.searcher)
        assert not states[TrialState.RUNNING]


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


def reports_of(trial: Trial) -> Any:
    trainer = ClosedFormTrainer(trial.config, num_threads=None)
    trainer.step = trial.step
    return (report for report in trainer.train() if report is not None)


def advance(sweep: Sweep, running: list[tuple[Trial, Any]], rng: random.Random) -> None:
    """One of those that run reports, fails, or ends."""
    trial, reports = running[rng.randrange(len(running))]
    report = next(reports, None)
    if rng.random() < 0.02:
        sweep.end(trial.trial_id, error="bad luck")
    elif report and sweep.evaluated(trial.trial_id, report) is Decision.CONTINUE:
        return
    else:
        sweep.release(trial.trial_id)
    running.remove((trial, reports))


def earlier_results() -> WarmStart:
    """Of twelve points: enough that the model decides from the first trial on."""
    seen = tuple(
        Observation({"learning_rate": 10 ** (-5 + n * 0.4)}, Status.COMPLETED, abs(n - 6.0))
        for n in range(12)
    )
    return WarmStart("runs/earlier", seen, unfit=2)


@pytest.mark.parametrize(
    "scheduler",
    [pytest.param(STOP, id="stop"), pytest.param(PROMOTE, id="promote", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_any_event_it_goes_on_as_if_never_killed(
    tmp_path: Path,
    tiny_plan: Any,
    scheduler: dict[str, Any],
    before: bool,
) -> None:
    plan = tiny_plan(
        space=RATE, scheduler=scheduler, search=search("tpe", 7, **{"from": "earlier"})
    )
    whole = new_folder(tmp_path / "whole", plan)
    straight = drive(whole, plan, warm_start=earlier_results())

    def run(folder: RunFolder) -> Sweep:
        return drive(folder, plan, warm_start=earlier_results())

    for at, folder in enumerate(killed_at_each_event(tmp_path, plan, run, before=before), 1):
        resumed = run(folder)
        for kind in ("trial_created", "report"):
            assert recorded(folder, kind) == recorded(whole, kind), f"killed at event {at}"
        assert table(resumed, folder) == table(straight, whole), f"killed at event {at}"
        assert len(recorded(folder, "warm_started")) == 1
        states = {trial.state for trial in mirrored(plan, resumed)}
        assert TrialState.RUNNING not in states


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_gaussian_process_too_goes_on_as_if_never_killed(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(space=RATE, scheduler=FIFO, search=search("gp", 3, **{"from": "earlier"}))
    whole, folder = new_folder(tmp_path / "whole", plan), new_folder(tmp_path / "killed", plan)
    drive(whole, plan, warm_start=earlier_results())
    total = len(list(raw_events(whole.journal)))
    for at in (total // 3, total // 3):  # of what each session adds
        with monkeypatch.context() as patch, pytest.raises(Killed):
            Mortal(patch, at, before=False)
            drive(folder, plan, warm_start=earlier_results())
    drive(folder, plan)
    for kind in ("trial_created", "report"):
        assert recorded(folder, kind) == recorded(whole, kind)


def recorded(folder: RunFolder, kind: str) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in event.items() if key != "time"}
        for event in raw_events(folder.journal)
        if event["event"] == kind
    ]


def table(sweep: Sweep, folder: RunFolder) -> list[dict[str, Any]]:
    rows = result_rows(sweep.state, folder)
    return [{k: v for k, v in row.items() if k != "checkpoint"} for row in rows]


def test_earlier_results_decide_from_the_first_trial_on(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(space=RATE, scheduler=FIFO, search=search("tpe", 6, **{"from": "earlier"}))
    cold, warm = (
        [
            trial.config.learning_rate
            for trial in drive(folder, plan, warm_start=start).trials.values()
        ]
        for folder, start in (
            (new_folder(tmp_path / "cold", plan), None),
            (new_folder(tmp_path / "warm", plan), earlier_results()),
        )
    )
    best = 10 ** (-5 + 6 * 0.4)
    off = [sum(abs(math.log10(rate / best)) for rate in rates) for rates in (cold, warm)]
    assert off[1] < off[0] / 2


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
