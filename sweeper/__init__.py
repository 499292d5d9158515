"""The sweep service: a YAML search space in, a ranked answer out.

from sweeper import load_sweep, read_results, run_sweep, summarise
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeper.python_api import LoadedSweep, load_sweep, read_results, run_sweep, summarise

__all__ = ["LoadedSweep", "load_sweep", "read_results", "run_sweep", "summarise"]


def __getattr__(name: str) -> Any:
    """Imported when first used: `import sweeper` costs nothing."""
    if name in __all__:
        return getattr(import_module("sweeper.python_api"), name)
    raise AttributeError(f"module 'sweeper' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
