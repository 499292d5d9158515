"""`python -m sweeper plan`: as a person and as a script see it."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from sweeper.plan.forecast import Machine, Speed, forecast, shapes
from sweeper.plan.preview import print_forecast

SIZES = {
    "size": {
        "grid": {"small": {"d_model": 16}, "large": {"d_model": 64}},
    },
    "learning_rate": {"grid": [1e-3, 1e-2]},
}


def sweeper_plan(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sweeper", "plan", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def printed(plan: Any, machine: Machine, speed: Speed | None) -> str:
    console = Console(file=io.StringIO(), width=80)
    speeds = {} if speed is None else dict.fromkeys(shapes(plan), speed)
    print_forecast(console, forecast(plan, machine, speeds))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_plan_is_told_and_nothing_written(tmp_path: Path, write_space: Any) -> None:
    space = write_space(space=SIZES)
    before = sorted(tmp_path.rglob("*"))
    result = sweeper_plan(tmp_path, space, "--json", "--set", "train.max_steps=12")
    assert (result.returncode, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert told["num_trials"] == 4
    assert [rung["at"] for rung in told["rungs"]] == [4, 8, 12]
    assert {shape["name"] for shape in told["shapes"]} == {"size small", "size large"}
    assert all(shape["is_measured"] for shape in told["shapes"])
    assert 0 < told["expected"]["wall_seconds"] < told["whole"]["wall_seconds"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_mistake_is_one_message(tmp_path: Path, write_space: Any) -> None:
    result = sweeper_plan(tmp_path, write_space(resources={"cpu": 100_000}), "--no-probe")
    assert (result.returncode, result.stdout) == (2, "")
    told = r"space\.yaml:\d+: resources\.cpu: a trial asks for 100000, but this machine has "
    assert re.search(told, result.stderr)
    missing = sweeper_plan(tmp_path, write_space(data="nowhere"))
    assert missing.returncode == 2
    assert "nowhere" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_what_is_printed(tiny_plan: Any) -> None:
    speed = Speed(tokens_per_second=64, evaluation_seconds=1.5)
    text = printed(tiny_plan(space=SIZES), Machine(slots=2, free_memory=2**40), speed)
    rows = [line.split() for line in text.splitlines()]
    assert "tiny: 4 trials, 2 at a time, scheduler asha, stop" in text
    assert "over all 24 orders of merit" in text
    assert ["4", "4.0"] in rows
    # 16 steps of a second and four evaluations, twice in a row
    assert next(row for row in rows if row[:1] == ["every"])[-1] == "44s"
    assert "too large" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_the_constraints_ruled_out_is_told(tiny_plan: Any) -> None:
    machine = Machine(slots=1, free_memory=None)
    assert "ruled out" not in printed(tiny_plan(), machine, None)
    assert "ruled out 3 points" in printed(replace(tiny_plan(), dropped=3), machine, None)


def test_what_is_not_known_is_not_made_up(tiny_plan: Any) -> None:
    plan = tiny_plan(space=SIZES, scheduler={"type": "fifo"})
    text = printed(plan, Machine(slots=1, free_memory=1), None)
    assert "No times" in text
    assert "these trials would fail" in text
    assert "Expected" not in text
    assert [line.split()[-2:] for line in text.splitlines() if "size " in line] == [["-", "-"]] * 2


def test_a_search_that_learns_is_told_by_its_stand_ins(tiny_plan: Any) -> None:
    search = {"algorithm": "tpe", "num_trials": 5}
    machine = Machine(slots=2, free_memory=2**34)
    told = printed(tiny_plan(space=SIZES, search=search), machine, None)
    assert "tiny: 5 trials, 2 at a time" in told
    assert "tpe chooses points by results: random ones stand for them here." in told
    drawn = tiny_plan(space=SIZES, search={**search, "algorithm": "sobol"})
    assert "stand for them" not in printed(drawn, machine, None)
