"""Points that Optuna suggests from results: imported only for a search that learns.

The study mirrors the sweep's points in the order in which they were tried; each is a trial of it. A
sampler is made anew for each point, seeded by the search's seed and the number of the point. It
keeps nothing, so the point depends on the study alone.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

import optuna
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeper.spec.points import Point, is_swept
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status
from sweeper.strategy.search.optuna_axes import SearchAxis, sampler_seed
from sweeper.strategy.surface.observation import Observation

MAX_ASKS = 100  # for one trial; each takes the time of a point


class OptunaSearcher:
    """Gives points near good results: up to MAX_ASKS for one trial, in case the constraints rule
    some out, or no run can have them."""

    chance = None  # Optuna does not say

    def __init__(self, spec: SweepSpec, earlier: Sequence[Observation] = ()) -> None:
        self.spec = spec
        self.earlier = earlier
        self.axes = {
            key: SearchAxis(key, domain, self.spec.known) for key, domain in self.spec.space.items()
        }
        self._forget()

    def _forget(self) -> None:
        self._storage = InMemoryStorage()
        self._study = optuna.create_study(
            storage=self._storage,
            direction="minimize" if self.spec.objective.mode == "min" else "maximize",
        )
        self._told: list[Observation] = []
        self._ids: list[int] = []  # of what was told, in the study

    def points(self, observations: Sequence[Observation]) -> Iterator[Point]:
        study = self.study(observations)
        study.sampler = self._sampler(len(observations))
        for _ in range(MAX_ASKS):
            yield self._ask()

    def _sampler(self, index: int) -> BaseSampler:
        seed = sampler_seed(self.spec.search.seed, index)
        tpe = TPESampler(seed=seed, constant_liar=True)
        if self.spec.search.algorithm == "tpe":
            return tpe
        # Without this it would draw at random where the process cannot tell: while few trials have
        # completed, and for names with a condition.
        return GPSampler(seed=seed, independent_sampler=tpe, warn_independent_sampling=False)

    def _ask(self) -> Point:
        """A point. Optuna's own trial of it ends at once. What becomes of the point, Optuna is told
        from the sweep's trials, with the values that the journal has."""
        point: Point = {}
        with warnings.catch_warnings():
            # of a diverged trial, whose value is infinite: it becomes that of the worst
            warnings.filterwarnings("ignore", message="Clip non-finite values")
            trial = self._study.ask()
            for key in self._in_order_of_conditions():
                if is_swept(self.spec.space, key, point):
                    point[key] = self.axes[key].suggest(trial)
        self._study.tell(trial, state=TrialState.FAIL)
        return {key: point[key] for key in self.spec.space if key in point}

    def _in_order_of_conditions(self) -> list[str]:
        """The names, each after those that its condition depends on."""
        waiting, ordered = list(self.spec.space), list[str]()
        while waiting:
            ready = [k for k in waiting if not set(self.spec.space[k].when or {}) & set(waiting)]
            ordered += ready
            waiting = [key for key in waiting if key not in ready]
        return ordered

    def study(self, observations: Sequence[Observation]) -> optuna.Study:
        """The study that mirrors these points. It also has the trials that `_ask` has ended."""
        for number, seen in enumerate([*self.earlier, *map(_as_told, observations)]):
            if number == len(self._told):
                frozen = self._frozen(seen)
                study_id = self._storage.get_study_id_from_name(self._study.study_name)
                self._ids.append(self._storage.create_new_trial(study_id, frozen))
                self._told.append(seen)
            elif self._told[number] != seen:
                if self._told[number].status is not Status.RUNNING:
                    self._forget()  # a trial was promoted; Optuna knows no way back from an end
                    return self.study(observations)
                self._tell(self._ids[number], self._frozen(seen))
                self._told[number] = seen
        return self._study

    def _frozen(self, seen: Observation) -> FrozenTrial:
        """An observation as a trial of Optuna's."""
        state, value = TrialState.COMPLETE, seen.value
        match seen.status:
            case Status.RUNNING:
                state = TrialState.RUNNING
            case Status.FAILED:
                state = TrialState.FAIL
            case Status.STOPPED:
                state, value = TrialState.PRUNED, seen.curve[-1][1] if seen.curve else None
            case _ if value is None:  # diverged, or without a value at its end: the worst
                value = float("inf" if self.spec.objective.mode == "min" else "-inf")
        return create_trial(
            state=state,
            value=value,
            params={key: self.axes[key].param(value) for key, value in seen.point.items()},
            distributions={key: self.axes[key].distribution for key in seen.point},
            intermediate_values=dict(seen.curve),
        )

    def _tell(self, trial_id: int, ended: FrozenTrial) -> None:
        for time, value in ended.intermediate_values.items():
            self._storage.set_trial_intermediate_value(trial_id, time, value)
        self._storage.set_trial_state_values(trial_id, ended.state, ended.values)


def _as_told(seen: Observation) -> Observation:
    """Optuna hears of a curve when its trials have ended or wait."""
    return replace(seen, curve=()) if seen.status is Status.RUNNING else seen
