"""Strategies as a user states them: the `scheduler:` and `search:` of a file, or of a line."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from sweeper.analysis.backtest.recording import Field, Recording
from sweeper.analysis.backtest.replay import Draw, Outcome
from sweeper.analysis.backtest.strategies import Strategy, played
from sweeper.errors import SpecError
from sweeper.spec.clock import clock_per_step
from sweeper.spec.reading.schema_problems import schema_problems
from sweeper.spec.reading.section_problems import Sections, section_problems
from sweeper.spec.reading.yaml_source import Plain, Problem, YamlSource, parse_yaml, read_yaml
from sweeper.spec.scheduler_spec import (
    GRACE_DEFAULT,
    AshaSpec,
    EarlySpec,
    FifoSpec,
    GraceSpec,
    HyperbandSpec,
    PbtSpec,
    earliest_grace,
)
from sweeper.spec.sweep_spec import SweepSpec

SECTIONS = ("scheduler", "search")
OPTION = "--scheduler"
MAX_SHOWN = 8  # steps in a message


def stated_strategy(text: str, recording: Recording) -> Strategy:
    """What a file or a line of YAML states, for this recording.

    Args:
        text: The path of a search-space file, of which `scheduler:` and `search:` count; or a
            scheduler, as `{type: asha, grace_steps: 75}`; or both sections.

    Raises:
        SpecError: with every problem found.
    """
    name, source = _read(text)
    spec = _checked(source, recording)
    stated = isinstance(spec.scheduler, EarlySpec) and spec.scheduler.states_grace
    spec = _with_grace(spec, recording)
    if problems := [*_scheduler_problems(spec, recording, stated=stated)]:
        raise SpecError(source.problems(problems))

    def play(field: Field, draw: Draw) -> Outcome:
        search = spec.search.model_copy(update={"seed": spec.search.seed + draw.number})
        return played(spec.scheduler, search, field, draw)

    return Strategy(name=name, play=play)


def _read(text: str) -> tuple[str, YamlSource]:
    """What to call it, and the sections."""
    path = Path(text)
    if path.suffix in {".yaml", ".yml"} or "/" in text:
        source = read_yaml(path)
        if not isinstance(source.data, dict) or not {*SECTIONS} & source.data.keys():
            raise SpecError([f"{OPTION} {path}: has neither `scheduler:` nor `search:`"])
        return path.stem, source
    data, _ = parse_yaml(text, OPTION)
    if isinstance(data, str):
        data = {"type": data}
    if not isinstance(data, dict):
        raise SpecError([f"{OPTION} {text}: {_MEANT}"])
    if not {*SECTIONS} & data.keys():
        data = {"scheduler": data}
    return text.removeprefix("{").removesuffix("}"), YamlSource(Path(OPTION), data, {})


_MEANT = "must be a file as search_spaces/lr.yaml, or as {type: asha, grace_steps: 75}"


def _checked(source: YamlSource, recording: Recording) -> SweepSpec:
    """The recorded sweep with these sections."""
    assert isinstance(source.data, dict)
    given: dict[str, Plain] = {key: source.data[key] for key in SECTIONS if key in source.data}
    recorded = recording.spec.model_dump(mode="json", include={"name", "space", "objective"})
    data = recorded | given
    try:
        spec = SweepSpec.model_validate(data)
    except ValidationError as error:
        found = section_problems(Sections.fitting(data)) + schema_problems(error, data)
        raise SpecError(source.problems(_of_sections(found))) from None
    if found := _of_sections(section_problems(Sections.of(spec))):
        raise SpecError(source.problems(found))
    return spec


def _with_grace(spec: SweepSpec, recording: Recording) -> SweepSpec:
    """With the first rung that the recorded sweep would have had, or the next evaluation."""
    if not isinstance(spec.scheduler, GraceSpec) or spec.scheduler.states_grace:
        return spec
    configs = [curve.config for curve in recording.fields[0].curves]
    earliest = max(earliest_grace(config.max_steps, config.warmup_steps) for config in configs)
    evaluated = recording.evaluated
    grace = next((step for step in evaluated if step >= earliest), evaluated[-1])
    scheduler = spec.scheduler.model_copy(update={"grace_steps": grace})
    return spec.model_copy(update={"scheduler": scheduler})


def _of_sections(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem[0][:1] in {(key,) for key in SECTIONS}]


def _scheduler_problems(spec: SweepSpec, recording: Recording, *, stated: bool) -> list[Problem]:
    scheduler = spec.scheduler
    if isinstance(scheduler, FifoSpec):
        return []
    if isinstance(scheduler, PbtSpec):
        problem = "pbt changes settings on the way: no recorded curve says what comes of that"
        return [(("scheduler", "type"), problem)]
    at = ("scheduler", scheduler.grace_key)
    if scheduler.clock not in recording.clocks:
        known = " or ".join(recording.clocks)
        return [(("scheduler", "clock"), f"{recording.name} was recorded by {known}")]
    return [(at, problem) for problem in _rung_problems(scheduler, recording, stated=stated)]


def _rung_problems(scheduler: EarlySpec, recording: Recording, *, stated: bool) -> Iterator[str]:
    curves = recording.fields[0].curves
    longest = max(c.config.max_steps * clock_per_step(c.config, scheduler.clock) for c in curves)
    if scheduler.grace >= longest:
        by_default = "" if stated else f" by default ({GRACE_DEFAULT})"
        got = f"got {scheduler.grace}{by_default}"
        yield f"must be below the longest trial's end ({longest}), {got}"
    elif scheduler.clock == "step" and isinstance(scheduler, AshaSpec | HyperbandSpec):
        rung = scheduler.grace
        while rung < longest:
            if rung not in recording.evaluated:
                shown = ", ".join(map(str, recording.evaluated[:MAX_SHOWN]))
                yield (
                    f"trials would be compared at step {rung}, where {recording.name} was not "
                    f"evaluated; it was at {shown}{', …' * (len(recording.evaluated) > MAX_SHOWN)}"
                )
                return
            rung *= scheduler.reduction_factor
