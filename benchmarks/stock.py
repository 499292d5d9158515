"""What others do, on the same curves: Ray Tune's own ASHA, Optuna's pruners and samplers. Their
objects are driven directly, as their own loops do it."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.pruners import SuccessiveHalvingPruner as HalvingPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from benchmarks.plain_process import FLOOR, coordinates, whole_runs
from sweeper.analysis.backtest.recording import Field, Recording
from sweeper.analysis.backtest.replay import Draw, Outcome, replay
from sweeper.analysis.backtest.strategies import Play, Strategy, rung_near, scheduled
from sweeper.spec.points import Point
from sweeper.status import Decision, Status
from sweeper.strategy.schedulers.scheduler import Fifo, Verdict
from sweeper.strategy.simulation import Seen

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")  # what is experimental; that no trial has come so far yet
MakeSampler = Callable[[int], BaseSampler]


class TuneAsha(Fifo):
    """Ray Tune's AsyncHyperBandScheduler, told as Tune tells it."""

    def __init__(self, grace: int, max_steps: int, factor: int) -> None:
        self.tune = AsyncHyperBandScheduler(
            time_attr="step",
            metric="loss",
            mode="min",
            grace_period=grace,
            max_t=max_steps,
            reduction_factor=factor,
        )
        self.controller = cast(Any, None)  # it is asked for nothing
        self.trials: dict[str, Any] = {}

    def added(self, trial_id: str, end: int, point: Point | None = None) -> None:
        self.trials[trial_id] = SimpleNamespace(trial_id=trial_id)
        self.tune.on_trial_add(self.controller, self.trials[trial_id])

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        result = {"step": time, "loss": math.nan if value is None else value}
        decided = self.tune.on_trial_result(self.controller, self.trials[trial_id], result)
        stops = decided == TrialScheduler.STOP
        return Verdict(Decision.STOP if stops else Decision.CONTINUE)


class Pruned(Fifo):
    """An Optuna study's pruner; its trials are those that the sweep begins."""

    def __init__(self, study: optuna.Study) -> None:
        self.study = study
        self.trials: dict[str, optuna.Trial] = {}

    def added(self, trial_id: str, end: int, point: Point | None = None) -> None:
        self.trials[trial_id] = self.study.ask()

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        trial = self.trials[trial_id]
        if value is None:  # it has diverged
            self.study.tell(trial, state=TrialState.FAIL)
            return Verdict(Decision.STOP)
        trial.report(value, time)
        if time >= end:
            self.study.tell(trial, value)
        elif trial.should_prune():
            self.study.tell(trial, state=TrialState.PRUNED)
            return Verdict(Decision.STOP)
        return Verdict(Decision.CONTINUE)


def pruners(recording: Recording) -> dict[str, Callable[[], BasePruner]]:
    eighth, ninth = rung_near(recording, 1 / 8), rung_near(recording, 1 / 9)
    quarter, end = rung_near(recording, 1 / 4), recording.max_steps
    return {
        "median": lambda: MedianPruner(n_warmup_steps=quarter),
        "successive halving": lambda: HalvingPruner(min_resource=eighth, reduction_factor=2),
        "hyperband": lambda: HyperbandPruner(min_resource=ninth, max_resource=end),
    }


def stopping(recording: Recording) -> list[Strategy]:
    """Stock schedulers, each over the whole grid."""
    found = []
    for share in (1 / 8, 1 / 4):
        grace = rung_near(recording, share)
        make = _tune(grace, recording.max_steps)
        found.append(scheduled(f"Ray's ASHA, rf 2, grace {grace}", make))
    for name, pruner in pruners(recording).items():
        found.append(scheduled(f"Optuna's {name} pruner", _pruned(pruner)))
    return found


def _tune(grace: int, max_steps: int) -> Callable[[Field], TuneAsha]:
    return lambda field: TuneAsha(grace, max_steps, 2)


def _pruned(pruner: Callable[[], BasePruner]) -> Callable[[Field], Pruned]:
    return lambda field: Pruned(_study(RandomSampler(seed=0), pruner()))


def _study(sampler: BaseSampler, pruner: BasePruner) -> optuna.Study:
    return optuna.create_study(sampler=sampler, pruner=pruner, study_name="replay")


SAMPLERS: dict[str, MakeSampler] = {
    "TPE": lambda seed: TPESampler(seed=seed),
    "GP": lambda seed: GPSampler(seed=seed),
}


