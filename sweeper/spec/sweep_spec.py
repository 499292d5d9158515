"""A sweep as the user states it: the typed form of a search-space file."""

import os
from collections.abc import Mapping
from functools import cached_property
from itertools import count, islice
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    WithJsonSchema,
)

from sweeper.spec.constraints import Constraint
from sweeper.spec.domains.domain import Conditions
from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.values import (
    PositiveWhole,
    Scalar,
    Settings,
    WholeNumber,
    each_once,
    tag,
    tagged,
    whole,
)
from sweeper.spec.operating.notify import Notify
from sweeper.spec.operating.share import ClusterShare
from sweeper.spec.operating.spend import MaxSpend
from sweeper.spec.points import Point, known_point
from sweeper.spec.scheduler_spec import AnySchedulerSpec, EarlySpec, FifoSpec
from sweeper.spec.sizes import SIZE_PATTERN, parse_size
from sweeper.spec.space import AnyDomain
from sweeper.spec.train_settings import Derived, Stated, derive
from sweeper.spec.trainer.section import AnyTrainerSpec
from sweeper.spec.trainer.settings import OURS, KnownSettings, known_settings
from trainable.config import default_warmup_steps
from trainable.errors import ConfigError

LEARNERS = ("tpe", "gp", "model")  # the searches whose points depend on results
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
MAX_NAME = 64  # letters
# What may change when a sweep is resumed: how its trials are run, and how many there are; not what
# they are, or how they are compared. A key stands for everything within it.
CHANGEABLE = (
    "description",
    "data",  # where it is; what is in it stays the same
    "trainer.folder",  # so too
    "search.num_trials",
    "finals",  # until they begin
    "resources",
    "max_concurrent",
    "max_retries",
    "trial_timeout_s",
    "checkpoints",
    "max_spend",
    "share",
    "notify",
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Mode = Literal["min", "max"]
# What our own training loop can be judged by.
OUR_METRICS = ("val_loss", "val_perplexity", "val_bits_per_byte", "val_loss_ema", "train_loss")
PathText = Annotated[str, AfterValidator(os.path.expanduser)]  # `~/data` is in the home folder


class Objective(_Section):
    """What makes one trial better than another."""

    metric: Annotated[str, Field(min_length=1)] = "val_loss"  # of ours, one of OUR_METRICS
    mode: Mode = "min"

    @property
    def falls(self) -> bool:
        """Whether it is a loss, which comes down as the schedule of the learning rate does."""
        return self.mode == "min"


def sign_of(mode: Mode) -> float:
    """The objective times this is less where it is better."""
    return 1.0 if mode == "min" else -1.0


class Search(_Section):
    """How points are drawn from the space."""

    model_config = ConfigDict(serialize_by_alias=True)

    algorithm: Literal["grid", "random", "sobol", "tpe", "gp", "model"] = "grid"
    seed: WholeNumber = Field(default=0, ge=0)
    num_trials: PositiveWhole | None = None
    alpha: Annotated[float, Field(gt=0, lt=1)] | None = None  # `model` ends at such a chance
    initial: Annotated[list[dict[str, Scalar]], Field(min_length=1)] | None = None
    from_run: PathText | None = Field(default=None, alias="from")

    @property
    def learns(self) -> bool:
        return self.algorithm in LEARNERS


def _whole_above_one(gpu: float) -> float:
    if gpu > 1 and not gpu.is_integer():
        raise ValueError(f"must be whole above 1 (below, trials share a GPU), got {gpu:g}")
    return gpu


Cpus = Annotated[float, Field(gt=0)]
Gpus = Annotated[float, Field(ge=0), AfterValidator(_whole_above_one)]


class ResourceCase(_Section):
    """What trials get that have these values. What is not stated here is as for all trials."""

    when: Conditions
    cpu: Cpus | None = None
    gpu: Gpus | None = None
    processes: PositiveWhole | None = None

    def holds(self, values: Point) -> bool:
        return all(name in values and values[name] in self.when[name] for name in self.when)


class Resources(_Section):
    """What one trial gets: what the first case says that holds for it, otherwise these values."""

    cpu: Cpus = 1
    gpu: Gpus = 0
    processes: PositiveWhole | None = None  # that share a trial; null: one a GPU, or one
    cases: list[ResourceCase] = Field(default_factory=list)


def _auto_or_stated(value: object) -> str:
    return tag("auto" if isinstance(value, str) else "stated")


AnyResources = Annotated[
    Annotated[Literal["auto"], tagged("auto")] | Annotated[Resources, tagged("stated")],
    Discriminator(_auto_or_stated),
]


Seed = Annotated[int, Field(ge=0), BeforeValidator(whole)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(each_once)]


Size = Annotated[
    int,
    Field(ge=1),
    BeforeValidator(whole),
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": SIZE_PATTERN},
            ]
        }
    ),
]


class FinalsSpec(_Section):
    """The best points, when all have been tried: run with more seeds, until one stands out."""

    top: WholeNumber = Field(default=3, ge=2, le=100)  # at most so many points
    seeds: WholeNumber = Field(default=3, ge=1, le=100)  # more, of each, at most
    confidence: float = Field(default=0.95, ge=0.5, lt=1)  # that who wins is ahead by no chance


