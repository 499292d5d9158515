"""The files in deploy/, as far as they can be checked without a cluster. KubeRay's were checked by
hand against the schemas of its CRDs, which are too large to keep here."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
from ruamel.yaml import YAML
from typer.main import get_command

from sweeper.commands.cli import app

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
KUBERAY = sorted((DEPLOY / "kuberay").glob("*.yaml"))


def commands(path: Path) -> list[list[str]]:
    """The words after `python -m sweeper` of each line that has it."""
    text = path.read_text(encoding="utf-8").replace(
        "[python, -m, sweeper, keep,", "python -m sweeper keep"
    )
    told = re.findall(r"python -m sweeper ([^\n&\]]*)", text)
    return [re.sub(r'[",]', " ", words).split() for words in told]


def containers(document: Any) -> Iterator[dict[str, Any]]:
    match document:
        case dict():
            yield from document.get("containers", ())
            for value in document.values():
                yield from containers(value)
        case list():
            for value in document:
                yield from containers(value)


@pytest.mark.parametrize("path", [p for p in FILES if commands(p)], ids=lambda path: path.name)
def test_its_commands_and_options_are_ours(path: Path) -> None:
    for name, *words in commands(path):
        context = get_command(app).make_context("sweeper", [name, "--help"], resilient_parsing=True)
        command = get_command(app).get_command(context, name)
        assert command is not None, f"{path}: no command {name}"
        made = command.make_context(name, words, resilient_parsing=True)
        stated = {word for word in words if word.startswith("--")}
        known = {option for parameter in made.command.params for option in parameter.opts}
        assert stated <= known, f"{path}: {name} has no {stated - known}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_asks_for_a_token_and_opens_no_dashboard_to_all(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.search(r"RAY_AUTH_MODE|mode: token", text)
    for start in re.findall(r"ray start --head[^\n]*", text):
        assert "--dashboard-host=127.0.0.1" in start


@pytest.mark.parametrize("path", KUBERAY, ids=lambda path: path.name)
def test_keys_come_from_secrets(path: Path) -> None:
    found = list(containers(YAML(typ="safe").load(path)))
    assert found
    for container in found:
        assert container["envFrom"] == [{"secretRef": {"name": "sweeper-storage"}}]
        stated = {entry["name"] for entry in container.get("env", ()) if "value" in entry}
        assert stated <= {"RAY_AUTH_MODE"}


def test_ray_up_s_file_is_one_by_ray_s_own_schema() -> None:
    schema = json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text())
    jsonschema.validate(YAML(typ="safe").load(DEPLOY / "ray-up.yaml"), schema)


def test_the_script_for_slurm_is_one() -> None:
    subprocess.run(["bash", "-n", DEPLOY / "slurm.sbatch"], check=True)


def test_the_documentation_names_each_file() -> None:
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    assert not [p for p in FILES if f"`{p.relative_to(DEPLOY)}`" not in text]
