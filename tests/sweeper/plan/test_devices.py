"""Devices and GPUs that no trial can have are told at their line, by `plan` and by `run`, before
Ray starts."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeper.errors import SpecError
from sweeper.plan.cost.preview import preview
from sweeper.plan.devices import require_devices, require_gpus
from sweeper.plan.placement import Node, place
from sweeper.plan.plan import make_plan
from sweeper.running import run_file
from sweeper.runtime.session.preparation import Options
from sweeper.spec.reading.spec_file import load_spec
from trainable.errors import UserError

UNFIT: list[tuple[dict[str, Any], str]] = [
    (
        {"train": {"device": "cuda"}},
        r":\d+: train\.device: cuda is not on this machine \(0 GPUs\); use cpu$",
    ),
    (
        {"space": {"device": {"choice": ["cpu", "cuda"]}}},
        r":\d+: space\.device: cuda is not on this machine \(0 GPUs\); use cpu$",
    ),
    (
        {"space": {"where": {"grid": {"here": {"device": "cpu"}, "there": {"device": "cuda:7"}}}}},
        r":\d+: space\.where: device: a trial sees only the GPU that it is given; write cuda, got ",
    ),
    ({"train": {"device": "meta"}}, r":\d+: train\.device: must be auto, cpu, cuda or cuda:N, got"),
    ({"train": {"device": "mps"}}, r":\d+: train\.device: must be auto, cpu, cuda or cuda:N, got"),
    (
        {"resources": {"gpu": 2, "processes": 3}},
        r":\d+: resources\.processes: each has a GPU of its own, or none has one: with gpu: 2 "
        "there can be 2, got 3$",
    ),
    (
        {"resources": {"gpu": 0.5, "cases": [{"when": {"learning_rate": 1e-2}, "processes": 2}]}},
        r":\d+: resources\.cases\.0\.processes: .* with gpu: 0\.5 there can be 1, got 2$",
    ),
    (
        {"resources": {"processes": 3}},
        r":\d+: train\.batch_size: must be a multiple of 3, the processes that share a batch, got",
    ),
    (
        {"resources": {"gpu": 1, "cases": [{"when": {"learning_rate": 1e-2}, "gpu": 8}]}},
        r":\d+: train\.batch_size: must be a multiple of 8, ",
    ),
    (
        {"resources": {"processes": 2}},
        r":\d+: resources\.cpu: must be at least 2, one for each process, got 1$",
    ),
    (
        {
            "space": {"batch_size": {"choice": [8, 5, 16]}},
            "search": {"algorithm": "tpe", "num_trials": 2},
            "resources": {"cpu": 2, "processes": 2},
        },
        r":\d+: space\.batch_size: .*multiple of 2, .* got 5; list those that are$",
    ),
    (
        {
            "space": {"batch_size": {"randint": [8, 9]}},
            "search": {"algorithm": "tpe", "num_trials": 1},
            "resources": {"cpu": 2, "processes": 2},
        },
        r":\d+: space\.batch_size: .*multiple of 2, .* got a range; list those that are$",
    ),
    (
        {"train": {"device": "cuda"}, "resources": {"gpu": 0}},
        r":\d+: resources\.gpu: must be above 0 for a trial of device: cuda, got 0; set it to 1",
    ),
]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.chdir(tmp_path)

    def started(**settings: object) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr("sweeper.runtime.ray_tune.cluster.ray_cluster", started)


@pytest.mark.parametrize(("sections", "message"), UNFIT)
def test_plan_and_run_refuse(
    sections: dict[str, Any], message: str, write_space: Callable[..., Path], tmp_path: Path
) -> None:
    space = write_space(**sections)
    with pytest.raises(UserError, match=message):
        preview(space, probe=False)
    with pytest.raises(UserError, match=message):
        run_file(space, Console(file=io.StringIO()), Options())
    assert not (tmp_path / "runs").exists()


def test_another_trainer_has_its_own_rules(write_space: Callable[..., Path]) -> None:
    space = write_space(train={"device": "cuda"}, resources={"gpu": 2})
    options = Options(trainer="tests.sweeper.closed_form:ClosedFormTrainer")
    with pytest.raises(AssertionError, match="Ray was started"):
        run_file(space, Console(file=io.StringIO()), options)
    space = write_space(resources={"processes": 2})
    with pytest.raises(SpecError, match=r"resources\.processes: is for our own trainer"):
        run_file(space, Console(file=io.StringIO()), options)


@pytest.mark.parametrize("gpu", [0.25, 1, 2])
def test_a_part_of_a_gpu_or_one_for_each_process_is_a_trials(
    gpu: float, write_space: Callable[..., Path], tokens_folder: Path
) -> None:
    spec, source = load_spec(write_space(train={"device": "cuda"}, resources={"gpu": gpu}))
    plan = make_plan(spec, tokens_folder, source)
    require_gpus(plan, plan.spec.resources, source)


def test_a_cluster_answers_for_its_machines(
    monkeypatch: pytest.MonkeyPatch, write_space: Callable[..., Path], tokens_folder: Path
) -> None:
    """A driver without a GPU may command machines that have some; not one that has none."""
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    spec, source = load_spec(write_space(train={"device": "cuda"}))
    plan = make_plan(spec, tokens_folder, source)
    require_devices(plan, source)
    require_gpus(plan, place(plan, [Node(8, 0), Node(8, 2)], source).resources, source)
    with pytest.raises(SpecError, match=r":\d+: train\.device: no machine here has a GPU; use cpu"):
        require_gpus(plan, place(plan, [Node(8, 0)], source).resources, source)
    spec, source = load_spec(write_space(train={"device": "cuda:1"}))
    plan = make_plan(spec, tokens_folder, source)
    with pytest.raises(SpecError, match="a trial sees only the GPU that it is given"):
        require_devices(plan, source)
