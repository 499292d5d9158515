from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def on_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_to("one", tmp_path, monkeypatch)


def go_to(machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine has another cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / machine))
