from pathlib import Path
from typing import Any

import pytest

from sweeper.plan.plan import Plan
from sweeper.record.run_folder import (
    RunFolder,
    create_run_folder,
)
from sweeper.record.stores.places import runs_folder
from tests.sweeper.engine.sweeps import FORMS, GRID, PBT

SWEEPS = {
    "promote": {"space": GRID, "scheduler": FORMS["promote"]},
    "hyperband": {"space": GRID, "scheduler": FORMS["hyperband"]},
    "pbt": PBT,
}


@pytest.fixture(autouse=True)
def on_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_to("one", tmp_path, monkeypatch)


def go_to(machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine has another cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / machine))


def made_in_bucket(tiny_plan: Any, tmp_path: Path) -> tuple[str, Plan, RunFolder]:
    address = f"file://{tmp_path}/bucket"
    plan = tiny_plan(**SWEEPS["promote"])
    return address, plan, create_run_folder(runs_folder(address), plan.spec, "tiny", "space.yaml")
