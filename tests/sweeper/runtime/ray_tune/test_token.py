"""The command that prints the dashboard's token, in environments of several kinds."""

import sys
from pathlib import Path

import pytest

from sweeper.runtime.ray_tune.token import token_command


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `.venv` in the folder that one is in, which is not on the path."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("PATH", "/usr/bin")
    folder = tmp_path / "my project" / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "ray"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.chdir(folder.parents[1])
    return folder


def test_in_a_folder_with_its_own_environment(environment: Path) -> None:
    assert token_command() == ".venv/bin/ray get-auth-token"


def test_elsewhere(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    assert token_command() == f"'{environment}/ray' get-auth-token"


def test_in_an_active_environment(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{environment}:/usr/bin")
    assert token_command() == "ray get-auth-token"


def test_where_no_script_was_installed(environment: Path) -> None:
    (environment / "ray").unlink()
    module = "-m ray.scripts.scripts get-auth-token"
    assert token_command() == f"'{environment}/python' {module}"


@pytest.mark.parametrize("mode", ["disabled", None])
def test_a_cluster_that_asks_for_none(
    environment: Path, monkeypatch: pytest.MonkeyPatch, mode: str | None
) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE")
    if mode is not None:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    assert token_command() is None
