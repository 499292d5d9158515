"""What a sweep takes over from an earlier one: `search.from`, as its journal records it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sweeper.record.state.events import EarlierTrial, ObservedPoint, WarmStarted, now
from sweeper.spec.domains.values import Scalar
from sweeper.spec.trainer.settings import OWNED
from sweeper.strategy.surface.observation import Observation

# Settings that say how a trial is run, not what it comes to; `data` stands for the files.
OF_THE_RUN = {"eval_every_steps", "checkpoint_every_steps", "device", *OWNED}


def results_key(settings: Mapping[str, Scalar]) -> str:
    """The same for trials that come to the same results, on the same data and with one code."""
    return repr(sorted((k, v) for k, v in settings.items() if k not in OF_THE_RUN))


@dataclass(frozen=True)
class WarmStart:
    """The points of another sweep that lie in this one's space, and what became of them.

    `different` are the settings that at least one of the two sweeps leaves fixed and that differ
    between them: results may then not be comparable. `trials` are those that need not run again.
    """

    run: str
    observations: tuple[Observation, ...]
    unfit: int  # points with results that lie outside the space
    different: tuple[str, ...] = ()
    trials: tuple[EarlierTrial, ...] = ()

    def to_event(self) -> WarmStarted:
        points = tuple(
            ObservedPoint(values=o.point, status=o.status, value=o.value, curve=o.curve)
            for o in self.observations
        )
        return WarmStarted(
            time=now(),
            run=self.run,
            points=points,
            unfit=self.unfit,
            different=self.different,
            trials=self.trials,
        )

    @classmethod
    def from_event(cls, event: WarmStarted) -> "WarmStart":
        seen = tuple(Observation(p.values, p.status, p.value, p.curve) for p in event.points)
        return cls(event.run, seen, event.unfit, event.different, event.trials)

    def trial_with(self, settings: Mapping[str, Scalar]) -> EarlierTrial | None:
        """The one that has run with these settings."""
        return self._by_settings.get(results_key(settings))

    def trial(self, trial_id: str) -> EarlierTrial:
        """
        Raises:
            LookupError: there is none of this id.
        """
        return self._by_id[trial_id]

    @cached_property
    def _by_settings(self) -> dict[str, EarlierTrial]:
        return {results_key(trial.config): trial for trial in reversed(self.trials)}

    @cached_property
    def _by_id(self) -> dict[str, EarlierTrial]:
        return {trial.id: trial for trial in self.trials}

    def summary(self) -> str:
        told = f"From {self.run}: the results of {len(self.observations)} points"
        if self.unfit:
            told += f"; {self.unfit} did not fit this space"
        if self.different:
            told += f"\nOther settings differ there: {', '.join(self.different)}"
        if self.trials:
            told += (
                f"\n{len(self.trials)} trials have run there just so: they are taken as they are"
            )
        return told
