"""`predict` as it is typed, on run folders of sweeps whose laws are known."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.plan.cost.shapes import Shape, Speed
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.runtime.in_process import InProcess
from tests.sweeper.analysis.scaling.truths import RATES, SHAPES, best_loss, best_rate
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.commands.conftest import Sweeper
from trainable.model.model_size import flops_per_token, matrix_params


class LawTrainer(ClosedFormTrainer):
    """Its loss at the end is that of a law of parameters and tokens."""

    def loss(self) -> float:
        config = self.config
        scale = matrix_params(config), config.max_steps * config.batch_size * config.context_length
        octaves = math.log2(config.learning_rate / best_rate(*scale))
        rise = (0.004 if octaves < 0 else 0.012) * octaves**2
        return best_loss(*scale) * (1 + rise) + 1 / self.step - 1 / config.max_steps


def run(project: Path, tiny_plan: Any, space: dict[str, Any]) -> RunFolder:
    plan = tiny_plan(space=space, scheduler={"type": "fifo"}, train={"context_length": 64})
    folder = create_run_folder(project / "runs", plan.spec, "transfer", "space.yaml")
    sweep = Sweep.open(folder, plan, None, None)
    InProcess(sweep, Audience(sweep, []), LawTrainer).run()
    sweep.close("finished")
    sweep.journal.close()
    return folder


@pytest.fixture
def transfer(project: Path, tiny_plan: Any) -> RunFolder:
    sizes = {name: {**shape, "max_steps": 10} for name, shape in SHAPES.items()}
    sizes["s-long"] = {**SHAPES["s"], "max_steps": 40}
    space = {"size": {"grid": sizes}, "learning_rate": {"grid": list(RATES)}}
    return run(project, tiny_plan, space)


def test_on_a_screen(sweeper: Sweeper, transfer: RunFolder) -> None:
    said = sweeper("predict", "transfer", "--scale", "10x")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == (
        "transfer: each size read by itself; parameters are those of the matrices and the head"
    )
    heading = lines[2].split()
    assert heading[:3] == ["params", "tokens", "batch"] and len(lines[3:8]) == 5
    text = " ".join(said.out.split())
    assert "Take learning_rate" in text and "(80 %; 95 %:" in text
    assert "Its validation loss will be about" in text
    assert "From the others alone, the law missed your largest size" in text
    assert "learning_rate goes with parameters^-" in text


def test_for_scripts(sweeper: Sweeper, transfer: RunFolder) -> None:
    said = sweeper("predict", "transfer", "--params", "12M", "--tokens", "0.4M", "--json")
    assert (said.code, said.err) == (0, "")
    told = json.loads(said.out)
    at = told["prediction"]
    assert (at["params"], at["tokens"]) == (12_000_000, 400_000)
    low, high = at["learning_rate_95"]
    assert low < best_rate(12e6, 4e5) < high
    assert at["loss"] == pytest.approx(best_loss(12e6, 4e5), rel=0.05)
    assert [size["measured"]["params"] for size in told["sizes"]] == sorted(
        size["measured"]["params"] for size in told["sizes"]
    )
    assert told["held_out"]["holds"] and told["missing"] == [] and told["left_out"] == []


def test_the_end_of_a_sweep_over_sizes_names_the_command(
    sweeper: Sweeper, transfer: RunFolder
) -> None:
    assert "python -m sweeper predict transfer --scale 10x" in sweeper("best", "transfer").out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_its_table_fits(
    sweeper: Sweeper, transfer: RunFolder, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    said = sweeper("predict", "transfer", "--scale", "10x")
    table = said.out.split("\n\n")[1].splitlines()
    assert len(table) == 6 and max(map(len, table)) <= width


FAR = ["big", "-3", "nan", "0", "1e-9", "inf", "1e30x", "1000001"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "say which size"),
        (("--params", "124M"), "say which size"),
        (("--scale", "10x", "--params", "1M", "--tokens", "1M"), "say which size"),
        *(
            (("--scale", far), f"must be from 0.001 to 1,000,000, as 10x, got {far!r}")
            for far in FAR
        ),
        (("--params", "124Mi", "--tokens", "1B"), "must be a number, as 124M"),
        (("--params", "124M", "--tokens", "0"), "must be a number, as 124M"),
        (("--params", "9" * 400, "--tokens", "1B"), "must be at most 1,000,000T, got '9"),
    ],
)
def test_a_size_that_is_none_is_refused(
    sweeper: Sweeper, options: tuple[str, ...], told: str
) -> None:
    said = sweeper("predict", "transfer", *options)
    assert said.code == 2
    assert told in " ".join(said.err.replace("│", " ").split())


def test_a_sweep_over_other_things_is_refused(
    sweeper: Sweeper, project: Path, tiny_plan: Any
) -> None:
    run(project, tiny_plan, {"weight_decay": {"grid": [0.1, 0.2]}})
    said = sweeper("predict", "transfer", "--scale", "10x")
    assert said.code == 2 and said.out == ""
    assert said.err.startswith(
        "transfer: not a sweep over learning rates: `space` has weight_decay."
    )


def test_one_size_is_refused_with_the_way_to_more(
    sweeper: Sweeper, project: Path, tiny_plan: Any
) -> None:
    run(project, tiny_plan, {"learning_rate": {"grid": list(RATES)}})
    said = sweeper("predict", "transfer", "--scale", "10x")
    assert said.code == 2
    assert "a law that can be checked needs 3." in said.err
    assert "predict" not in sweeper("best", "transfer").out
    assert "Sweep learning_rate at three or more sizes, as search_spaces/transfer.yaml" in said.err


def test_plan_for_a_large_model_proposes_what_can_be_planned(
    sweeper: Sweeper, project: Path, tiny_plan: Any, write_space: Any
) -> None:
    space = str(write_space(space={"learning_rate": {"grid": list(RATES)}}))
    options = ("--for", "2M", "--tokens", "40M", "--flops", "1e15")
    shown = sweeper("plan", space, *options)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.split()[:3] == ["d_model", "layers", "d_ff"]
    text = " ".join(shown.out.split())
    assert "With 8 runs of each" in text
    assert "best learning rate of 2.0M parameters after 40.0M tokens would be known to" in text

    told = json.loads(sweeper("plan", space, *options, "--json").out)
    assert (told["params"], told["tokens"]) == (2_000_000, 40_000_000) and told["flops"] <= 1e15

    (project / "sizes.yaml").write_text(sweeper("plan", space, *options, "--yaml").out)
    planned = sweeper("plan", "sizes.yaml", "--no-probe", "--json")
    assert (planned.code, planned.err) == (0, "")
    forecast = json.loads(planned.out)
    assert forecast["num_trials"] == 8 * len(told["sizes"])
    assert forecast["whole"]["flops"] == pytest.approx(told["flops"])


def test_plan_for_a_time_takes_no_longer_at_the_speed_of_this_machine(
    sweeper: Sweeper, write_space: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speeds(distinct: Any, *_: Any, **__: Any) -> dict[Shape, Speed]:
        return {
            shape: Speed(tokens_per_second=1e9 / flops_per_token(config), evaluation_seconds=0.1)
            for shape, config in distinct.items()
        }

    monkeypatch.setattr("sweeper.plan.cost.preview.measure_speeds", speeds)
    rates = {"learning_rate": {"grid": list(RATES)}}
    space = str(write_space(space=rates, max_concurrent=1))
    asked = ("plan", space, "--for", "2M", "--time", "2h", "--json")
    told = json.loads(sweeper(*asked).out)
    assert 0.7 * 7200 <= told["seconds"] <= 7200
    shown = sweeper("plan", space, "--for", "2M", "--time", "2h").out
    assert "on this machine, the best learning rate" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--for", "2X"), "must be a number, as 124M, 2.5B or 50k, got '2X'"),
        (("--tokens", "2B"), "--tokens, --flops, --time and --yaml go with --for, as --for 124M"),
        (("--time", "2h"), "--tokens, --flops, --time and --yaml go with --for, as --for 124M"),
        (("--for", "2M", "--time", "2"), "must be a time of at most 3660d, as 30m, 2h or 1.5d, "),
        (("--for", "2M", "--time", "9999999d"), "must be a time of at most 3660d"),
        (("--for", "2M", "--time", "2h", "--flops", "1e15"), "--flops or --time: one of the two"),
        (("--for", "2M", "--flops", "1e9"), "1.0e+09 FLOPs are too few for three sizes"),
    ],
)
def test_plan_for_what_is_none_is_refused(
    sweeper: Sweeper, write_space: Any, options: tuple[str, ...], told: str
) -> None:
    said = sweeper("plan", str(write_space()), *options)
    assert (said.code, said.out) == (2, "")
    assert told in " ".join(said.err.replace("│", " ").split())


def test_plan_for_needs_learning_rates_in_a_list(sweeper: Sweeper, write_space: Any) -> None:
    space = write_space(
        space={"learning_rate": {"loguniform": [1e-4, 1e-2]}},
        search={"algorithm": "random", "num_trials": 4},
    )
    said = sweeper("plan", str(space), "--for", "2M")
    assert said.code == 2
    assert said.err.startswith("tiny: space.learning_rate: must list 4 or more at which each size")
