"""What a summary is made of: a sweep's trials, evaluations, rungs and circumstances, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from sweeper.analysis.forecasts import Forecast
from sweeper.record.exhibits.load import Load
from sweeper.record.exhibits.texts import Texts
from sweeper.record.ranking import Ranking, rank, repeats
from sweeper.record.state.arrivals import Arrival
from sweeper.record.state.finals import Finals
from sweeper.record.state.session import Session
from sweeper.record.state.stints import Stint
from sweeper.spec.domains.scale import Scale
from sweeper.spec.domains.values import Scalar, Settings
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import Mode, SweepSpec, sign_of
from sweeper.status import Status


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A swept name and the space that it was swept over."""

    name: str
    scale: Scale
    options: tuple[Scalar, ...] = ()  # where they are listed, in the order of the file
    low: float | None = None  # the ends of the space; None for names and for what has no ends
    high: float | None = None
    least: float | None = None  # no run accepts less
    changes_size: bool = False  # the number of a model's parameters depends on it

    @property
    def is_budget(self) -> bool:
        """Whether it is how long a run trains, or how large its model is: more is better and costs
        more, and none is best."""
        return self.changes_size or self.name == "max_steps"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One evaluation of a trial. `value` is the objective; None if it was missing or not finite."""

    step: int
    value: float | None
    loss: float | None = None  # on the validation data, whatever the objective is
    seconds: float | None = None  # of training until then
    train_loss: float | None = None
    grad_norm: float | None = None
    learning_rate: float | None = None  # by its schedule
    set_losses: Mapping[str, float] = field(default_factory=dict)  # of validation sets with a name


@dataclass(frozen=True, kw_only=True)
class TrialData:
    """One trial. What a table of an older version lacks is None."""

    trial_id: str
    status: Status
    point: Point  # without the seed that `seeds:` gives it
    seed: int | None = None  # where points are repeated
    config: Settings
    evaluations: tuple[Evaluation, ...] = ()
    loss: float | None = None
    perplexity: float | None = None
    bits_per_byte: float | None = None
    set_losses: Mapping[str, float] = field(default_factory=dict)  # by metric, as in Evaluation
    tokens_per_second: float | None = None
    tokens_per_step: int | None = None
    flops_per_step: int | None = None
    max_steps: int | None = None
    num_params: int | None = None
    checkpoint: str | None = None  # the newest, as a path in the run folder
    error: str | None = None
    taken_from: str | None = None  # the trial of another sweep that it is
    forked_from: str | None = None  # the trial that has its first steps
    forked_at: int = 0  # so many
    stopped_by_hand: bool = False  # not by the scheduler
    forecast: Forecast | None = None  # of its end, where it has not come to it

    @property
    def value(self) -> float | None:
        """The objective at its last evaluation."""
        return self.evaluations[-1].value if self.evaluations else None

    @property
    def step(self) -> int:
        return self.evaluations[-1].step if self.evaluations else 0

    @property
    def parted_at(self) -> Evaluation | None:
        """Where a fork leaves its trunk: the last evaluation that both have."""
        both = [e for e in self.evaluations if e.step <= self.forked_at and e.value is not None]
        return both[-1] if both else None

    @property
    def own_share(self) -> float:
        """Of its steps, what it has trained itself: no other trial, here or in another sweep."""
        if self.taken_from is not None or not self.step:
            return 0.0
        return 1 - self.forked_at / self.step

    @property
    def seconds(self) -> float | None:
        return self.evaluations[-1].seconds if self.evaluations else None


@dataclass(frozen=True, kw_only=True)
class SweepData:
    """A whole sweep, as far as its run folder tells."""

    name: str
    folder: str
    description: str = ""
    note: str = ""  # what people have written of it
    state: str = "unknown"  # running, or how its last session ended
    metric: str = "val_loss"
    mode: Mode = "min"
    parameters: tuple[Parameter, ...] = ()
    seeds: tuple[int, ...] = ()
    finals: Finals | None = None
    trials: tuple[TrialData, ...] = ()  # best first
    num_planned: int | None = None
    scheduler: str = "fifo"
    clock: Literal["step", "tokens", "flops"] = "step"
    reduction_factor: int | None = None
    arrivals: tuple[Arrival, ...] = ()
    sessions: tuple[Session, ...] = ()
    stints: tuple[Stint, ...] = ()  # when which trial ran
    loads: tuple[Load, ...] = ()  # how busy the driver's machine was
    data: Mapping[str, Any] | None = None  # meta.json of what it trained on
    spec: SweepSpec | None = None
    spec_text: str | None = None  # sweep.yaml, to run it again
    texts: Texts | None = None  # what the best trials have written
    notes: tuple[str, ...] = ()  # what could not be read, and so is missing here

    @property
    def sign(self) -> float:
        """The objective times this is less where it is better."""
        return sign_of(self.mode)

    @cached_property
    def ranking(self) -> Ranking[TrialData]:
        return rank(self.trials, self.mode, repeated=self.repeated, finals=self.finals)

    @property
    def is_ours(self) -> bool:
        """Whether `trainable` has trained it, so that its settings mean what they mean there."""
        return self.spec is None or self.spec.is_ours

    @cached_property
    def set_metrics(self) -> tuple[str, ...]:
        """The losses of validation sets with a name, but for the one that is the objective."""
        return tuple(sorted({m for t in self.trials for m in t.set_losses} - {self.metric}))

    @property
    def repeated(self) -> bool:
        """Whether trials at one point are its seeds."""
        return bool(self.seeds) or self.finals is not None

    def repeats(self, trial: TrialData) -> str:
        """A key that is the same for trials that differ in their seed alone."""
        return repeats(trial, repeated=self.repeated)
