"""What a sweep will do: its spec with every default filled in, and the config of every trial."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.in_bucket import fetch, how_to_make
from sweeper.errors import SpecError
from sweeper.plan.points import NoPointError, draw, with_seeds
from sweeper.plan.rungs import require_rungs, require_stops_at_rungs, with_grace
from sweeper.record.buckets.addresses import is_address, problem_of
from sweeper.spec.points import Point
from sweeper.spec.reading.yaml_source import Problem, YamlSource
from sweeper.spec.scheduler_spec import EarlySpec
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.train_settings import Derived, Stated
from sweeper.spec.trainer.config import AnyConfig
from sweeper.spec.trainer.section import TrainerSpec
from trainable.config import TrainConfig, default_warmup_steps
from trainable.data.meta import read_meta
from trainable.errors import CheckpointError, ConfigError, DataError, UserError
from trainable.validation_sets import is_name, set_of
from trainable.weights.outline import require_fitting

MAX_PROBLEMS = 10  # shown; a bad bundle fails in every combination


@dataclass(frozen=True)
class PlannedTrial:
    """One trial before it runs. Its id is its place in the plan: `0000`, `0001`, …"""

    trial_id: str
    values: Point
    config: AnyConfig


@dataclass(frozen=True)
class Plan:
    """The resolved spec, which states every default, and the trials in order."""

    spec: SweepSpec
    trials: tuple[PlannedTrial, ...]
    dropped: int = 0  # points of the grid, or draws, that the constraints ruled out
    files: Mapping[str, str] = field(default_factory=dict)  # that all trials read

    @property
    def has_stand_ins(self) -> bool:
        """Whether what is tried depends on results, so that random trials stand for it here."""
        return self.spec.search.learns

    def trial_at(self, number: int, values: Point) -> PlannedTrial | None:
        """Trial `number` with these values; None if no run can have them."""
        try:
            if self.spec.admits(values):
                return _planned_trial(number, values, self.spec, self.files)
        except ConfigError:
            pass
        return None


def data_folder(
    stated: str, source: YamlSource, tell: Callable[[str], None] = lambda text: None
) -> Path:
    """What `data:` names; fetched from its bucket, where it is in one and not here yet.

    Raises:
        SpecError: that cannot be.
    """
    if not is_address(stated):
        return Path(stated).resolve()
    problem = problem_of(stated)
    if problem is None:
        try:
            return fetch(stated, tell=tell)
        except DataError as error:
            problem = str(error)
    raise SpecError([source.problem(("data",), problem)])


def check_configs(spec: SweepSpec, source: YamlSource) -> None:
    """Check what can be checked of every trial without data.

    Raises:
        SpecError: a combination that no run can have.
    """
    _plan(_resolve(spec), {}, spec, source)


def make_plan(spec: SweepSpec, data: Path | None, source: YamlSource) -> Plan:
    """Fill in what the file leaves open, and build every trial's config.

    Args:
        data: The prepared folder that this sweep trains on; None where another trainer has its own.
        source: Where the spec was read from, for messages.

    Raises:
        SpecError: a combination that no run can have; data without a file, or without what the
            metric needs.
        DataError: damaged data.
    """
    if data is None or not spec.is_ours:
        return _plan(_resolve(spec), {}, spec, source)
    folder = CorpusFolder(data)
    try:
        _require_data(folder, spec, source)
        resolved = _resolve(spec, data)
    except UserError:
        check_configs(spec, source)  # what is wrong with the file itself is told first
        raise
    return _plan(resolved, folder.of_trials, spec, source)


def plan_again(resolved: SweepSpec, source: YamlSource) -> Plan:
    """The plan of a sweep that has begun, wherever its data are by now: its trials name none.

    Raises:
        SpecError: a combination that no run can have.
    """
    return _plan(resolved, {}, resolved, source)


def _require_data(folder: CorpusFolder, spec: SweepSpec, source: YamlSource) -> None:
    for file in (folder.train, folder.val):
        if not os.path.isfile(file):  # which, unlike a Path, takes names of any length
            address = spec.data if spec.data is not None and is_address(spec.data) else None
            there = os.path.isdir(folder.path)
            place = address or folder.path
            problem = f"{place} has no {file.name}" if there else f"no folder {place}"
            remedy = how_to_make(address) if address else folder.remedy()
            raise SpecError([source.problem(("data",), f"{problem}; {remedy}")])
    metric = spec.objective.metric
    if metric == "val_bits_per_byte" and read_meta(folder.val).bytes_per_token is None:
        problem = f"needs `bytes_per_token` in {folder.meta}; use val_loss, or `prepare` the data"
        raise SpecError([source.problem(("objective", "metric"), problem)])
    for name, file in folder.val_sets.items():
        if not is_name(name):
            problem = f"{file}: a set is named by letters, digits and _; rename the file"
            raise SpecError([source.problem(("data",), problem)])
    if (wanted := set_of(metric)) is not None and wanted not in folder.val_sets:
        others = ", ".join(folder.val_sets) or "none with a name"
        problem = f"{folder.path} has no validation set {wanted} (it has {others})"
        raise SpecError([source.problem(("objective", "metric"), problem)])


def _resolve(spec: SweepSpec, data: Path | None = None) -> SweepSpec:
    """The spec with every training setting stated, except those that each trial has its own of."""
    train: dict[str, Stated] = {**spec.known.defaults}
    if data is not None and (meta := read_meta(CorpusFolder(data).train)).vocab_size is not None:
        train["vocab_size"] = meta.vocab_size
    if spec.trainer is not None:
        known = {name: value for name, value in train.items() if value is not None}
        if spec.trainer.checkpoint_every_steps is None:
            known["checkpoint_every_steps"] = Derived(times=1, of="eval_every_steps")
        train = {**known, **spec.train}
        return spec.model_copy(update={"train": _for_all(train, spec), "trainer": _at_home(spec)})
    if isinstance(spec.scheduler, EarlySpec):
        del train["eval_every_steps"]  # for each trial the one that its rungs ask for
    train |= spec.train
    if "warmup_steps" not in spec.train:
        del train["warmup_steps"]  # for each trial the one that its length asks for
        length = train["max_steps"]
        swept = any("max_steps" in domain.sets(key) for key, domain in spec.space.items())
        if isinstance(length, int | float) and not swept:  # 2e3 is a whole number too
            train["warmup_steps"] = default_warmup_steps(int(length))
    # What the newest checkpoint lacks is what a kill costs: at most the steps since an evaluation.
    train["checkpoint_every_steps"] = spec.train.get(
        "checkpoint_every_steps", Derived(times=1, of="eval_every_steps")
    )
    told = None if data is None else str(data)
    if spec.data is not None and is_address(spec.data):  # each machine has it elsewhere
        told = spec.data
    return spec.model_copy(update={"data": told, "train": _for_all(train, spec)})


def _for_all(train: dict[str, Stated], spec: SweepSpec) -> dict[str, Stated]:
    """The settings that no point decides."""
    conditional = {key for key, domain in spec.space.items() if domain.when is not None}
    decided = {*spec.space, *({"seed"} if spec.seeds is not None else ())} - conditional
    return {name: value for name, value in train.items() if name not in decided}


def _at_home(spec: SweepSpec) -> TrainerSpec:
    """The trainer, with its folder wherever the sweep is resumed from."""
    assert spec.trainer is not None
    folder = os.path.abspath(spec.trainer.folder)
    return spec.trainer.model_copy(update={"folder": folder})


def _plan(
    resolved: SweepSpec, files: Mapping[str, str], spec: SweepSpec, source: YamlSource
) -> Plan:
    """Plan every trial. `spec` is `resolved` as the user has written it, for messages."""
    resolved = with_grace(resolved)
    _require_initial_points(resolved, source)
    try:
        drawn = draw(resolved)
    except NoPointError as error:
        raise SpecError([source.problem(("constraints",), str(error))]) from None
    trials = []
    problems: dict[str, Point] = {}  # with the values of the first trial that has it
    for index, values in enumerate(with_seeds(resolved, drawn.points)):
        try:
            trials.append(_planned_trial(index, values, resolved, files))
        except ConfigError as error:
            problems.setdefault(stated_problem(error, spec, values, source), values)
    if problems:
        shown = [f"{problem}{_where(at)}" for problem, at in problems.items()]
        more = len(shown) - MAX_PROBLEMS
        raise SpecError(shown[:MAX_PROBLEMS] + ([f"… and {more} more"] if more > 0 else []))
    if isinstance(resolved.scheduler, EarlySpec):
        stated = isinstance(spec.scheduler, EarlySpec) and spec.scheduler.states_grace
        configs = [trial.config for trial in trials]
        require_rungs(configs, resolved.scheduler, source, stated=stated)
    dropped = 0 if resolved.search.learns else drawn.dropped
    return Plan(resolved, tuple(trials), dropped, files)


def _planned_trial(
    number: int, values: Point, resolved: SweepSpec, files: Mapping[str, str]
) -> PlannedTrial:
    """Raises:
    ConfigError: no run can have these settings.
    """
    config = resolved.known.config({**files, **resolved.settings(values)})
    if isinstance(config, TrainConfig):
        _require_what_is_ours(config, resolved, with_files=bool(files))
    if isinstance(resolved.scheduler, EarlySpec):
        require_stops_at_rungs(config, resolved.scheduler)
    return PlannedTrial(f"{number:04d}", values, config)


def _require_what_is_ours(config: TrainConfig, resolved: SweepSpec, *, with_files: bool) -> None:
    if resolved.objective.metric == "val_loss_ema" and config.averaged_steps is None:
        raise ConfigError("ema_fraction", "must be set: objective.metric is val_loss_ema, got null")
    if with_files:  # a sweep that only is looked at needs none
        _require_initial_weights(config)


def _require_initial_points(resolved: SweepSpec, source: YamlSource) -> None:
    """Refuse initial points that the constraints rule out: who states a point wants it tried."""
    problem = "`constraints:` rule this point out; change one of them"
    ruled_out: list[Problem] = [
        (("search", "initial", index), problem)
        for index, point in enumerate(resolved.initial_points())
        if not resolved.admits(point)
    ]
    if ruled_out:
        raise SpecError(source.problems(ruled_out))


def _require_initial_weights(config: TrainConfig) -> None:
    if config.init_from is not None:
        try:
            require_fitting(Path(config.init_from), config)
        except CheckpointError as error:
            raise ConfigError("init_from", str(error)) from None


def stated_problem(error: ConfigError, spec: SweepSpec, values: Point, source: YamlSource) -> str:
    """The problem, told at the place where the setting is stated: in `space:` or in `train:`."""
    name = error.key
    for key, domain in spec.space.items():
        if key not in values:
            continue  # not swept there
        if name in domain.meaning(key, values[key]):
            within = "" if name == key else f"{name}: "
            return source.problem(("space", key), f"{within}{error.problem}")
    if name in spec.train:
        return source.problem(("train", name), error.problem)
    return source.problem(("train", name), f"{error.problem} (the default); set it in `train:`")


def _where(values: Point) -> str:
    shown = ", ".join(f"{key}: {value}" for key, value in values.items())
    return f" (in the trial of {{{shown}}})"
