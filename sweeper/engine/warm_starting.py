"""Reads another sweep's results for a search that goes on from them."""

from collections.abc import Iterator
from pathlib import Path

from sweeper.engine.observing import observe
from sweeper.errors import RunFolderError, SpecError
from sweeper.record.replay import read_state
from sweeper.record.run_folder import find_run_folder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.state.warm_start import WarmStart
from sweeper.spec.points import point_of
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status

# Settings that say how a trial is run, not what it comes to; `data` stands for the files.
UNLIKE = {"seed", "eval_every_steps", "checkpoint_every_steps", "train_data", "val_data", "device"}


def read_warm_start(spec: SweepSpec, runs: Path, source: YamlSource) -> WarmStart:
    """The points of the sweep that `search.from` names which have ended and lie in this space.

    They are found by their settings, whatever was swept there.

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
    different = set() if earlier.data == spec.data else {"data"}
    for trials in _points(state):
        point = point_of(spec.space, trials[0].config.to_dict())
        if point is None or not spec.admits(point):
            unfit += 1
            continue
        observations.append(observe(spec, point, trials))
        then, now_ = trials[0].config.to_dict(), spec.settings(point)
        different |= {name for name in then if name not in UNLIKE and then[name] != now_[name]}
    return WarmStart(str(folder.path), tuple(observations), unfit, tuple(sorted(different)))


def _points(state: SweepState) -> Iterator[list[Trial]]:
    """The trials of each point that have ended, at most one for each seed."""
    alike: dict[str, list[Trial]] = {}
    for trial in state.trials.values():
        if trial.status.ended or trial.status is Status.PAUSED:
            seeded = state.spec.seeds is not None
            values = {k: v for k, v in trial.values.items() if not (seeded and k == "seed")}
            alike.setdefault(repr(values), []).append(trial)
    yield from alike.values()
