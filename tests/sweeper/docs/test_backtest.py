"""docs/backtest.md is run: its example says what it shows, and its search space is there."""

import re
import shlex
from pathlib import Path

import pytest

from sweeper.spec.reading.spec_file import load_spec
from tests.sweeper.commands.conftest import Sweeper, project, sweeper

__all__ = ["project", "sweeper"]  # fixtures

ROOT = Path(__file__).parents[3]
DOC = (ROOT / "docs" / "backtest.md").read_text(encoding="utf-8")


def test_the_example_prints_what_is_shown(
    sweeper: Sweeper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (block,) = re.findall(r"```console\n\$ python -m sweeper (.*?)\n(.*?)```", DOC, re.DOTALL)
    command, shown = block
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    said = sweeper(*shlex.split(command))
    assert (said.code, said.err) == (0, "")
    assert said.out.strip() == shown.strip()


def test_the_way_to_record_is_one_that_plans() -> None:
    """Its overrides on the file that it names: the first rung of the examples is evaluated."""
    (command,) = re.findall(r"python -m sweeper run (.*?)\n    python", DOC, re.DOTALL)
    file, *options = shlex.split(command.replace("\\\n", " "))
    overrides = [options[i + 1] for i, option in enumerate(options) if option == "--set"]
    spec, _ = load_spec(ROOT / file, overrides)
    assert (spec.scheduler.type, spec.seeds) == ("fifo", [0, 1])
    _, own = DOC.split("## Your own sweep")
    for grace in re.findall(r"grace_steps: (\d+)", own):
        assert int(grace) % spec.train["eval_every_steps"] == 0  # type: ignore[operator]


def test_every_column_is_explained() -> None:
    from sweeper.commands.backtesting import COLUMNS

    explained = set(re.findall(r"`([^`]+)`", "\n".join(re.findall(r"^\|.*\|$", DOC, re.M))))
    assert set(COLUMNS) - {"strategy", "slots"} <= explained
