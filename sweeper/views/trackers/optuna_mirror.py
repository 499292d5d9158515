"""A sweep as a study in an Optuna storage, for `optuna-dashboard` and Optuna's own analyses.

The study's trials have the numbers of ours and are brought up to date. Optuna lets nothing change
in a trial that has ended; so if an ended trial of ours is tried again, the study is made anew.
"""

import math
import warnings
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import assert_never

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import (
    ExperimentalWarning,
    StorageInternalError,
    UpdateFinishedTrialError,
)
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeper.errors import MirrorError
from sweeper.record.follower import Follower
from sweeper.record.ranking import objective
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.trial import Trial
from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.normal import Normal
from sweeper.spec.domains.ranges import LogRandInt, LogUniform, RandInt, Uniform
from sweeper.spec.domains.values import Scalar
from sweeper.spec.space import AnyDomain
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.config import num_params
from sweeper.status import Status
from sweeper.views.trackers.optuna_rows import add_trials

STATES = {
    Status.PENDING: TrialState.WAITING,
    Status.RUNNING: TrialState.RUNNING,
    Status.PAUSED: TrialState.WAITING,
    Status.INTERRUPTED: TrialState.WAITING,
    Status.COMPLETED: TrialState.COMPLETE,
    Status.STOPPED: TrialState.PRUNED,
    Status.DIVERGED: TrialState.FAIL,
    Status.FAILED: TrialState.FAIL,
}
SWEEP = "sweeper:started"  # of a study: which sweep's it is
FAR = 12.0  # standard deviations, within which all draws lie


class _OtherValuesError(Exception):
    """A trial has other values than the storage has, which changes none."""


def default_storage(folder: RunFolder) -> str:
    """The URL of the storage in the run folder."""
    return f"sqlite:///{folder.optuna.resolve()}"


