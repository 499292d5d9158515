"""Commands that are printed name the sweep as the command line finds it, wherever it lies."""

import ast
import re
from pathlib import Path

import pytest

import sweeper

PACKAGE = Path(sweeper.__file__).parent
OF_A_SWEEP = "resume|status|best|trial|report|export|delete|tensorboard|optuna|wandb-sync"
ADVICE = re.compile(rf"python -m sweeper ({OF_A_SWEEP}) $")


def names_in_advice(source: str) -> list[str]:
    """What stands in the place of NAME, in every message of a module."""
    return [
        ast.unparse(value.value)
        for string in ast.walk(ast.parse(source))
        if isinstance(string, ast.JoinedStr)
        for before, value in zip(string.values, string.values[1:], strict=False)
        if isinstance(before, ast.Constant)
        and isinstance(value, ast.FormattedValue)
        and ADVICE.search(str(before.value))
    ]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_it_is_what_the_command_line_calls_it(path: Path) -> None:
    for name in names_in_advice(path.read_text(encoding="utf-8")):
        assert name.endswith(".called"), (
            f"{path.relative_to(PACKAGE)}: it says `python -m sweeper … {{{name}}}`, which outside "
            "of runs/ finds nothing, or another sweep of this name: say `folder.called`."
        )


def test_the_test_sees_what_it_is_for() -> None:
    source = 'f"make room, then: python -m sweeper resume {self.folder.name}; it goes on"'
    assert names_in_advice(source) == ["self.folder.name"]
    found = [names_in_advice(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    assert sum(map(len, found)) >= 12
