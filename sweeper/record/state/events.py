"""The events of a journal, each a type of its own; `event_lines` reads and writes them.

Fields that older versions did not write have a default.
"""

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from sweeper.record.state.checkpoints import CHECKPOINT_NAME
from sweeper.spec.operating.spend import SpendKey
from sweeper.status import Decision, Status
from sweeper.strategy.schedulers.scheduler import Verdict
from trainable.loop.metrics import Metrics

LARGEST = 2**63 - 1  # what a column of a table holds

Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC)),
]
Whole = Annotated[int, Field(ge=0, le=LARGEST)]
Integer = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
Value = bool | Integer | float | str | None
TrialId = Annotated[str, Field(pattern=r"^[0-9]{4,}$")]
CheckpointName = Annotated[str, Field(pattern=CHECKPOINT_NAME)]
Outcome = Literal["finished", "interrupted", "failed"]


@dataclass(frozen=True, kw_only=True)
class _Line:
    """Values are taken as they are: a text is no number, and every number is finite."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class Hardware(_Line):
    """What a driver runs on. None means that it could not be found out."""

    cpu: str | None
    cpus: Whole | None
    memory_bytes: Whole | None
    gpus: tuple[str, ...]
    system: str


@dataclass(frozen=True, kw_only=True)
class Commit(_Line):
    """The state of the code in the working folder."""

    commit: str
    dirty: bool | None


@dataclass(frozen=True, kw_only=True)
class Fingerprint(_Line):
    """What the trials of a session have in common, by name: settings and hashes of files."""

    spec: dict[str, object] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Allotment(_Line):
    """How many trials run at a time, and what each gets."""

    slots: Whole
    cpu: int | float
    gpu: int | float
    processes: Whole = 1
    cases: tuple[dict[str, object], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ObservedPoint(_Line):
    """What an earlier sweep knew of a point."""

    values: dict[str, Value]
    status: Status
    value: float | None
    curve: tuple[tuple[Whole, float], ...]


@dataclass(frozen=True, kw_only=True)
class EarlierTrial(_Line):
    """A trial of an earlier sweep that has come to its end, whole."""

    id: TrialId  # there
    status: Status
    config: dict[str, Value]
    evaluations: tuple[Metrics, ...]


@dataclass(frozen=True, kw_only=True)
class ForkedOff(_Line):
    """A trial begins where another's checkpoint was made, copied into its folder before. What that
    one had measured by then is its own too."""

    source: TrialId
    source_checkpoint: CheckpointName
    step: Whole
    checkpoint: CheckpointName
    bytes: Whole


@dataclass(frozen=True, kw_only=True)
class _Event(_Line):
    time: Moment


@dataclass(frozen=True, kw_only=True)
class _OfTrial(_Event):
    """An event of a trial that has been created before."""

    trial: str


@dataclass(frozen=True, kw_only=True)
class SessionStarted(_Event):
    """A driver opens the folder; whatever ran before is interrupted."""

    event: Literal["session_started"] = "session_started"
    torn: bool = False
    pid: Whole | None = None
    host: str | None = None
    command: tuple[str, ...] = ()
    python: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    machine: Hardware | None = None
    git: Commit | None = None
    overrides: tuple[str, ...] = ()
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    accepted: tuple[str, ...] = ()
    placement: Allotment | None = None
    num_trials: Whole | None = None  # of the whole sweep, so that no reader has to plan it
    follows: Whole | None = None  # so many lines: where there are fewer, some are lost


@dataclass(frozen=True, kw_only=True)
class WarmStarted(_Event):
    """`search.from` has been read; it never is again."""

    event: Literal["warm_started"] = "warm_started"
    run: str
    points: tuple[ObservedPoint, ...]
    unfit: Whole
    different: tuple[str, ...]
    trials: tuple[EarlierTrial, ...] = ()  # that need not run again


@dataclass(frozen=True, kw_only=True)
class TrialCreated(_Event):
    """The search hands out a trial."""

    event: Literal["trial_created"] = "trial_created"
    id: TrialId
    values: dict[str, Value]
    config: dict[str, Value]
    taken: TrialId | None = None  # this trial of the earlier sweep is it: it has run there
    forks: dict[TrialId, Whole] = field(
        default_factory=dict
    )  # who will fork from it, at which step
    fork: ForkedOff | None = None  # it is one of these itself


@dataclass(frozen=True, kw_only=True)
class TrialStarted(_OfTrial):
    """An attempt begins."""

    event: Literal["trial_started"] = "trial_started"


@dataclass(frozen=True, kw_only=True)
class Evaluated(_OfTrial):
    """An evaluation and what the scheduler decided on it, in one line, so that no kill parts
    them."""

    event: Literal["report"] = "report"
    metrics: Metrics
    decision: Decision
    rung: Whole | None
    rank: Whole | None
    of: Whole | None
    forecast: float | None = None  # with these three, that of its end was what was decided on
    deviation: float | None = None
    chance: float | None = None  # to be the best by more than noise

    @property
    def verdict(self) -> Verdict:
        return Verdict(**{each.name: getattr(self, each.name) for each in fields(Verdict)})


@dataclass(frozen=True, kw_only=True)
class TrialPaused(_OfTrial):
    """The trial waits at its rung; its checkpoint is on storage."""

    event: Literal["trial_paused"] = "trial_paused"


@dataclass(frozen=True, kw_only=True)
class GaveWay(_OfTrial):
    """The trial has left its place to another sweep, or a node that is about to go, and will be
    handed out again; where it can save itself, its checkpoint is on storage."""

    event: Literal["gave_way"] = "gave_way"


@dataclass(frozen=True, kw_only=True)
class Promoted(_OfTrial):
    """The trial goes on beyond the rung."""

    event: Literal["promoted"] = "promoted"
    rung: Whole


@dataclass(frozen=True, kw_only=True)
class Exploited(_OfTrial):
    """The trial goes on beyond the rung from another trial's checkpoint, with other values."""

    event: Literal["exploited"] = "exploited"
    rung: Whole
    source: str
    source_checkpoint: CheckpointName
    checkpoint: CheckpointName
    step: Whole | None = None
    bytes: Whole = 0
    values: dict[str, Value]
    config: dict[str, Value]