class Sampled:
    """One of Optuna's samplers over the axes of the settings, which are ranges to it; the setting
    nearest to its point is run, and it is told where that lies and what came of it."""

    def __init__(self, recording: Recording, make: MakeSampler) -> None:
        self.places = coordinates(recording)
        self.axes: dict[str, BaseDistribution] = {
            f"x{axis}": FloatDistribution(0, 1) for axis in range(self.places.shape[1])
        }
        self.make = make

    def ask(self, study: optuna.Study, left: Sequence[int]) -> tuple[optuna.Trial, int]:
        trial = study.ask(self.axes)
        point = np.array([trial.params[axis] for axis in self.axes])
        nearest = ((self.places[left] - point) ** 2).sum(1).argmin()
        return trial, left[int(nearest)]

    def tell(self, study: optuna.Study, trial: optuna.Trial, setting: int, **outcome: Any) -> None:
        study.tell(trial, state=TrialState.FAIL)  # that one is ignored; this is what was run:
        params = dict(zip(self.axes, map(float, self.places[setting]), strict=True))
        study.add_trial(create_trial(params=params, distributions=self.axes, **outcome))

    def runs(self, field: Field, draw: Draw) -> Iterator[tuple[list[int], int]]:
        """Without a pruner: one whole run after another, named by the lowest value."""
        study, run = _study(self.make(draw.number), NopPruner()), list[int]()
        while len(run) < len(field.curves):
            trial, setting = self.ask(study, [s for s in draw.order if s not in run])
            run.append(setting)
            score = field.score(setting)
            worst = max((s for s in map(field.score, run) if math.isfinite(s)), default=FLOOR)
            self.tell(study, trial, setting, value=min(score, worst))
            yield list(run), min(run, key=field.score)

    def pruned(self, field: Field, draw: Draw, pruner: BasePruner, budget: float) -> list[Seen]:
        """With one, one trial after another as its loop does it, as long as there is budget."""
        scheduler = _SampledAndPruned(self, _study(self.make(draw.number), pruner))
        begun: list[Seen] = []

        def choose(seen: Sequence[Seen]) -> int | None:
            begun[:] = seen
            if affordable_trials(field, seen, budget) < len(seen) or len(seen) == len(draw.order):
                return None
            tried = {one.job for one in seen}
            return scheduler.ask([s for s in draw.order if s not in tried])

        replay(field, Draw(number=draw.number, order=draw.order, slots=1), scheduler, choose=choose)
        return begun


def affordable_trials(field: Field, seen: Sequence[Seen], budget: float) -> int:
    """How many trials are begun, one after the other, until half a run more would be too much."""
    spent, half = 0, field.whole / len(field.curves) / 2
    for number, one in enumerate(seen):
        if number and spent + half > budget * field.whole:
            return number
        spent += field.curves[one.job].evaluations[one.stops - 1].tokens or 0
    return len(seen)


class _SampledAndPruned(Pruned):
    def __init__(self, sampled: Sampled, study: optuna.Study) -> None:
        super().__init__(study)
        self.sampled = sampled
        self.asked: tuple[optuna.Trial, int] | None = None

    def ask(self, left: Sequence[int]) -> int:
        self.asked = self.sampled.ask(self.study, left)
        return self.asked[1]

    def added(self, trial_id: str, end: int, point: Point | None = None) -> None:
        assert self.asked is not None
        self.trials[trial_id] = self.asked[0]


def sampling(name: str) -> Callable[[Recording, Sequence[float]], list[Strategy]]:
    """One of the samplers, without a pruner and with the median one."""

    def strategies(recording: Recording, budgets: Sequence[float]) -> list[Strategy]:
        sampled = Sampled(recording, SAMPLERS[name])
        alone = whole_runs(f"Optuna's {name}", sampled.runs, budgets)
        return [*alone, *_with_pruner(name, sampled, recording, budgets)]

    return strategies


def _with_pruner(
    name: str, sampled: Sampled, recording: Recording, budgets: Sequence[float]
) -> list[Strategy]:
    """As `whole_runs`: the dearest is computed, and the others are its beginnings."""
    known: dict[tuple[int, int], list[Seen]] = {}

    def play(budget: float) -> Play:
        def played(field: Field, draw: Draw) -> Outcome:
            key = id(field), draw.number
            if key not in known:
                pruner = pruners(recording)["median"]()
                known[key] = sampled.pruned(field, draw, pruner, max(budgets))
            begun = known[key][: affordable_trials(field, known[key], budget)]
            return one_by_one(field, begun)

        return played

    title = f"Optuna's {name}, median pruner"
    return [Strategy(name=title, play=play(budget), budget=budget) for budget in budgets]


def one_by_one(field: Field, begun: Sequence[Seen]) -> Outcome:
    steps, ends = [0] * len(field.curves), [Status.PENDING] * len(field.curves)
    seconds = 0.0
    for one in begun:
        curve = field.curves[one.job]
        steps[one.job], ends[one.job] = curve.evaluations[one.stops - 1].step, one.status
        seconds += curve.seconds[one.stops - 1]
    completed = [one.job for one in begun if one.status is Status.COMPLETED]
    named = min(completed, key=field.score, default=None)
    return Outcome(steps=steps, ends=ends, seconds=seconds, named=named)
