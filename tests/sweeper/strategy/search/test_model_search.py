"""The model's search: it finds what a formula's best is, without the runs that cannot win, and goes
on after a kill as if there had been none."""

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import result_rows
from sweeper.status import Status
from sweeper.strategy.search.model_search import ModelSearcher
from sweeper.strategy.surface.observation import Observation
from tests.sweeper.closed_form import BEST_LEARNING_RATE
from tests.sweeper.in_process import Killed, Mortal, drive, opened, run_trial
from tests.sweeper.journals import raw_events

RATES = [1e-5 * 2**k for k in range(17)]  # to 0.65: the last diverges
GRID = {"learning_rate": {"grid": RATES}, "weight_decay": {"grid": [0, 0.1, 0.2]}}
FIFO = {"type": "fifo"}
PROMOTE = {"type": "asha", "grace_steps": 4, "mode": "promote"}
STOP = {"type": "asha", "grace_steps": 4}


def new_folder(tmp_path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def kinds(folder: RunFolder) -> list[str]:
    return [event["event"] for event in raw_events(folder.journal)]


@pytest.mark.parametrize("scheduler", [FIFO, STOP, PROMOTE], ids=["fifo", "stop", "promote"])
def test_it_finds_the_best_of_a_grid_and_ends_before_its_end(
    tmp_path: Path, tiny_plan: Any, scheduler: dict[str, Any]
) -> None:
    plan = tiny_plan(space=GRID, scheduler=scheduler, search={"algorithm": "model"})
    assert len(plan.trials) == 51
    folder = new_folder(tmp_path, plan)
    sweep = drive(folder, plan)
    assert len(sweep.trials) < 51 * 0.6
    completed = [t for t in sweep.trials.values() if t.status is Status.COMPLETED]
    best = min(completed, key=lambda trial: trial.evaluations[-1].val_loss or math.inf)
    nearest = min(RATES, key=lambda rate: abs(math.log(rate / BEST_LEARNING_RATE)))
    assert best.values["learning_rate"] == nearest
    assert kinds(folder).count("search_ended") == 1
    assert sweep.state.num_trials == len(sweep.trials)
    ended = sweep.state.search_ended
    assert ended is not None
    assert ended.chance is not None
    assert ended.chance < 0.1
    points = [repr(trial.values) for trial in sweep.trials.values()]
    assert len(set(points)) == len(points), "no point is tried twice"


def test_in_ranges_it_comes_close_to_the_best(tmp_path: Path, tiny_plan: Any) -> None:
    space = {"learning_rate": {"loguniform": [1e-5, 1]}, "weight_decay": {"uniform": [0, 0.3]}}
    plan = tiny_plan(space=space, scheduler=FIFO, search={"algorithm": "model", "num_trials": 20})
    sweep = drive(new_folder(tmp_path, plan), plan)
    losses = {t.values["learning_rate"]: t.evaluations[-1].val_loss for t in sweep.trials.values()}
    best = min(losses, key=lambda rate: losses[rate] or math.inf)
    assert abs(math.log2(float(str(best)) / BEST_LEARNING_RATE)) < 0.5


# A process that is killed does not close its files.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("scheduler", [FIFO, STOP, PROMOTE], ids=["fifo", "stop", "promote"])
def test_killed_at_any_event_it_ends_as_if_never_killed(
    tmp_path: Path, tiny_plan: Any, scheduler: dict[str, Any]
) -> None:
    space = {"learning_rate": {"grid": RATES[::2]}}
    plan = tiny_plan(space=space, scheduler=scheduler, search={"algorithm": "model"})
    whole = new_folder(tmp_path / "whole", plan)
    undisturbed = result_rows(drive(whole, plan).state, whole)
    for at in itertools.count(1, 7):
        folder = new_folder(tmp_path / str(at), plan)
        with pytest.MonkeyPatch.context() as patch:
            Mortal(patch, at, before=bool(at % 2))
            try:
                drive(folder, plan)
            except Killed:
                pass
            else:
                break
        again = result_rows(drive(folder, plan).state, folder)
        told = ("trial_id", "status", "val_loss", "learning_rate", "step")
        assert [[row[k] for k in told] for row in again] == [
            [row[k] for k in told] for row in undisturbed
        ]
    assert at > 14, "killed more than once"


def test_while_a_trial_runs_the_search_does_not_end(tmp_path: Path, tiny_plan: Any) -> None:
    """With such an alpha nothing more is tried once anything has ended."""
    search = {"algorithm": "model", "alpha": 0.999}
    plan = tiny_plan(space={"learning_rate": {"grid": RATES}}, scheduler=FIFO, search=search)
    folder = new_folder(tmp_path, plan)
    with opened(folder, plan) as sweep:
        *ended, running = [sweep.next_trial() for _ in range(4)]
        for trial in ended:
            run_trial(sweep, trial)
        assert sweep.next_trial() is None
        assert "search_ended" not in kinds(folder)
        assert not sweep.is_over
        run_trial(sweep, running)
        assert sweep.next_trial() is None
        assert sweep.is_over
    assert kinds(folder).count("search_ended") == 1


def observed(rate: float, value: float | None, status: Status) -> Observation:
    curve = () if value is None else ((8, value + 1), (16, value))
    return Observation({"learning_rate": rate}, status, value, curve)


def test_what_is_under_way_is_not_asked_for_again(tiny_plan: Any) -> None:
    space = {"learning_rate": {"grid": RATES}}
    plan = tiny_plan(space=space, search={"algorithm": "model", "alpha": 0.001})
    seen = [
        observed(rate, 1 + math.log10(rate / 1e-3) ** 2, Status.COMPLETED) for rate in RATES[:10:3]
    ]
    for _ in range(4):
        point = next(ModelSearcher(plan.spec).points(seen))
        assert point not in [observation.point for observation in seen]
        seen.append(Observation(point, Status.RUNNING))


def test_it_begins_in_the_middle_and_does_not_waste_runs_on_the_ends(tiny_plan: Any) -> None:
    plan = tiny_plan(space={"learning_rate": {"grid": RATES}}, search={"algorithm": "model"})
    seen: list[Observation] = []
    for _ in range(3):
        point = next(ModelSearcher(plan.spec).points(seen))
        seen.append(Observation(point, Status.RUNNING))
    assert [o.point["learning_rate"] for o in seen] == [RATES[8], RATES[5], RATES[11]]


def test_one_end_is_enough_to_leave_the_other_alone(tiny_plan: Any) -> None:
    """A valley is expected over the learning rate: without that, both ends of a space are tried."""
    plan = tiny_plan(space=GRID, search={"algorithm": "model", "alpha": 1e-6})
    seen: list[Observation] = []
    for _ in range(6):
        point = next(ModelSearcher(plan.spec).points(seen))
        rate = point["learning_rate"]
        assert isinstance(rate, float)
        seen.append(observed(rate, 2 + math.log10(rate / 1e-3) ** 2, Status.COMPLETED))
        seen[-1] = replace(seen[-1], point=point)
    tried = [RATES.index(float(str(o.point["learning_rate"]))) for o in seen]
    assert tried[0] == 8
    assert len({0, 1, 2, 14, 15, 16} & set(tried)) <= 1


def test_a_point_that_failed_or_diverged_is_not_tried_again(tiny_plan: Any) -> None:
    space = {"learning_rate": {"grid": RATES[:5]}}
    plan = tiny_plan(space=space, search={"algorithm": "model", "alpha": 0.001})
    seen = [observed(RATES[0], None, Status.DIVERGED), observed(RATES[1], 2.0, Status.COMPLETED)]
    seen += [observed(RATES[2], None, Status.FAILED), observed(RATES[3], 1.9, Status.COMPLETED)]
    assert list(ModelSearcher(plan.spec).points(seen)) == [{"learning_rate": RATES[4]}]
    seen.append(observed(RATES[4], None, Status.COMPLETED))
    assert list(ModelSearcher(plan.spec).points(seen)) == []


@pytest.mark.parametrize(("mode", "best"), [("min", 1), ("max", 7)])
def test_what_is_best_depends_on_the_objective(tiny_plan: Any, mode: str, best: int) -> None:
    space = {"learning_rate": {"grid": RATES[:9]}}
    objective = {"metric": "val_loss", "mode": mode}
    search = {"algorithm": "model", "alpha": 0.001}
    plan = tiny_plan(space=space, search=search, objective=objective)
    sign = 1 if mode == "min" else -1
    seen = [
        observed(RATES[k], 100 + sign * (k - best) ** 2, Status.COMPLETED) for k in range(0, 9, 2)
    ]
    assert next(ModelSearcher(plan.spec).points(seen)) == {"learning_rate": RATES[best]}


def test_an_ask_does_not_get_slower_than_its_trials_allow(tiny_plan: Any) -> None:
    """No timing: the work of an ask is bounded by how many points it looks at."""
    space = {
        "learning_rate": {"grid": RATES},
        "beta1": {"grid": [k / 10 for k in range(10)]},
        "weight_decay": {"grid": [k / 100 for k in range(100)]},
    }
    plan = tiny_plan(space=space, search={"algorithm": "model"})
    seen = [
        Observation(trial.values, Status.COMPLETED, float(k % 7), ((16, float(k % 7)),))
        for k, trial in enumerate(plan.trials[:60])
    ]
    given = list(ModelSearcher(plan.spec).points(seen))
    assert 0 < len(given) <= 500


@pytest.mark.parametrize("best", [3e-3, 3e-2, 0.3, 3.0])
def test_a_few_runs_find_the_valley_in_a_wide_range(tiny_plan: Any, best: float) -> None:
    """Of 5.5 decades, most of which diverge: what is far up in the expected valley is not tried
    only because little is known of how steep it is."""
    rates = [3e-4 * 10 ** (k / 2) for k in range(12)]
    plan = tiny_plan(space={"learning_rate": {"grid": rates}}, search={"algorithm": "model"})
    seen: list[Observation] = []
    while len(seen) < 5 and (point := next(ModelSearcher(plan.spec).points(seen), None)):
        rate = float(str(point["learning_rate"]))
        lost = rate > 30 * best
        loss = None if lost else 2 + math.log10(rate / best) ** 2
        seen.append(observed(rate, loss, Status.DIVERGED if lost else Status.COMPLETED))
        seen[-1] = replace(seen[-1], point=point)
    first, second = (float(str(o.point["learning_rate"])) for o in seen[:2])
    assert abs(math.log10(second / first)) < 1.1, "not the end of the space"
    nearest = min(abs(math.log10(float(str(o.point["learning_rate"])) / best)) for o in seen)
    assert nearest < 0.51, "one of the two beside the best, or it"