@dataclass(frozen=True, kw_only=True)
class CheckpointLanded(_OfTrial):
    """A checkpoint is on storage; `found` if a session found it there when it began."""

    event: Literal["checkpoint"] = "checkpoint"
    checkpoint: CheckpointName
    bytes: Whole = 0
    step: Whole | None = None
    found: bool = False


@dataclass(frozen=True, kw_only=True)
class CheckpointRemoved(_OfTrial):
    """A checkpoint goes: nobody needs it, there is no room, `delete` was typed, or it was
    missing."""

    event: Literal["checkpoint_removed"] = "checkpoint_removed"
    checkpoint: CheckpointName


@dataclass(frozen=True, kw_only=True)
class AttemptFailed(_OfTrial):
    """An attempt ended in an error, and the trial will be tried again. `counted` is false if its
    node was lost, which is not the trial's fault."""

    event: Literal["attempt_failed"] = "attempt_failed"
    error: str
    counted: bool = True


@dataclass(frozen=True, kw_only=True)
class Retried(_OfTrial):
    """A trial that had failed gets all of its attempts again."""

    event: Literal["retried"] = "retried"


@dataclass(frozen=True, kw_only=True)
class StoppedByHand(_OfTrial):
    """Somebody wants no more of the trial. It has not left its process by then."""

    event: Literal["stopped_by_hand"] = "stopped_by_hand"


@dataclass(frozen=True, kw_only=True)
class TrialEnded(_OfTrial):
    """The trial has completed, was stopped, has diverged, or has failed for the last time."""

    event: Literal["trial_ended"] = "trial_ended"
    status: Status
    error: str | None

    def __post_init__(self) -> None:
        if not self.status.ended:
            raise ValueError(f"status: {self.status} is no end of a trial")


@dataclass(frozen=True, kw_only=True)
class SearchEnded(_Event):
    """No other trial comes: no point that was not tried is likely enough to beat the best."""

    event: Literal["search_ended"] = "search_ended"
    chance: float | None = None  # that any of them does


@dataclass(frozen=True, kw_only=True)
class FinalsStarted(_Event):
    """The first pass is through. These points, best first, run with these seeds, one after the
    other; a trial that is created from now on is one of them."""

    event: Literal["finals_started"] = "finals_started"
    points: tuple[dict[str, Value], ...]
    seeds: tuple[Whole, ...]


@dataclass(frozen=True, kw_only=True)
class FinalsEnded(_Event):
    """One point stands out, or there are no more seeds to run."""

    event: Literal["finals_ended"] = "finals_ended"
    winner: dict[str, Value] | None  # its point; None: still tied


@dataclass(frozen=True, kw_only=True)
class SpendReached(_Event):
    """The sweep stops itself: it has come to what `max_spend` allows."""

    event: Literal["spend_reached"] = "spend_reached"
    key: SpendKey
    limit: float | str


@dataclass(frozen=True, kw_only=True)
class Waiting(_Event):
    """Trials that could run wait for what others have of the cluster, or wait no more."""

    event: Literal["waiting"] = "waiting"
    what: Literal["CPUs", "GPUs"] | None  # None: no more


@dataclass(frozen=True, kw_only=True)
class WatcherFailed(_Event):
    """W&B, the screen or a table failed; the sweep goes on without it."""

    event: Literal["watcher_failed"] = "watcher_failed"
    watcher: str
    error: str


@dataclass(frozen=True, kw_only=True)
class SessionEnded(_Event):
    """The driver says how it ends. After a kill this event is missing."""

    event: Literal["session_ended"] = "session_ended"
    outcome: Outcome


TrialEvent = (
    TrialStarted
    | Evaluated
    | TrialPaused
    | GaveWay
    | Promoted
    | Exploited
    | CheckpointLanded
    | CheckpointRemoved
    | AttemptFailed
    | Retried
    | StoppedByHand
    | TrialEnded
)
Event = (
    SessionStarted
    | WarmStarted
    | TrialCreated
    | TrialEvent
    | SearchEnded
    | FinalsStarted
    | FinalsEnded
    | SpendReached
    | Waiting
    | WatcherFailed
    | SessionEnded
)


def now() -> datetime:
    """The time of an event that is made now."""
    return datetime.now(UTC)
