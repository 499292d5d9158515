"""The files in deploy/, as far as they can be checked without a cluster. KubeRay's were checked by
hand against the schemas of its CRDs, which are too large to keep here."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
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


RUN = """#!/bin/bash
echo "$@" >> $CALLS/python
case $3 in
    run) {}; exit 9 ;;
    status) echo '  "state": "'$STATE'"' ;;
esac
"""
STAYS = """#!/bin/bash
exec 2> /dev/null
echo $SRUN_CPUS_PER_TASK "$@" > $CALLS/srun
while kill -0 $PPID; do /bin/sleep 0.1; done
"""
IS_ASKED = "trap 'exit 130' TERM; kill -TERM $PPID; while :; do :; done"


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


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name != "run.sh"], ids=lambda path: path.name
)
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


def test_each_start_of_ray_up_has_a_shell_of_its_own() -> None:
    told = YAML(typ="safe").load(DEPLOY / "ray-up.yaml")
    for command in told["head_start_ray_commands"] + told["worker_start_ray_commands"]:
        assert "/opt/sweeper/.venv/bin/ray " in command
        assert not re.search(r"(?<!/)\bray (stop|start)", command), "where there is no ray yet"


def test_each_cluster_has_a_cpu_when_a_sweep_begins() -> None:
    for name, of in {"raycluster": ("spec",), "rayjob": ("spec", "rayClusterSpec")}.items():
        told = YAML(typ="safe").load(DEPLOY / "kuberay" / f"{name}.yaml")
        for key in of:
            told = told[key]
        assert all(group["minReplicas"] for group in told["workerGroupSpecs"])


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., int]:
    """Runs a script where these programs are others, and returns its exit code. A program notes how
    it was called in a file of its name."""

    def run(path: Path, *words: str, state: str = "", **programs: str) -> int:
        for name, text in programs.items():
            (tmp_path / "bin").mkdir(exist_ok=True)
            (tmp_path / "bin" / name).write_text(text)
            (tmp_path / "bin" / name).chmod(0o755)
        script = tmp_path / path.name
        script.write_text(
            path.read_text().replace("cd /shared/sweeper && . .venv/bin/activate", ":")
        )
        variables = {
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "CALLS": str(tmp_path),
            "STATE": state,
            "SLURM_JOB_ID": "7",
            "SLURM_NNODES": "1",
            "SLURM_CPUS_PER_TASK": "16",
        }
        return subprocess.run(["bash", script, *words], env=variables, timeout=60).returncode

    return run


@pytest.mark.parametrize(
    ("driver", "state", "code"),
    [
        ("exit 0", "finished", 0),
        ("exit 130", "stopped", 0),
        ("exit 2", "", 0),
        ("exit 1", "finished", 0),
        ("exit 1", "interrupted", 1),
        ("kill -KILL $$", "running", 137),
        (IS_ASKED, "interrupted", 1),
    ],
)
def test_kuberay_starts_again_what_that_helps(
    shell: Callable[..., int], tmp_path: Path, driver: str, state: str, code: int
) -> None:
    words = ("lr.yaml", "lr", "s3://b/s", "--set", "data=s3://b/d")
    python = RUN.format(driver)
    assert shell(DEPLOY / "kuberay" / "run.sh", *words, state=state, python=python) == code
    first = (tmp_path / "python").read_text().splitlines()[0]
    options = "--name lr --or-resume --runs s3://b/s --set data=s3://b/d"
    assert first == f"-m sweeper run lr.yaml {options}"


@pytest.mark.parametrize(
    ("driver", "code", "requeued"),
    [("exit 0", 0, False), ("exit 130", 130, False), (IS_ASKED, 143, True)],
)
def test_slurm_queues_again_what_it_has_ended(
    shell: Callable[..., int], tmp_path: Path, driver: str, code: int, requeued: bool
) -> None:
    programs = {
        "srun": STAYS,
        "sleep": "#!/bin/bash\nuntil [ -s $CALLS/srun ]; do :; done",
        "scontrol": "#!/bin/bash\necho $@ >> $CALLS/scontrol",
        "python": RUN.format(driver),
    }
    assert shell(DEPLOY / "slurm.sbatch", "lr.yaml", "lr", **programs) == code
    asked = (tmp_path / "scontrol").read_text().splitlines()
    assert ("requeue 7" in asked) == requeued
    started = (tmp_path / "srun").read_text()
    assert started.startswith("16 ")
    assert "--num-cpus=16" in started


def test_in_slurm_no_sweep_starts_without_a_head(shell: Callable[..., int], tmp_path: Path) -> None:
    programs = {
        "srun": "#!/bin/bash\necho $$ > $CALLS/srun; exit 1",
        "sleep": "#!/bin/bash\nuntil [ -s $CALLS/srun ] && ! kill -0 $(<$CALLS/srun); do :; done",
        "scontrol": "#!/bin/bash",
        "python": RUN.format("exit 0"),
    }
    assert shell(DEPLOY / "slurm.sbatch", "lr.yaml", "lr", **programs) == 1
    assert not (tmp_path / "python").exists()


def test_the_documentation_names_each_file() -> None:
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    assert not [p for p in FILES if f"`{p.relative_to(DEPLOY)}`" not in text]
