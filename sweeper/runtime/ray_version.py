"""Which versions of Ray sweeper was run with. Ray is asked for its version without being imported,
which takes seconds."""

import re
from importlib.metadata import PackageNotFoundError, version

RAY_FROM, RAY_BELOW = (2, 60), (2, 61)  # as in pyproject.toml


def ray_requirement() -> str:
    return "ray[default,tune]>={}.{},<{}.{}".format(*RAY_FROM, *RAY_BELOW)


def ray_version_note() -> str | None:
    """A line for people if another Ray is installed, since parts of Ray that we build on are
    private."""
    try:
        installed = version("ray")
    except PackageNotFoundError:
        return None  # how it got here is not known
    numbers = tuple(int(digits) for digits in re.findall(r"\d+", installed)[:2])
    if RAY_FROM <= numbers < RAY_BELOW:
        return None
    return (
        f"Ray {installed} is installed, with which sweeper was never run: "
        f"pip install '{ray_requirement()}'"
    )
