"""What is wrong with `trainer:` that the schema cannot see, and what its program cannot do."""

import shlex
from collections.abc import Iterator, Mapping
from string import Formatter

from sweeper.spec.columns import COLUMNS, EVALUATION, MEASURED, NAMED
from sweeper.spec.domains.values import Scalar
from sweeper.spec.reading.names import word_hint
from sweeper.spec.reading.yaml_source import KeyPath, Problem
from sweeper.spec.scheduler_spec import AnySchedulerSpec, AshaSpec, EarlySpec
from sweeper.spec.space import AnyDomain
from sweeper.spec.sweep_spec import OUR_METRICS
from sweeper.spec.trainer.config import COMMON
from sweeper.spec.trainer.schedule import WORDS_OF_KIND
from sweeper.spec.trainer.section import (
    CommandSpec,
    FunctionSpec,
    SettingSpec,
    TrainerSpec,
)
from sweeper.spec.trainer.settings import OURS, KnownSettings, Setting, out_of_step
from trainable.errors import ConfigError
from trainable.settings import nearest, typed
from trainable.validation_sets import set_of

# The numbers among what our trainer tells, which another may tell too.
NUMBERS = {name for name, kind in EVALUATION.items() if kind is float}
# What stands in braces beside the settings, in a command or a path.
OF_RESUMING = ("resume_from", "resume_step")  # not in the environment, which has the first anyway
GIVEN = ("trial_dir", "num_gpus", "gpus", *OF_RESUMING)


def trainer_problems(
    trainer: TrainerSpec, known: KnownSettings, seeds: bool, finals: bool
) -> list[Problem]:
    """
    Args:
        seeds, finals: Whether the file has such a section, so that the program must take a seed.
    """
    problems: list[Problem] = []
    for name, spec in trainer.settings.items():
        at = ("trainer", "settings", name)
        if name in COMMON:
            problems.append((at, f"is known without it; {_where_stated(name)}"))
        elif name in {*GIVEN, *NAMED, *MEASURED}:
            problems.append((at, "is the name of something else here; choose another"))
        else:
            problems += _setting_problems(at, spec, known.by_name[name])
    every = trainer.checkpoint_every_steps or trainer.eval_every_steps
    if (out := out_of_step(trainer.eval_every_steps, every)) is not None:
        problems.append((("trainer", "checkpoint_every_steps"), out))
    if trainer.schedule is not None:
        problems += _schedule_problems(trainer.schedule.stated, known)
    if isinstance(trainer, CommandSpec):
        problems += _command_problems(trainer, known, needs_seed=seeds or finals)
    return problems


def _schedule_problems(schedule: Mapping[str, Scalar], known: KnownSettings) -> Iterator[Problem]:
    """Each word by itself; together they are looked at in each run's config."""
    for word, told in schedule.items():
        at = ("trainer", "schedule", word)
        if isinstance(told, str) and told in known:
            if word not in WORDS_OF_KIND and not known.is_number(told):
                yield at, f"{told} is no number"
        elif isinstance(told, str) and word not in WORDS_OF_KIND:
            yield at, f"must be a number or the name of a setting{nearest(told, [*known.by_name])}"
        else:
            try:
                value = typed(word, told, OURS.types[word])
            except ConfigError as error:
                yield at, error.problem
                continue
            number = value if isinstance(value, int | float) else None
            if number is not None and (problem := OURS.by_name[word].problem(number)) is not None:
                yield at, problem


def _where_stated(name: str) -> str:
    return "remove it" if name == "seed" else f"state trainer.{name}"


def _setting_problems(at: KeyPath, spec: SettingSpec, setting: Setting) -> Iterator[Problem]:
    if not at[-1] or not str(at[-1]).isidentifier():
        yield at, "must be a name of letters, digits and `_`, as it stands in braces"
    if spec.choices is not None and spec.type != "str":
        yield (*at, "choices"), f"are of text; the type is {spec.type}"
    bounds = (spec.at_least, spec.above, spec.at_most)
    if spec.type in ("bool", "str") and any(bound is not None for bound in bounds):
        yield at, f"is no number ({spec.type}) and has no bounds; remove them"
    if spec.default is not None:
        try:
            value = typed(str(at[-1]), spec.default, setting.type)
        except ConfigError as error:
            yield (*at, "default"), error.problem
            return
        problem = setting.problem(value) if isinstance(value, int | float) else None
        if problem is not None:
            yield (*at, "default"), problem


