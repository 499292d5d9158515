"""A search-space file as `run` and `plan` take it: read, and its trials checked."""

from collections.abc import Sequence
from pathlib import Path

from sweeper.plan.plan import check_configs
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.sweep_spec import SweepSpec


def load_checked(path: Path, overrides: Sequence[str] = ()) -> tuple[SweepSpec, YamlSource]:
    """
    Raises:
        SpecError: all that is wrong with the file, whatever its data are.
    """
    spec, source = load_spec(path, overrides)
    check_configs(spec, source)
    return spec, source
