"""Which trials of a plan share a trunk. Under `wsd` and `constant` a run does not know how long it
will be before its learning rate comes down. So trials that differ in that alone are one run up to
there: the one that stays longest is the trunk, and the others fork from its checkpoints.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

from sweeper.plan.plan import Plan, PlannedTrial
from sweeper.spec.scheduler_spec import FifoSpec
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.config import AnyConfig, ours
from trainable.config import TrainConfig

# Settings that matter only once the learning rate comes down. An average of weights counts as the
# steps that it goes over, however these are stated.
OF_THE_END = {
    "max_steps",
    "schedule",
    "decay_fraction",
    "decay_steps",
    "decay_shape",
    "min_learning_rate",
    "ema_steps",
    "ema_fraction",
}


def fork_step(config: AnyConfig) -> int:
    """The last step up to which a run has this in common with every longer one; 0 if it has none.
    The last step of all is a run's own: it is evaluated there."""
    if not isinstance(config, TrainConfig):
        return 0  # nobody knows its schedule
    match config.schedule:
        case "wsd":
            return config.decay_begins
        case "constant":
            return config.max_steps - 1
    return 0


def _of_the_trunk(config: AnyConfig) -> dict[str, object]:
    """What decides a run up to its fork."""
    settings = {k: v for k, v in config.to_dict().items() if k not in OF_THE_END}
    return settings | {"ema_steps": ours(config).averaged_steps}


class Branching:
    """The trials of a plan that share trunks."""

    def __init__(self, plan: Plan, without: Iterable[str] = ()) -> None:
        """
        Args:
            without: Trials that need not run.
        """
        spared = set(without)
        self._trials = [trial for trial in plan.trials if trial.trial_id not in spared]
        self._spec = plan.spec
        self._family: dict[str, Sequence[PlannedTrial]] = {}
        if not self.hindrance(plan.spec):
            for alike in self._families:
                self._family |= {trial.trial_id: alike for trial in alike}

    @staticmethod
    def hindrance(spec: SweepSpec) -> str | None:
        """Why no trials of such a sweep share a trunk, as the end of a sentence."""
        if not isinstance(spec.scheduler, FifoSpec):
            return f"scheduler {spec.scheduler.type} judges each trial on its way (use fifo)"
        if spec.search.learns:
            return f"search {spec.search.algorithm} chooses each one by results (use grid)"
        return None

    def __bool__(self) -> bool:
        """Whether any do."""
        return bool(self._family)

    @cached_property
    def _families(self) -> list[list[PlannedTrial]]:
        """The trials that could share a trunk, the one that can be it first."""
        alike: dict[str, list[PlannedTrial]] = defaultdict(list)
        for trial in self._trials:
            if fork_step(trial.config):
                alike[repr(_of_the_trunk(trial.config))].append(trial)
        return [
            sorted(family, key=lambda trial: -fork_step(trial.config))
            for family in alike.values()
            if len(family) > 1
        ]

    def trunk_and_forks(
        self, trial: PlannedTrial, is_open: Collection[str]
    ) -> tuple[PlannedTrial, dict[str, int]]:
        """The trial that is the trunk of this one (it may be its own), and those that fork from it,
        each with its step.

        Args:
            is_open: The trials that may be one of these, with this one among them.
        """
        family = self._family.get(trial.trial_id, [trial])
        trunk, *others = [member for member in family if member.trial_id in is_open]
        return trunk, {other.trial_id: fork_step(other.config) for other in others}

    @cached_property
    def trunks(self) -> dict[str, dict[str, int]]:
        """Every trunk with its forks and their steps, if none fails before."""
        found: dict[str, dict[str, int]] = {}
        for trunk, *others in self._family.values():
            found[trunk.trial_id] = {t.trial_id: fork_step(t.config) for t in others}
        return found

    @cached_property
    def least_share(self) -> float:
        """The share of all steps that the longest runs have: no decay costs less than nothing."""
        most = sum(trial.config.max_steps for trial in self._trials)
        forks = {fork for forks in self.trunks.values() for fork in forks}
        spared = sum(t.config.max_steps for t in self._trials if t.trial_id in forks)
        return 1 - spared / most

    @cached_property
    def apart(self) -> str | None:
        """Why trials that look as if they could share a trunk do not; None if all do."""
        if (hindrance := self.hindrance(self._spec)) is not None:
            return hindrance if self._families else None
        differing: set[str] = set()
        for alike in self._points_but_for_the_end():
            first, *others = map(_of_the_trunk, (trial.config for trial in alike))
            differing |= {name for other in others for name in other if other[name] != first[name]}
        if not differing:
            return None
        return (
            f"they differ in {', '.join(sorted(differing))} before their decay (state one for all)"
        )

    def _points_but_for_the_end(self) -> Iterable[list[PlannedTrial]]:
        """Trials whose swept values differ in nothing but what matters at the end."""
        alike: dict[str, list[PlannedTrial]] = defaultdict(list)
        for trial in self._trials:
            if fork_step(trial.config):
                values = {k: v for k, v in trial.values.items() if k not in OF_THE_END}
                alike[repr(values)].append(trial)
        return alike.values()
