"""Reads another sweep's results for one that goes on from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.upcoming.observing import observe
from sweeper.errors import RunFolderError, SpecError
from sweeper.plan.cost.forecast import Taken
from sweeper.plan.plan import Plan
from sweeper.record.replay import read_state
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.state.events import EarlierTrial, Fingerprint
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.state.warm_start import OF_THE_RUN, WarmStart, results_key
from sweeper.spec.points import Point, point_of
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status

UNLIKE = {"seed", *OF_THE_RUN}
WHOLE = (Status.COMPLETED, Status.DIVERGED)  # there is no more to learn by running on


@dataclass(frozen=True, kw_only=True)
class Here:
    """What a trial of the earlier sweep must have been to be one of this sweep's own."""

    plan: Plan
    fingerprint: Fingerprint


def read_warm_start(
    spec: SweepSpec, runs: Path, source: YamlSource, here: Here | None = None
) -> WarmStart:
    """The points of the sweep that `search.from` names which have ended and lie in this space.

    They are found by their settings, whatever was swept there.

    Args:
        here: None: no trial is taken as it is.

    Raises:
        SpecError: there is no such sweep, or it was about something else.
    """
    assert spec.search.from_run is not None
    try:
        folder = find_run_folder(runs, spec.search.from_run)
    except RunFolderError as error:
        raise SpecError([source.problem(("search", "from"), str(error))]) from None
    state = read_state(folder)
    earlier = state.spec
    if earlier.objective != spec.objective:
        was, now = (f"{each.mode} {each.metric}" for each in (earlier.objective, spec.objective))
        problem = f"that sweep's objective is {was}, and this one's {now}; results do not compare"
        raise SpecError([source.problem(("search", "from"), problem)])
    observations, unfit = [], 0
    different = _different_grounds(state, spec, here)
    for trials in _points(state):
        point = point_of(spec.space, trials[0].config.to_dict(), spec.known)
        if point is None or not spec.admits(point):
            unfit += 1
            continue
        observations.append(observe(spec, point, trials))
        then, now_ = trials[0].config.to_dict(), spec.settings(point)
        names = (then.keys() | now_.keys()) - {*UNLIKE}
        different |= {name for name in names if then.get(name) != now_.get(name)}
    return WarmStart(
        str(folder.path),
        tuple(observations),
        unfit,
        tuple(sorted(different)),
        () if here is None else tuple(_taken(state, here)),
    )


def _different_grounds(state: SweepState, spec: SweepSpec, here: Here | None) -> set[str]:
    """Whether the two train on other data, or by other code, as far as that is known."""
    then = [session.environment.fingerprint for session in state.sessions]
    if state.spec.trainer != spec.trainer:
        return {"trainer"}
    if here is None or not all(each.code for each in then):
        return set() if state.spec.data == spec.data else {"data"}
    found = set() if all(each.data == here.fingerprint.data for each in then) else {"data"}
    if any(each.code != here.fingerprint.code for each in then):
        found.add("the training code")
    return found


def _taken(state: SweepState, here: Here) -> Iterator[EarlierTrial]:
    """The trials that have come to their ends there with the settings that one here would have, on
    the same data and by the same code in all of its sessions."""
    then = [session.environment.fingerprint for session in state.sessions]
    ours = (here.fingerprint.code, here.fingerprint.data)
    if state.spec.scheduler.type == "pbt" or any((t.code, t.data) != ours for t in then):
        return
    spec = here.plan.spec
    if state.spec.trainer != spec.trainer:
        return
    planned = {repr(_without_seed(trial.values, spec)) for trial in here.plan.trials}
    for trial in state.trials.values():
        if trial.status not in WHOLE or not trial.evaluations:
            continue
        config = trial.config.to_dict()
        point = point_of(spec.space, config, spec.known)
        if point is None or not (here.plan.has_stand_ins or repr(point) in planned):
            continue
        if spec.repeats_points and trial.config.seed not in _seeds(spec):
            continue
        seed = {"seed": trial.config.seed} if spec.repeats_points else {}
        same = here.plan.trial_at(0, point | seed)
        if same is not None and results_key(same.config.to_dict()) == results_key(config):
            yield EarlierTrial(
                id=trial.trial_id,
                status=trial.status,
                config=config,
                evaluations=tuple(trial.evaluations),
            )


def _seeds(spec: SweepSpec) -> list[int]:
    """All that its trials may have, where points are repeated."""
    return spec.repeated_seeds() if spec.seeds else [spec.first_seed, *spec.repeated_seeds()]


def _without_seed(values: Point, spec: SweepSpec) -> Point:
    return {k: v for k, v in values.items() if not (spec.repeats_points and k == "seed")}


def _points(state: SweepState) -> Iterator[list[Trial]]:
    """The trials of each point that have ended, at most one for each seed."""
    alike: dict[str, list[Trial]] = {}
    for trial in state.trials.values():
        if trial.status.ended or trial.status is Status.PAUSED:
            alike.setdefault(repr(_without_seed(trial.values, state.spec)), []).append(trial)
    yield from alike.values()


def taken_from_earlier(plan: Plan, runs: Path, source: YamlSource, trainer: str) -> Taken:
    """What the sweep that `search.from` names would spare. Of a search that learns it is not known
    beforehand.

    Raises:
        SpecError: there is no such sweep, or it was about something else.
    """
    here = Here(plan=plan, fingerprint=take_fingerprint(plan.spec, trainer))
    found = read_warm_start(plan.spec, runs, source, here)
    known = () if plan.has_stand_ins else plan.trials
    trials = (trial for trial in known if found.trial_with(trial.config.to_dict()) is not None)
    return Taken(trials=frozenset(t.trial_id for t in trials), different=found.different)