class OptunaMirror:
    """Keeps a study in an Optuna storage up to date with a run folder (a `Mirror`)."""

    def __init__(self, folder: RunFolder, storage: str) -> None:
        """Opens the storage, made if missing.

        Raises:
            MirrorError: it cannot be opened.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.sweep = Follower(folder)
        self.name = folder.name
        if storage.startswith("sqlite:///"):  # SQLite's own files are 0644, whatever the umask
            with suppress(OSError):
                Path(storage.removeprefix("sqlite:///")).touch()
        try:
            self._database = RDBStorage(storage)
        except Exception as error:  # whatever the database's driver raises
            reason = str(error).splitlines()[0]
            raise MirrorError(
                f"--storage {storage}: cannot be opened: {reason}; it must be a URL as "
                "sqlite:///study.db (or that of a server) in a folder that can be written to"
            ) from error
        # The same, which keeps in memory what cannot change.
        self._storage: BaseStorage = optuna.storages.get_storage(self._database)
        self._shown: dict[int, tuple[object, ...]] = {}  # by trial number

    def update(self) -> None:
        """Show what the follower has taken in.

        Raises:
            MirrorError: the storage has another study of this name, or cannot be written.
        """
        try:
            self._update(self._study())
        except StorageInternalError as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise MirrorError(f"the Optuna storage cannot be written: {reason}") from error
        except (UpdateFinishedTrialError, _OtherValuesError):
            # A trial that had ended has been tried again, or one has taken over from another.
            self._storage.delete_study(self._study())
            self._shown = {}
            self._update(self._study())

    def _study(self) -> int:
        """The id of the study, made if missing."""
        started = self.sweep.state.sessions[0].started.isoformat()
        with suppress(KeyError):
            study = self._storage.get_study_id_from_name(self.name)
            if self._storage.get_study_user_attrs(study).get(SWEEP) != started:
                raise MirrorError(
                    f"the storage has a study {self.name!r} that is not of this sweep; "
                    "name another --storage, or delete it: optuna delete-study"
                )
            return study
        spec = self.sweep.state.spec
        made = optuna.create_study(
            storage=self._storage,
            study_name=self.name,
            direction="minimize" if spec.objective.mode == "min" else "maximize",
        )
        with warnings.catch_warnings(category=ExperimentalWarning, action="ignore"):
            made.set_metric_names([spec.objective.metric])
        made.set_user_attr(SWEEP, started)
        if spec.description:
            made.set_user_attr("description", spec.description)
        return self._storage.get_study_id_from_name(self.name)

    def _update(self, study: int) -> None:
        ours = list(self.sweep.state.trials.values())
        if all(self._shown.get(n) == _version(trial) for n, trial in enumerate(ours)):
            return
        there = self._storage.get_all_trials(study, deepcopy=False)
        for number, trial in enumerate(ours[: len(there)]):
            if self._shown.get(number) != _version(trial):
                self._bring_up_to_date(there[number], self._frozen(trial))
                self._shown[number] = _version(trial)
        new = ours[len(there) :]
        add_trials(self._database, study, len(there), [self._frozen(trial) for trial in new])
        self._shown |= {n: _version(trial) for n, trial in enumerate(new, len(there))}

    def _bring_up_to_date(self, there: FrozenTrial, wanted: FrozenTrial) -> None:
        if there.state.is_finished() and _content(there) == _content(wanted):
            return
        if there.params != wanted.params:
            raise _OtherValuesError
        number = there._trial_id  # the storage's own; `there.number` counts within the study
        for step, value in wanted.intermediate_values.items():
            if step not in there.intermediate_values:
                self._storage.set_trial_intermediate_value(number, step, value)
        for key, attribute in wanted.user_attrs.items():
            if there.user_attrs.get(key) != attribute:
                self._storage.set_trial_user_attr(number, key, attribute)
        if there.state != wanted.state:
            values = None if wanted.value is None else [wanted.value]
            self._storage.set_trial_state_values(number, wanted.state, values)

    def _frozen(self, trial: Trial) -> FrozenTrial:
        state, spec = STATES[trial.status], self.sweep.state.spec
        value = objective(self.sweep.state, trial)
        if value is None and state is TrialState.COMPLETE:
            state = TrialState.FAIL  # as Optuna itself has it where an objective is no number
        has_value = state in (TrialState.COMPLETE, TrialState.PRUNED)
        metric = spec.objective.metric
        frozen = create_trial(
            state=state,
            value=value if has_value else None,
            params=dict(trial.values),
            distributions={
                name: _distribution(spec, name, value) for name, value in trial.values.items()
            },
            user_attrs=_attributes(trial),
            intermediate_values={
                seen.step: value
                for seen in trial.evaluations
                if (value := seen.value(metric)) is not None
            },
        )
        frozen.datetime_start = _local(self.sweep.started.get(trial.trial_id))
        if state.is_finished():
            frozen.datetime_complete = _local(self.sweep.ended.get(trial.trial_id))
        return frozen


def _version(trial: Trial) -> tuple[object, ...]:
    """A value that changes whenever something changes that is shown of the trial."""
    values = tuple(trial.values.items())
    return values, trial.status, trial.step, trial.attempts, trial.rung, trial.error


def _content(trial: FrozenTrial) -> tuple[object, ...]:
    return trial.state, trial.value, trial.intermediate_values, trial.user_attrs


def _attributes(trial: Trial) -> dict[str, object]:
    """What the dashboard shows of a trial beside its values."""
    last = trial.last_evaluation
    attributes = {
        "trial": trial.trial_id,
        "status": trial.status.value,
        "num_params": num_params(trial.config),
        "rung": trial.rung,
        "tokens": last and last.tokens,
        "val_perplexity": last and last.val_perplexity,
        "tokens_per_second": last and last.tokens_per_second,
        "error": trial.error and trial.error.splitlines()[-1],
    }
    return {key: value for key, value in attributes.items() if value is not None}


def _local(moment: datetime | None) -> datetime | None:
    """The local time without a zone, which is how Optuna keeps times."""
    return None if moment is None else moment.astimezone().replace(tzinfo=None)


def _distribution(spec: SweepSpec, name: str, value: Scalar) -> BaseDistribution:
    """The distribution of a swept name. Listed numbers are numbers too: only so do plots have an
    axis for them."""
    if name not in spec.space:
        return _listed(spec.repeated_seeds() or [value])
    domain: AnyDomain = spec.space[name]
    if isinstance(domain, Grid | Choice):
        return _listed(domain.values())
    assert isinstance(value, int | float), "a range has numbers"
    match domain:
        case Normal():
            mean, deviation = domain.normal
            return _floats(mean - FAR * deviation, mean + FAR * deviation, value)
        case Uniform():
            return _floats(*domain.bounds(), value)
        case LogUniform():
            return _floats(*domain.bounds(), value, log=True)
        case RandInt():
            return _whole(domain.randint, int(value))
        case LogRandInt():
            return _whole(domain.lograndint, int(value), log=True)
        case _:
            assert_never(domain)


def _floats(low: float, high: float, value: float, *, log: bool = False) -> BaseDistribution:
    """A range that holds the value, even if a population has left the domain as it explored."""
    return FloatDistribution(min(low, value), max(high, value), log=log)


def _whole(bounds: Sequence[int], value: int, *, log: bool = False) -> BaseDistribution:
    return IntDistribution(min(bounds[0], value), max(bounds[1], value), log=log)


def _listed(values: Sequence[Scalar]) -> BaseDistribution:
    kinds = {type(value) for value in values}
    if not kinds <= {int, float}:
        return CategoricalDistribution(values)
    numbers = [value for value in values if isinstance(value, int | float)]
    low, high = min(numbers), max(numbers)
    log = low > 0 and math.log10(high / low) >= 1
    if kinds == {int}:
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(low, high, log=log)
