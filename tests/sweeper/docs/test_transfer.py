"""docs/transfer.md: its commands are there, and its numbers are those of the code."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sweeper.analysis.scaling import learning_rate_law, priors
from sweeper.commands.cli import app
from sweeper.spec.reading.spec_file import load_spec
from tests.sweeper.commands.conftest import Sweeper, project, sweeper

__all__ = ["project", "sweeper"]  # fixtures

ROOT = Path(__file__).parents[3]
DOC = (ROOT / "docs" / "transfer.md").read_text(encoding="utf-8")


def test_its_commands_are_there() -> None:
    block = re.findall(r"```console\n(.*?)```", DOC, re.DOTALL)[0]
    commands = [shlex.split(line.removeprefix("$ ")) for line in block.splitlines()]
    assert [command[3] for command in commands] == ["run", "predict"]
    spec, _ = load_spec(ROOT / commands[0][4])
    assert spec.name == commands[1][4]
    shown = "".join(
        CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        for command in ("predict", "plan")
    )
    for option in re.findall(r"`(--\w+)", DOC):
        assert option in shown


def test_the_proposal_is_what_is_shown(
    sweeper: Sweeper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = re.findall(r"```console\n(.*?)```", DOC, re.DOTALL)[1]
    command, shown = block.removeprefix("$ python -m sweeper ").split("\n", 1)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    said = sweeper(*shlex.split(command))
    assert (said.code, said.err) == (0, "")
    assert said.out.split() == shown.split()


def test_its_priors_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([-\d.]+ \| [-\d.]+) \|", DOC, re.MULTILINE))
    for row, prior in (
        ("batches grow with the tokens", priors.TUNED_BATCH),
        ("all batches alike", priors.SAME_BATCH),
    ):
        assert rows[row] == f"{prior.params:g} | {prior.tokens:g}"
    assert f"a deviation of {priors.SPREAD:g}" in DOC
    assert f"around {priors.LOSS.params:g} and {priors.LOSS.tokens:g}" in DOC
    assert f"a factor on all of them ({learning_rate_law.FACTOR:g}" in DOC


def test_the_shipped_space_lets_batches_grow_as_it_says() -> None:
    spec, _ = load_spec(ROOT / "search_spaces" / "transfer.yaml")
    sizes = spec.space["size"].model_dump()["grid"]
    per_batch = [
        (size["eval_every_steps"] * size["batch_size"], size["batch_size"])
        for size in sizes.values()
    ]
    least = min(per_batch)
    for tokens, batch in per_batch:
        assert abs(batch / (least[1] * (tokens / least[0]) ** 0.571) - 1) < 0.06