def _command_problems(
    trainer: CommandSpec, known: KnownSettings, *, needs_seed: bool
) -> Iterator[Problem]:
    used: set[str] = set()
    all_read = True
    names = [*known.by_name, *GIVEN]
    texts: dict[KeyPath, str] = {
        ("trainer", "command"): trainer.command,
        ("trainer", "resume"): trainer.resume,
        **{("trainer", "env", name): text for name, text in trainer.env.items()},
    }
    for at, text in texts.items():
        try:
            found = [name for name, _ in _fields(text)]
        except ValueError as error:
            yield at, f"{error}; a brace that is meant is written twice"
            all_read = False
            continue
        for name in found:
            if name not in names or (at[1] == "env" and name in OF_RESUMING):
                yield at, f"{{{name}}} is no setting{nearest(name, names)}"
                all_read = False
        used |= {*found}
    yield from _text_problems(trainer, names)
    if not all_read:
        return
    for name in trainer.env:
        if name.startswith("SWEEPER_"):
            yield ("trainer", "env", name), "is set by the sweep; choose another name"
    for name in trainer.settings:
        if name not in used and name not in COMMON:
            yield (
                ("trainer", "settings", name),
                f"the command never uses {{{name}}}, so it changes nothing; "
                "add it to trainer.command or trainer.env, or remove the setting",
            )
    if needs_seed and "seed" not in used:
        yield (
            ("trainer", "command"),
            "has no {seed}, so other seeds would be the same run; add it, or remove `seeds:` and "
            "`finals:`",
        )


def _text_problems(trainer: CommandSpec, names: list[str]) -> Iterator[Problem]:
    """Of what the program is started with, and of where its numbers and checkpoints are."""
    for key in ("command", "resume"):
        try:
            shlex.split(getattr(trainer, key))
        except ValueError as error:
            yield ("trainer", key), f"{error}; quotes come in pairs, as in a shell"
    for text in trainer.metrics.stdout or ():
        if "{step:d}" not in text:
            yield ("trainer", "metrics", "stdout"), f"{text!r} has no {{step:d}}"
    if trainer.checkpoint is not None:
        for key in ("path", "marker"):
            path = (getattr(trainer.checkpoint, key) or "").replace("{step:d}", "")
            yield from _path_problems(("trainer", "checkpoint", key), path, names)
    if trainer.metrics.jsonl is not None:
        yield from _path_problems(("trainer", "metrics", "jsonl"), trainer.metrics.jsonl, names)


def _path_problems(at: KeyPath, text: str, names: list[str]) -> Iterator[Problem]:
    try:
        fields = _fields(text)
    except ValueError as error:
        yield at, f"{error}; a brace that is meant is written twice"
        return
    for name, kind in fields:
        if name == "step":
            yield at, "the step of a checkpoint is written {step:d}"
        elif name not in names or kind:
            yield at, f"{{{name}}} is no setting{nearest(name, names)}"


def demand_problems(
    trainer: TrainerSpec,
    space: Mapping[str, AnyDomain],
    scheduler: AnySchedulerSpec | None,
) -> Iterator[Problem]:
    """What the other sections ask of a program that it cannot do."""
    for key, domain in space.items():
        if isinstance(trainer, CommandSpec):
            unused = (domain.sets(key) & {*COMMON}) - {*_names(trainer)}
            for name in sorted(unused):
                yield (
                    ("space", key),
                    f"the command never uses {{{name}}}, so trials would be told nothing of it",
                )
    if isinstance(scheduler, EarlySpec):
        if scheduler.clock != "step":
            told = "nobody knows the tokens or the FLOPs of another trainer's step; use step"
            yield ("scheduler", "clock"), told
        if scheduler.pauses and not can_go_on(trainer):
            yield (
                ("scheduler", "type" if not isinstance(scheduler, AshaSpec) else "mode"),
                "its trials wait and go on from a checkpoint, and the trainer has none (level 0); "
                "state trainer.checkpoint, or use asha with mode: stop",
            )


def can_go_on(trainer: TrainerSpec) -> bool:
    """Whether a run can be paused, and goes on from a checkpoint."""
    match trainer:
        case CommandSpec(checkpoint=checkpoint):
            return checkpoint is not None
        case FunctionSpec(checkpoints=checkpoints):
            return checkpoints


def _fields(text: str) -> list[tuple[str, str | None]]:
    """The names in braces, each with what stands behind its colon.

    Raises:
        ValueError: a brace is open.
    """
    return [(name, kind) for _, name, kind, _ in Formatter().parse(text) if name is not None]


def _names(trainer: CommandSpec) -> Iterator[str]:
    for text in (trainer.command, trainer.resume, *trainer.env.values()):
        try:
            yield from (name for name, _ in _fields(text))
        except ValueError:
            continue


def metric_problems(metric: str, trainer: TrainerSpec | None) -> Iterator[Problem]:
    at = ("objective", "metric")
    if trainer is not None and (metric in COLUMNS - {*NUMBERS} or metric in trainer.settings):
        yield at, f"{metric} is a column that says something else; print it under another name"
    stdout = trainer.metrics.stdout if isinstance(trainer, CommandSpec) else None
    if stdout is not None and not any(f"{{{metric}:" in text for text in stdout):
        yield at, f"no pattern of trainer.metrics.stdout has a field {{{metric}:f}}"
    if trainer is None and metric not in OUR_METRICS and set_of(metric) is None:
        words = ", ".join(repr(word) for word in OUR_METRICS[:-1]) + f" or {OUR_METRICS[-1]!r}"
        yield (
            ("objective", "metric"),
            f"must be {words}, got {metric!r}{word_hint('metric', metric, OUR_METRICS)}",
        )
