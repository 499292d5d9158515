"""The examples of docs/analysing.md, run on a real run folder."""

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sweeper.record.run_folder import create_run_folder
from sweeper.record.tables import write_tables
from tests.sweeper.in_process import drive

DOC = Path(__file__).parents[3] / "docs" / "analysing.md"


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC.read_text(encoding="utf-8"), re.S)


@pytest.fixture
def beside_runs(tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with runs/lr/ in it, as the working folder."""
    plan = tiny_plan()
    folder = create_run_folder(tmp_path / "runs", plan.spec, "lr", "space.yaml")
    write_tables(drive(folder, plan).state, folder)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("number", range(2))
def test_python_runs_to_its_last_line(number: int, beside_runs: None) -> None:
    *body, last = examples("python")[number].strip().splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(body), names)
    assert eval(last, names) is not None


def test_sql_finds_rows(beside_runs: None) -> None:
    [block] = examples("sql")
    queries = [query for query in block.split(";") if query.strip()]
    assert len(queries) == 3
    for query in queries:
        assert duckdb.sql(query).fetchall()
