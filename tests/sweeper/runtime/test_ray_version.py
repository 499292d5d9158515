"""The range of Ray's versions: one for pip and for people, and told as a sweep starts."""

import io
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from rich.console import Console

from sweeper.errors import UserError
from sweeper.running import resume_sweep, run_file
from sweeper.runtime import ray_version
from sweeper.runtime.ray_version import ray_requirement, ray_version_note
from sweeper.runtime.session.preparation import Options

ROOT = Path(__file__).parents[3]


def with_ray(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(ray_version, "version", lambda name: version)


def test_pip_has_the_same_range_and_the_tests_ran_within_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [each for each in project["dependencies"] if each.startswith("ray")] == [
        ray_requirement()
    ]
    assert ray_version_note() is None
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (ray,) = (line for line in pinned if line.startswith("ray=="))
    with pytest.MonkeyPatch.context() as patch:
        with_ray(patch, ray.removeprefix("ray=="))
        assert ray_version_note() is None


@pytest.mark.parametrize("version", ["2.60.0", "2.60.3", "2.60.0rc1"])
def test_within(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_ray(monkeypatch, version)
    assert ray_version_note() is None


@pytest.mark.parametrize("version", ["2.6.0", "2.59.1", "2.61.0", "2.600.0", "3.0.0.dev0", "3"])
def test_outside(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_ray(monkeypatch, version)
    note = ray_version_note()
    assert note is not None and f"Ray {version} " in note and "\n" not in note


def test_a_ray_without_metadata_is_nobodys_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(ray_version, "version", none)
    assert ray_version_note() is None


@pytest.mark.parametrize(("version", "told"), [("2.61.0", True), ("2.60.0", False)])
def test_run_and_resume_begin_with_it(
    version: str, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything else is looked at."""
    with_ray(monkeypatch, version)
    options = Options(runs=tmp_path / "runs")
    run, resume = io.StringIO(), io.StringIO()
    with pytest.raises(UserError):
        run_file(tmp_path / "none.yaml", Console(file=run, width=200), options)
    with pytest.raises(UserError):
        resume_sweep("nobody", Console(file=resume, width=200), options)
    for screen in (run, resume):
        assert screen.getvalue() == (f"{ray_version_note()}\n" if told else "")
        assert screen.getvalue().startswith("Ray 2.61.0 is installed") is told


def test_ray_is_not_imported_for_it() -> None:
    code = (
        "import sys, sweeper.runtime.ray_version as v; v.ray_version_note(); "
        "sys.exit('ray' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