class CheckpointsSpec(_Section):
    """Which checkpoints stay on storage."""

    keep: WholeNumber = Field(default=2, ge=2)  # the second in case the newest is damaged
    budget: Size | None = None  # bytes, of all trials together


class SweepSpec(_Section):
    """A whole search-space file."""

    name: str = Field(pattern=NAME_PATTERN, max_length=MAX_NAME)
    description: str = ""
    data: PathText | None = None
    trainer: AnyTrainerSpec | None = None  # null: `trainable`
    train: dict[str, Stated] = Field(default_factory=dict)
    space: dict[str, AnyDomain] = Field(min_length=1)
    constraints: list[Constraint] = Field(default_factory=list)
    seeds: Seeds | None = None
    finals: FinalsSpec | None = None
    objective: Objective = Objective()
    search: Search = Search()
    scheduler: AnySchedulerSpec = FifoSpec()
    resources: AnyResources = "auto"
    max_concurrent: PositiveWhole | None = None
    max_retries: WholeNumber = Field(default=2, ge=0)
    checkpoints: CheckpointsSpec = CheckpointsSpec()
    trial_timeout_s: Annotated[float, Field(gt=0)] | None = 3600
    max_spend: MaxSpend | None = None
    share: ClusterShare = ClusterShare()
    notify: Notify | None = None

    @cached_property
    def known(self) -> KnownSettings:
        """The settings of the program that trains."""
        return known_settings(self.trainer)

    @property
    def is_ours(self) -> bool:
        """Whether `trainable` trains."""
        return self.trainer is None

    @property
    def evaluated_by(self) -> str:
        """The metric that makes metrics an evaluation."""
        return "val_loss" if self.is_ours else self.objective.metric

    def swept_names(self) -> list[str]:
        """Every name that may be among a trial's values, in the order of the file."""
        return [*self.space, *(["seed"] if self.repeats_points else [])]

    @property
    def repeats_points(self) -> bool:
        """Whether a point may have trials that differ in their seed alone."""
        return self.seeds is not None or self.finals is not None

    @property
    def num_seeds(self) -> int:
        """How many seeds every point is run with."""
        return 1 if self.seeds is None else len(self.seeds)

    @property
    def first_seed(self) -> int:
        """That of a point's first trial, where the space does not sweep it."""
        seed = self.seeds[0] if self.seeds else self.train.get("seed", self.known.defaults["seed"])
        assert isinstance(seed, int), "a setting that is a whole number, and never derived"
        return seed

    def fresh_seeds(self) -> list[int]:
        """Those of the finals, one for each round: the lowest that no trial before them has."""
        if self.finals is None:
            return []
        used = {*(self.seeds or [self.first_seed])}
        return list(islice((seed for seed in count() if seed not in used), self.finals.seeds))

    def repeated_seeds(self) -> list[int]:
        """Those that a point may be run with as one of its values, in their order."""
        return [*(self.seeds or []), *self.fresh_seeds()]

    def initial_points(self) -> list[Point]:
        return [
            known_point(self.space, stated, self.known)[0] for stated in self.search.initial or []
        ]

    def admits(self, point: Point) -> bool:
        """Whether a point satisfies every constraint."""
        if not self.constraints:
            return True
        settings = self.settings(point)
        return all(constraint.holds(settings) for constraint in self.constraints)

    def settings(self, point: Point) -> Settings:
        """All training settings at a point: defaults, then `train:`, then what is swept."""
        stated = {**self.train}
        for key, value in point.items():
            # the seed that `seeds:` gives is no key of the space
            stated |= self.space[key].meaning(key, value) if key in self.space else {key: value}
        if isinstance(weights := stated.get("init_from"), str):
            stated["init_from"] = os.path.expanduser(weights)
        settings = self._derived(stated)
        if not self.is_ours:
            return settings
        length = settings["max_steps"]
        if "warmup_steps" not in stated and isinstance(length, int | float):
            shortest = self._shortest(point, settings, int(length))
            stated |= {"warmup_steps": default_warmup_steps(shortest)}
            settings = self._derived(stated)
        if "eval_every_steps" in stated or not isinstance(self.scheduler, EarlySpec):
            return settings
        try:
            first_rung = self._first_rung(self.scheduler, settings)
        except ConfigError:
            return settings  # refused where the trial is planned
        return self._derived(stated | {"eval_every_steps": first_rung})

    def _derived(self, stated: Mapping[str, Scalar | Derived]) -> Settings:
        return derive({**self.known.defaults, **stated}, self.known.types)

    def _shortest(self, point: Point, settings: Settings, length: int) -> int:
        """The length that decides a trial's warmup: of lengths that share a trunk, the least."""
        lengths = self.space.get("max_steps")
        if settings["schedule"] not in ("wsd", "constant") or "max_steps" not in point:
            return length
        if not isinstance(lengths, Grid | Choice) or lengths.is_bundled:
            return length
        return min(int(value) for value in lengths.values() if isinstance(value, int | float))

    @staticmethod
    def _first_rung(scheduler: EarlySpec, settings: Settings) -> int:
        if scheduler.clock == "step":
            return scheduler.grace
        return scheduler.first_rung_step(OURS.config(settings))
