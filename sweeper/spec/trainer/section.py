"""The `trainer:` section of a search-space file: a training program that is not ours, what it is
told, and what it tells."""

import os
import signal
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

from sweeper.spec.domains.values import PositiveWhole, Scalar, tag, tagged

SettingType = Literal["int", "float", "bool", "str"]


class _TrainerSection(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SettingSpec(_TrainerSection):
    """What the program takes under this name."""

    type: SettingType
    default: Scalar = None  # null: every trial must say
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    choices: Annotated[list[str], Field(min_length=1)] | None = None  # of text
    in_mid_run: bool = False  # pbt may change it on the way
    shapes_model: bool = False  # another value is a model of another size


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Lines = Annotated[
    list[str],
    Field(min_length=1),
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class MetricsSpec(_TrainerSection):
    """Where the program says what it has measured: in lines of its output with named fields in
    braces, or in a file of JSON objects, of itself in the trial's folder. Neither: by
    `sweeper_hook`, which writes that file."""

    stdout: Lines | None = None
    jsonl: str | None = None


class CheckpointSpec(_TrainerSection):
    """Where the program saves itself: a file or a folder; `{step:d}` in its path is the step."""

    path: str
    marker: str | None = None  # a file in that folder, or beside that file, written last
    # When that of an evaluation is written: after its metrics, before them, or when `sweeper_hook`
    # asks for it.
    written: Literal["after", "before", "asked"] = "after"


def _known_signal(name: str) -> str:
    if name not in signal.Signals.__members__:
        raise ValueError(f"must be the name of a signal, as SIGTERM or SIGINT, got {name!r}")
    return name


class StopSpec(_TrainerSection):
    """How the program is asked to end, and how long it may take."""

    signal: Annotated[str, AfterValidator(_known_signal)] = "SIGTERM"
    grace_s: Annotated[float, Field(ge=0)] = 60.0


class ScheduleSpec(_TrainerSection):
    """What the learning rate does, in the words of our own trainer: each a value, or the name of
    the setting that has it."""

    schedule: Scalar
    learning_rate: Scalar = 1.0  # so that the least may be a share of it
    min_learning_rate: Scalar = 0.0
    warmup_steps: Scalar = 0
    decay_fraction: Scalar = None
    decay_steps: Scalar = None
    decay_shape: Scalar = None

    @property
    def stated(self) -> dict[str, Scalar]:
        return self.model_dump(exclude_none=True)


class _AnyTrainer(_TrainerSection):
    settings: dict[str, SettingSpec] = Field(default_factory=dict)
    max_steps: PositiveWhole  # that `train.max_steps` may replace, where the command takes it
    eval_every_steps: PositiveWhole  # at which the program measures
    checkpoint_every_steps: PositiveWhole | None = None  # null: as often
    schedule: ScheduleSpec | None = None  # for the forecast; null: not known
    folder: Annotated[str, AfterValidator(os.path.expanduser)] = "."  # where it is started
    env: dict[str, str] = Field(default_factory=dict)  # of its environment, beside ours
    stop: StopSpec = StopSpec()
    # It has failed if it has told nothing of a step in so many seconds, or in so many lines.
    first_metric_s: Annotated[float, Field(gt=0)] = 1800.0
    first_metric_lines: PositiveWhole = 10_000


class CommandSpec(_AnyTrainer):
    """A program that is started with a command."""

    command: Annotated[str, Field(min_length=1)]
    resume: str = ""  # appended where there is a checkpoint to go on from
    shell: bool = False
    metrics: MetricsSpec = MetricsSpec()
    checkpoint: CheckpointSpec | None = None


class FunctionSpec(_AnyTrainer):
    """A function of Python, as `module:name`."""

    function: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]
    checkpoints: bool = False  # it saves itself when it is asked to, and goes on from there


TrainerSpec = CommandSpec | FunctionSpec


def _command_or_function(value: object) -> str:
    if isinstance(value, dict):
        return tag("function" if "function" in value else "command")
    return tag("function" if isinstance(value, FunctionSpec) else "command")


AnyTrainerSpec = Annotated[
    Annotated[CommandSpec, tagged("command")] | Annotated[FunctionSpec, tagged("function")],
    Discriminator(_command_or_function),
]
