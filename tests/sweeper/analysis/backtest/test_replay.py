"""A replayed sweep against real ones: the engine with its journal, on the same curves."""

import heapq
import random
from collections.abc import Sequence
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import pytest

from sweeper.analysis.backtest.reading import read_run
from sweeper.analysis.backtest.recording import Curve, Field, Recording
from sweeper.analysis.backtest.replay import Draw, full_runs, replay
from sweeper.analysis.backtest.searching import chooser
from sweeper.plan.plan import Plan
from sweeper.record.journal import read_journal
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.events import Evaluated
from sweeper.spec.points import Point
from sweeper.status import Decision, Status
from sweeper.strategy.schedulers import make_scheduler
from sweeper.strategy.schedulers.scheduler import Fifo, Scheduler, Verdict
from sweeper.strategy.simulation import Seen
from tests.sweeper.in_process import drive, opened

TRAIN = {"eval_every_steps": 2, "checkpoint_every_steps": 2, "max_steps": 16}
SPACE = {"learning_rate": {"grid": [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1e-1, 0.6, 0.7]}}
SCHEDULERS: list[dict[str, Any]] = [
    {"type": "fifo"},
    {"type": "asha", "grace_steps": 2},
    {"type": "asha", "grace_steps": 2, "brackets": 2},
    {"type": "asha", "grace_steps": 4, "mode": "promote"},
    {"type": "asha", "grace_steps": 2, "mode": "promote", "reduction_factor": 3},
    {"type": "asha", "grace_steps": 4, "compare": "forecast"},
    {"type": "asha", "grace_steps": 4, "compare": "forecast", "mode": "promote"},
    {"type": "asha", "grace_tokens": 4 * 64, "clock": "tokens"},
    {"type": "asha", "grace_steps": 2, "mode": "promote", "reduction_factor": 16},  # no promotions
    {"type": "hyperband", "grace_steps": 2},
    {"type": "hyperband", "grace_steps": 4, "reduction_factor": 2},  # beyond where two diverge
    {"type": "median", "grace_steps": 4, "min_trials": 2},
]
Told = tuple[str, int, Verdict]


class Listening:
    """A scheduler, and what it has said."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.said: list[Told] = []

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        verdict = self.scheduler.report(trial_id, time, value, end)
        self.said.append((trial_id, time, verdict))
        return verdict

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scheduler, name)


@pytest.fixture
def recording(tiny_plan: Any, tmp_path: Path) -> Recording:
    plan = tiny_plan(space=SPACE, train=TRAIN, scheduler={"type": "fifo"})
    folder = create_run_folder(tmp_path / "runs", plan.spec, "whole", "space.yaml")
    drive(folder, plan)
    return read_run(folder)


def in_order(field: Field, plan: Plan) -> tuple[int, ...]:
    points = [curve.point for curve in field.curves]
    return tuple(points.index(trial.values) for trial in plan.trials)


def journaled(folder: RunFolder, pace: int) -> list[Told]:
    return [
        (e.trial, e.metrics.step * pace, e.verdict)
        for e in read_journal(folder.journal)
        if isinstance(e, Evaluated)
    ]


def replayed(field: Field, plan: Plan, slots: int) -> tuple[list[Told], list[int], list[Status]]:
    """What was decided where, with a trial's last evaluation as the engine notes it."""
    spec = plan.spec.scheduler
    scheduler = Listening(make_scheduler(plan.spec))
    draw = Draw(number=0, order=in_order(field, plan), slots=slots)
    outcome = replay(field, draw, scheduler, clock=spec.clock)  # type: ignore[arg-type]
    ends = [field.jobs(spec.clock)[s].stops[-1].clock for s in draw.order]
    said = [
        (trial, at, changed(v, decision=Decision.STOP) if at == ends[int(trial)] else v)
        for trial, at, v in scheduler.said
    ]
    return said, [outcome.steps[s] for s in draw.order], [outcome.ends[s] for s in draw.order]


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=str)
def test_the_decisions_are_those_of_a_real_sweep(
    scheduler: dict[str, Any], recording: Recording, tiny_plan: Any, tmp_path: Path
) -> None:
    """The same engine, trainer and journal, one trial at a time."""
    plan = tiny_plan(space=SPACE, train=TRAIN, scheduler=scheduler)
    folder = create_run_folder(tmp_path / "runs", plan.spec, "real", "space.yaml")
    sweep = drive(folder, plan)
    said, steps, ends = replayed(recording.fields[0], plan, slots=1)
    assert said == journaled(folder, 64 if scheduler.get("clock") == "tokens" else 1)
    assert steps == [trial.step for trial in sweep.trials.values()]
    assert ends == [trial.status for trial in sweep.trials.values()]


