"""From a search-space file to a checked `SweepSpec`: every problem at once, each with its line."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from sweeper.errors import SpecError
from sweeper.spec.reading.overrides import override
from sweeper.spec.reading.schema_problems import schema_problems
from sweeper.spec.reading.section_problems import Sections, mapping, section_problems
from sweeper.spec.reading.yaml_source import Plain, YamlSource, read_yaml
from sweeper.spec.scheduler_spec import GraceSpec
from sweeper.spec.sweep_spec import SweepSpec

LENGTH = ("max_steps", "eval_every_steps")  # what the default of `grace_steps` follows from


def load_spec(path: Path, overrides: Sequence[str] = ()) -> tuple[SweepSpec, YamlSource]:
    """The sweep in a file, and the file's lines for later messages. Settings that do not go
    together are looked for where its trials are planned.

    Args:
        overrides: `KEY=VALUE` each, as of `--set`.

    Raises:
        SpecError: with every problem found.
    """
    source = read_yaml(path)
    if not isinstance(source.data, dict):
        raise SpecError([source.problem((), _no_mapping(source.data))])
    source = override(source, overrides)
    data = mapping(source.data)
    try:
        spec = _with_grace(SweepSpec.model_validate({"name": path.stem, **data}))
    except ValidationError as error:
        problems = section_problems(Sections.fitting(data))
        problems += schema_problems(error, data)
        raise SpecError(source.problems(problems)) from None
    if problems := section_problems(Sections.of(spec)):
        raise SpecError(source.problems(problems))
    return spec, source


def _with_grace(spec: SweepSpec) -> SweepSpec:
    """With the first rung where it follows from the trials' length, which must be one for all."""
    swept = {name for key, domain in spec.space.items() for name in domain.sets(key)}
    if not isinstance(spec.scheduler, GraceSpec) or not swept.isdisjoint(LENGTH):
        return spec
    # Our own trainer evaluates at the rungs where nothing else is said.
    ours = {"eval_every_steps": 1} if spec.is_ours else {}
    settings = {**spec.known.defaults, **ours, **spec.train}
    max_steps, eval_every_steps = (settings.get(name) for name in LENGTH)
    if not isinstance(max_steps, int) or not isinstance(eval_every_steps, int):
        return spec
    return spec.model_copy(
        update={"scheduler": spec.scheduler.with_grace(max_steps, eval_every_steps)}
    )


def _no_mapping(data: Plain) -> str:
    found = "is empty" if data is None else f"is a {'list' if isinstance(data, list) else 'value'}"
    return f"{found}; it must be a mapping with at least `space:`, as in search_spaces/lr.yaml"
