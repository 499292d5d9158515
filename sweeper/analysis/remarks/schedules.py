"""Remarks on warmups and cooldowns of too few steps to judge them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.remarks.next_sweeps import narrowed, reusing, run_command
from sweeper.analysis.remarks.remark import Offer, Remark
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.points import swept_text
from sweeper.status import Status
from trainable.config import TrainConfig
from trainable.errors import ConfigError

SHORTEST_COOLDOWN = 0.1  # of a run
LONG_ENOUGH = 0.2  # of a run: as good as a longer one (Hägele et al. 2024, arXiv 2405.18392)


@dataclass(frozen=True)
class _Run:
    trial: TrialData
    config: TrainConfig

    @property
    def memory(self) -> float:
        """The steps that AdamW's mean of the gradients goes over."""
        return round(1 / (1 - self.config.beta1), 6)

    @property
    def cooldown(self) -> float:
        """The share of the run in which the learning rate comes down; 1 where it never does."""
        config = self.config
        if config.schedule == "constant" or config.min_learning_rate == config.learning_rate:
            return 1.0
        begins = config.decay_begins if config.schedule == "wsd" else config.warmup_steps
        return (config.max_steps - begins) / config.max_steps  # 0.1 of it is no less than 0.1

    @property
    def decided_by(self) -> str:
        """The setting that decides how long the cooldown is."""
        if self.config.schedule != "wsd":
            return "warmup_steps"
        return "decay_fraction" if self.config.decay_steps is None else "decay_steps"


def schedule_remarks(summary: Summary) -> Iterator[Remark]:
    sweep = summary.sweep
    runs = [run for trial in sweep.trials for run in _runs(trial)] if sweep.is_ours else []
    stopped = [run for run in runs if run.trial.status is Status.STOPPED]
    if warming := [run for run in stopped if run.trial.step < run.config.warmup_steps]:
        text = (
            f"{len(warming)} of {len(sweep.trials)} trials were stopped while they warmed up "
            f"(warmup_steps {_values(warming, 'warmup_steps')}), before they could show anything."
        )
        yield Remark(kind="schedule", text=text, offer=_to_their_ends(sweep))
    swept = len({run.config.warmup_steps for run in runs}) > 1
    short = [run for run in runs if 0 < run.config.warmup_steps < run.memory]
    if swept and short:
        text = (
            f"A warmup of {_values(short, 'warmup_steps')} steps is too short to judge: AdamW's "
            f"mean of the gradients goes over {short[0].memory:.0f} steps, so it is hardly other "
            "than none."
        )
        offer = _others(sweep, "warmup_steps", runs, short) or _longer(sweep, runs)
        yield Remark(kind="schedule", text=text, offer=offer)
    if hurried := [run for run in runs if run.cooldown < SHORTEST_COOLDOWN]:
        name = hurried[0].decided_by
        text = (
            f"With {name} {_values(hurried, name)} less than a tenth of the steps is left for the "
            "learning rate to come down: a cooldown too short to judge them by their last loss."
        )
        offer = _others(sweep, name, runs, hurried) or _cooled(sweep, name, runs)
        yield Remark(kind="schedule", text=text, offer=offer)


def _runs(trial: TrialData) -> Iterator[_Run]:
    """None of a table of an older version, which may lack settings."""
    if {"warmup_steps", "max_steps"} <= trial.config.keys():
        try:
            yield _Run(trial, TrainConfig.from_mapping(trial.config))
        except ConfigError:
            return


def _values(runs: Sequence[_Run], name: str) -> str:
    """As `5`, or `220 to 380`."""
    values = sorted({getattr(run.config, name) for run in runs})
    ends = [swept_text(value) for value in (values[0], values[-1])]
    return ends[0] if len(values) == 1 else " to ".join(ends)


def _to_their_ends(sweep: SweepData) -> Offer | None:
    if sweep.spec is None:
        return None
    changes = {"scheduler": {"type": "fifo"}, **reusing(sweep, sweep.spec)}
    return Offer(purpose="Run all of them to their ends", command=run_command(sweep, changes))


def _others(
    sweep: SweepData, name: str, runs: Sequence[_Run], poor: Sequence[_Run]
) -> Offer | None:
    """Those values of a setting that can be judged."""
    lost = {getattr(run.config, name) for run in poor}
    left = sorted({getattr(run.config, name) for run in runs} - lost)
    parameter = next((p for p in sweep.parameters if p.name == name), None)
    if parameter is None:
        return None
    return narrowed(sweep, parameter, left, "Compare those that can be judged")


def _longer(sweep: SweepData, runs: Sequence[_Run]) -> Offer | None:
    longest = max(run.config.max_steps for run in runs)
    return _changed(sweep, {"train.max_steps": 2 * longest}, "Train for twice as long")


def _cooled(sweep: SweepData, name: str, runs: Sequence[_Run]) -> Offer | None:
    if name == "warmup_steps":
        return _longer(sweep, runs)
    longest = max(run.config.max_steps for run in runs)
    steps = LONG_ENOUGH if name == "decay_fraction" else round(LONG_ENOUGH * longest)
    return _changed(sweep, {f"train.{name}": steps}, "Let a fifth of the steps cool down")


def _changed(sweep: SweepData, changes: Mapping[str, object], purpose: str) -> Offer | None:
    """None where the space decides these settings."""
    if sweep.spec is None:
        return None
    decided = {name for key, domain in sweep.spec.space.items() for name in domain.sets(key)}
    if any(key.removeprefix("train.") in decided for key in changes):
        return None
    return Offer(purpose=purpose, command=run_command(sweep, changes))
