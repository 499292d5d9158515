"""What the sweeps of these tests begin with."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.plan.plan import Plan
from tests.sweeper.engine.sweeps import GRID


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    return tiny_plan(space=GRID)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"