def run_on_slots(folder: RunFolder, plan: Plan, field: Field, slots: int) -> None:
    """The engine at work on several slots; its trainers say what was recorded, when it was."""
    curves = [field.curves[setting] for setting in in_order(field, plan)]
    with opened(folder, plan) as sweep:
        running: list[tuple[float, int, str, int]] = []
        now, turn = 0.0, 0

        def go_on(trial_id: str, place: int) -> None:
            nonlocal turn
            turn += 1
            curve = curves[int(trial_id)]
            before = curve.seconds[place - 1] if place else 0.0
            heapq.heappush(running, (now + curve.seconds[place] - before, turn, trial_id, place))

        while True:
            while len(running) < slots and (trial := sweep.next_trial()) is not None:
                sweep.start(trial.trial_id)
                go_on(trial.trial_id, len(trial.evaluations))
            if not running:
                break
            now, _, trial_id, place = heapq.heappop(running)
            seen = curves[int(trial_id)].evaluations[place]
            if sweep.evaluated(trial_id, seen) is Decision.CONTINUE:
                go_on(trial_id, place + 1)
            else:
                sweep.release(trial_id)


def with_other_speeds(field: Field, seed: int) -> Field:
    rng = random.Random(seed)

    def slowed(curve: Curve) -> Curve:
        pace = rng.uniform(0.5, 2)
        return Curve(
            point=curve.point,
            config=curve.config,
            evaluations=curve.evaluations,
            flops_per_token=curve.flops_per_token,
            seconds=tuple(pace * seconds for seconds in curve.seconds),
        )

    return Field(field.spec, [slowed(curve) for curve in field.curves])


@pytest.mark.parametrize("slots", [2, 3, 7])
@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=str)
def test_so_they_are_on_several_slots(
    scheduler: dict[str, Any], slots: int, recording: Recording, tiny_plan: Any, tmp_path: Path
) -> None:
    for seed in range(3):
        field = with_other_speeds(recording.fields[0], seed)
        plan = tiny_plan(
            space=SPACE,
            train=TRAIN,
            scheduler=scheduler,
            search={"algorithm": "grid", "seed": seed},
        )
        folder = create_run_folder(tmp_path / "runs", plan.spec, f"real-{seed}", "space.yaml")
        run_on_slots(folder, plan, field, slots)
        said, _, _ = replayed(field, plan, slots)
        assert said == journaled(folder, 64 if scheduler.get("clock") == "tokens" else 1)


def test_time_and_tokens_of_the_whole_grid_are_arithmetic(recording: Recording) -> None:
    field = recording.fields[0]
    draw = Draw(number=0, order=tuple(range(10)), slots=1)
    outcome = replay(field, draw, Fifo())
    # Eight trials of 16 steps, 0.01 s each, and two that diverge at the first step.
    assert outcome.seconds == pytest.approx(8 * 0.16 + 2 * 0.02)
    assert field.tokens(outcome.steps) == field.whole == (8 * 16 + 2 * 2) * 64
    assert sorted(outcome.ends) == [Status.COMPLETED] * 8 + [Status.DIVERGED] * 2
    assert field.curves[outcome.named or 0].point == {"learning_rate": 1e-3}
    two = replay(field, Draw(number=0, order=tuple(range(10)), slots=2), Fifo())
    assert two.seconds == pytest.approx(outcome.seconds / 2, abs=0.16)


def test_what_is_picked_runs_to_its_end_and_the_rest_never_begins(recording: Recording) -> None:
    field = recording.fields[0]
    outcome = full_runs(field, Draw(number=0, order=(), slots=2), [3, 1], named=1)
    begun = [setting for setting in range(10) if outcome.ends[setting] is not Status.PENDING]
    assert (begun, outcome.named) == ([1, 3], 1)
    assert [outcome.steps[s] for s in begun] == [
        field.curves[s].evaluations[-1].step for s in begun
    ]


@pytest.mark.parametrize("scheduler", SCHEDULERS[:5], ids=str)
def test_a_search_that_learns_is_told_what_a_sweep_tells_it(
    scheduler: dict[str, Any], tiny_plan: Any, tmp_path: Path
) -> None:
    """So it takes the same points in the same order, where it finds them recorded."""
    space = {"learning_rate": {"loguniform": [1e-5, 0.9]}, "weight_decay": {"uniform": [0, 1]}}
    search = {"algorithm": "tpe", "num_trials": 16, "seed": 5}
    plan = tiny_plan(space=space, train=TRAIN, scheduler=scheduler, search=search)
    real = drive(create_run_folder(tmp_path / "runs", plan.spec, "real", "space.yaml"), plan)
    tried = [trial.values for trial in real.trials.values()]

    shuffled = random.Random(0).sample(tried, len(tried))
    again = {"algorithm": "random", "num_trials": 16, "initial": shuffled}
    whole = tiny_plan(space=space, train=TRAIN, scheduler={"type": "fifo"}, search=again)
    folder = create_run_folder(tmp_path / "runs", whole.spec, "whole", "space.yaml")
    drive(folder, whole)
    field = read_run(folder).fields[0]

    choose, created = chooser(field, plan.spec, range(16)), list[Point]()

    def noted(seen: Sequence[Seen]) -> int | None:
        setting = choose(seen)
        if setting is not None:
            created.append(field.curves[setting].point)
        return setting

    outcome = replay(
        field,
        Draw(number=0, order=tuple(range(16)), slots=1),
        make_scheduler(plan.spec),
        choose=noted,
    )
    assert created == tried
    steps = {repr(t.values): t.step for t in real.trials.values()}
    assert [steps[repr(curve.point)] for curve in field.curves] == outcome.steps
