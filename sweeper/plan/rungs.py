"""When trials are judged: the first rung where the file does not say, and what rungs need."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import lcm

from sweeper.errors import SpecError
from sweeper.plan.points import NoPointError, draw
from sweeper.spec.clock import clock_per_step
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.scheduler_spec import (
    GRACE_DEFAULT,
    AshaSpec,
    EarlySpec,
    FifoSpec,
    GraceSpec,
    HyperbandSpec,
    earliest_grace,
)
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.config import AnyConfig
from sweeper.spec.trainer.schedule import scheduled_as
from trainable.errors import ConfigError


def with_grace(resolved: SweepSpec) -> SweepSpec:
    """With the first step at which every trial has trained for a while and is evaluated and, if
    trials pause, saved."""
    early = resolved.scheduler
    if not isinstance(early, GraceSpec) or early.states_grace:
        return resolved
    configs = list(_configs(resolved))
    every = [config.eval_every_steps for config in configs]
    if early.pauses:
        every += [config.checkpoint_every_steps for config in configs]
    # Without any config the trials are refused where they are planned, whatever the grace.
    earliest = max((_earliest(config, resolved) for config in configs), default=1)
    interval = lcm(*every)
    grace = -(-earliest // interval) * interval
    scheduler = early.model_copy(update={"grace_steps": grace})
    return resolved.model_copy(update={"scheduler": scheduler})


def _configs(resolved: SweepSpec) -> Iterator[AnyConfig]:
    """Those of the trials if none were stopped early, and all evaluated at each step where that is
    left to the rungs. What is wrong with one is told where it is planned."""
    train = {"eval_every_steps": 1, **resolved.train}
    spec = resolved.model_copy(update={"scheduler": FifoSpec(), "train": train})
    with suppress(NoPointError):
        for point in draw(spec).points:
            with suppress(ConfigError):
                yield spec.known.config(spec.settings(point))


def _earliest(config: AnyConfig, spec: SweepSpec) -> int:
    schedule = scheduled_as(config, spec.trainer)
    return earliest_grace(config.max_steps, 0 if schedule is None else schedule.warmup_steps)


def require_rungs(
    configs: Sequence[AnyConfig], early: EarlySpec, source: YamlSource, *, stated: bool
) -> None:
    """
    Args:
        stated: Whether the file states the first rung.

    Raises:
        SpecError: no trial would come to a rung before its end.
    """
    ends = (config.max_steps * clock_per_step(config, early.clock) for config in configs)
    longest = max(ends)
    name = "max_steps" if early.clock == "step" else f"the {early.clock} of the longest trial"
    if early.grace >= longest:
        by_default = "" if stated else f" by default ({GRACE_DEFAULT})"
        problem = (
            f"must be below {name} ({longest}), got {early.grace}{by_default}: "
            "nothing would be stopped early (to run every trial to its end: {type: fifo})"
        )
        raise SpecError([source.problem(("scheduler", early.grace_key), problem)])
    if not isinstance(early, AshaSpec | HyperbandSpec) or early.brackets is None:
        return
    # Hyperband's last bracket may be one that is never judged.
    last = max(0, early.brackets - (2 if isinstance(early, HyperbandSpec) else 1))
    if early.grace * early.reduction_factor**last >= longest:
        problem = f"the last bracket's first rung must be below {name} ({longest}); use fewer"
        raise SpecError([source.problem(("scheduler", "brackets"), problem)])


def require_stops_at_rungs(config: AnyConfig, early: EarlySpec) -> None:
    """Require an evaluation at every rung and, if trials pause there, a checkpoint too.

    Raises:
        ConfigError: there is none.
    """
    if not early.has_rungs:
        return
    first_rung = early.first_rung_step(config)
    multiple, name = first_rung, f"scheduler.{early.grace_key}"
    if early.clock != "step":
        multiple, name = config.eval_every_steps, "eval_every_steps"
        if config.eval_every_steps > first_rung:
            raise ConfigError(
                "eval_every_steps",
                f"must be at most {first_rung}, the step of the first rung (scheduler."
                f"{early.grace_key}: {early.grace}), got {config.eval_every_steps}",
            )
    purposes = {"eval_every_steps": "trials are compared at the same step"}
    if early.pauses:
        purposes["checkpoint_every_steps"] = "a paused trial goes on where it paused"
    for key, purpose in purposes.items():
        if multiple % getattr(config, key):
            raise ConfigError(
                key,
                f"must divide {name} ({multiple}), so that {purpose}, got {getattr(config, key)}",
            )
