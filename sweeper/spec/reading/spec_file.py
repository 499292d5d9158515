"""From a search-space file to a checked `SweepSpec`: every problem at once, each with its line."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from sweeper.errors import SpecError
from sweeper.spec.reading.overrides import override
from sweeper.spec.reading.schema_problems import schema_problems
from sweeper.spec.reading.section_problems import Sections, mapping, section_problems
from sweeper.spec.reading.yaml_source import Plain, YamlSource, read_yaml
from sweeper.spec.sweep_spec import SweepSpec


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
        spec = SweepSpec.model_validate({"name": path.stem, **data})
    except ValidationError as error:
        problems = section_problems(Sections.fitting(data))
        problems += schema_problems(error, data)
        raise SpecError(source.problems(problems)) from None
    if problems := section_problems(Sections.of(spec)):
        raise SpecError(source.problems(problems))
    return spec, source


def _no_mapping(data: Plain) -> str:
    found = "is empty" if data is None else f"is a {'list' if isinstance(data, list) else 'value'}"
    return f"{found}; it must be a mapping with at least `space:`, as in search_spaces/lr.yaml"
