"""The `scheduler:` section of a search-space file: one model for each type."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sweeper.spec.clock import Clock, clock_per_step
from sweeper.spec.domains.values import PositiveWhole, WholeNumber, whole
from sweeper.spec.trainer.config import AnyConfig

# With a factor of 2 the first rung of one more would be beyond 64 bits.
Brackets = Annotated[int, Field(ge=1, le=63), BeforeValidator(whole)]
GRACE_SHARE = 8  # of a trial, one part in so many is its grace where the file does not say
GRACE_DEFAULT = "an eighth of max_steps, past the longest warmup, at the next evaluation"
GRACE_KEYS: dict[Clock, str] = {
    "step": "grace_steps",
    "tokens": "grace_tokens",
    "flops": "grace_flops",
}


def earliest_grace(max_steps: int, warmup_steps: int) -> int:
    """The first step that may be a trial's grace where the file does not say: it has trained for
    its share, and not only warmed up."""
    return max(-(-max_steps // GRACE_SHARE), warmup_steps + 1)


class _SchedulerSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class FifoSpec(_SchedulerSpec):
    """Every trial runs to its end."""

    type: Literal["fifo"] = "fifo"
    clock: ClassVar[Clock] = "step"


class EarlySpec(_SchedulerSpec):
    """A scheduler that judges trials before their end, first at `grace` on its clock."""

    type: str
    clock: Clock = "step"

    @property
    def grace_key(self) -> str:
        """The key of the file that states `grace`."""
        return GRACE_KEYS[self.clock]

    @property
    def states_grace(self) -> bool:
        """Whether `grace` is known; until the plan is made, it may be left to that."""
        return getattr(self, self.grace_key) is not None

    @property
    def grace(self) -> int:
        """When trials are judged for the first time, in units of the clock."""
        grace: int | None = getattr(self, self.grace_key)
        assert grace is not None, "the plan fills it in"
        return grace

    def first_rung_step(self, config: AnyConfig) -> int:
        """The step at which a trial reaches `grace`."""
        return -(-self.grace // clock_per_step(config, self.clock))

    @property
    def has_rungs(self) -> bool:
        """Whether trials are compared at rungs, rather than at each evaluation."""
        return True

    @property
    def pauses(self) -> bool:
        """Whether trials wait at their rungs, and may go on from there."""
        return True


class GraceSpec(EarlySpec):
    """One whose `grace` is stated as `grace_steps`, `grace_tokens` or `grace_flops`."""

    grace_steps: PositiveWhole | None = None
    grace_tokens: PositiveWhole | None = None
    grace_flops: PositiveWhole | None = None


class AshaSpec(GraceSpec):
    """Asynchronous successive halving: at grace × reduction_factor^k on the clock, the best
    1 / reduction_factor go on. With `stop` that is decided when a trial arrives; with `promote` it
    pauses until it has earned to go on. The best are those of the least loss there or, with
    `forecast`, at their ends; these also need a chance of `alpha` to be the best."""

    type: Literal["asha"] = "asha"
    mode: Literal["stop", "promote"] = "stop"
    reduction_factor: WholeNumber = Field(default=2, ge=2)
    brackets: Brackets = 1
    compare: Literal["loss", "forecast"] = "loss"
    alpha: Annotated[float, Field(gt=0, lt=1)] | None = None

    @property
    def pauses(self) -> bool:
        return self.mode == "promote"


class HyperbandSpec(GraceSpec):
    """Hyperband: brackets of trials that are halved together, once all have reached the rung. If
    `brackets` is not stated, there are as many as the trials' length has room for."""

    type: Literal["hyperband"] = "hyperband"
    reduction_factor: WholeNumber = Field(default=3, ge=2)
    brackets: Brackets | None = None


class MedianSpec(GraceSpec):
    """The median stopping rule: from grace on, a trial stops if its best value is worse than the
    median of the others' running averages."""

    type: Literal["median"] = "median"
    min_trials: PositiveWhole = 3

    @property
    def has_rungs(self) -> bool:
        return False

    @property
    def pauses(self) -> bool:
        return False


class PbtSpec(EarlySpec):
    """Population based training: at each multiple of `interval_steps` the worst trials take over
    from the best, and go on with values near the values of those."""

    type: Literal["pbt"] = "pbt"
    clock: Literal["step"] = "step"
    interval_steps: PositiveWhole
    quantile: float = Field(default=0.25, gt=0, le=0.5)
    resample_probability: float = Field(default=0.25, ge=0, le=1)

    @property
    def grace_key(self) -> str:
        return "interval_steps"


AnySchedulerSpec = Annotated[
    AshaSpec | FifoSpec | HyperbandSpec | MedianSpec | PbtSpec, Field(discriminator="type")
]
SCHEDULERS: dict[str, type[BaseModel]] = {
    "asha": AshaSpec,
    "fifo": FifoSpec,
    "hyperband": HyperbandSpec,
    "median": MedianSpec,
    "pbt": PbtSpec,
}
