"""Colour says the setting: for each setting and for the status, the colour of every trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.summary.response import on_scale
from sweeper.spec.domains.values import Scalar
from sweeper.status import Status
from sweeper.views.report.figures.figure import COLOURS, GROUP_COLOURS, Figure, plain

RAMP = 8  # the steps of the ramp of colours, `@ramp0` to `@ramp7`: more an eye cannot name


@dataclass(frozen=True, kw_only=True)
class Colouring:
    """`groups`: the label and the colour of each; `of`: the group of a trial, by its id."""

    name: str
    groups: tuple[tuple[str, str], ...]
    of: Mapping[str, int]

    def colour(self, trial: TrialData) -> str | None:
        """None where the trial has no value of this setting."""
        group = self.of.get(trial.trial_id)
        return None if group is None else self.groups[group][1]

    def as_json(self) -> Figure:
        groups = [{"label": label, "colour": colour} for label, colour in self.groups]
        return {"name": self.name, "groups": groups, "of": dict(self.of)}


def colourings(sweep: SweepData) -> tuple[Colouring, ...]:
    """The most telling first: the size, the learning rate, then as in the file; last the status."""
    told = sorted(sweep.parameters, key=lambda p: (not p.changes_size, p.name != "learning_rate"))
    by_setting = [found for p in told if (found := _by_setting(p, sweep.trials)) is not None]
    return (*by_setting, _by_status(sweep.trials))


def setting_colouring(sweep: SweepData, name: str) -> Colouring | None:
    """The one of this setting."""
    (parameter,) = (p for p in sweep.parameters if p.name == name)
    return _by_setting(parameter, sweep.trials)


def _by_setting(parameter: Parameter, trials: Sequence[TrialData]) -> Colouring | None:
    """None where all trials have the same value."""
    values = {t.trial_id: t.point[parameter.name] for t in trials if parameter.name in t.point}
    tried = list(dict.fromkeys(values.values()))
    if len(tried) < 2:
        return None
    if parameter.scale == "category":
        named = [option for option in (*parameter.options, *tried) if option in tried]
        return _listed(parameter, list(dict.fromkeys(named)), values)
    numbers = {key: v for key, v in values.items() if isinstance(v, int | float)}
    ordered = sorted(set(numbers.values()))
    return (
        _listed(parameter, ordered, numbers)
        if len(ordered) <= RAMP
        else _ranged(parameter, numbers)
    )


def _listed(
    parameter: Parameter, options: Sequence[Scalar], values: Mapping[str, Scalar]
) -> Colouring:
    """A group for each value: of numbers and of sizes along the ramp, of names in colours that
    differ."""
    ordered = parameter.scale != "category" or len(options) > len(GROUP_COLOURS)
    colours = _ramp(len(options)) if ordered else GROUP_COLOURS
    return Colouring(
        name=parameter.name,
        groups=tuple((plain(v), colours[i]) for i, v in enumerate(options)),
        of={key: options.index(value) for key, value in values.items()},
    )


def _ranged(parameter: Parameter, numbers: Mapping[str, float]) -> Colouring:
    """Equal parts of the range, on its scale."""
    places = {key: on_scale(parameter, number) for key, number in numbers.items()}
    low, high = min(places.values()), max(places.values())
    of = {key: min(RAMP - 1, int((at - low) / (high - low) * RAMP)) for key, at in places.items()}
    there = sorted(set(of.values()))
    ends = {part: [numbers[key] for key, own in of.items() if own == part] for part in there}
    labels = [f"{min(own):.2g}–{max(own):.2g}" for own in ends.values()]
    return Colouring(
        name=parameter.name,
        groups=tuple((label, f"@ramp{part}") for label, part in zip(labels, there, strict=True)),
        of={key: there.index(part) for key, part in of.items()},
    )


def _ramp(number: int) -> list[str]:
    """So many colours, as far apart on the ramp as they can be."""
    last = max(1, number - 1)
    return [f"@ramp{round(index * (RAMP - 1) / last)}" for index in range(number)]


def _by_status(trials: Sequence[TrialData]) -> Colouring:
    statuses = [status for status in Status if any(t.status is status for t in trials)]
    return Colouring(
        name="status",
        groups=tuple((str(status), COLOURS[status]) for status in statuses),
        of={trial.trial_id: statuses.index(trial.status) for trial in trials},
    )
