"""`backtest` as it is typed."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sweeper.record.run_folder import RunFolder, create_run_folder
from tests.sweeper.analysis.backtest.quadratic import rows, write_table
from tests.sweeper.commands.conftest import GRID, Sweeper
from tests.sweeper.in_process import drive

ROOT = Path(__file__).parents[3]
BASELINES = [
    "full grid",
    "random",
    "top-k after one rung",
    "asha, stop",
    "asha, stop",
    "asha, promote",
    "asha, promote",
    "hyperband",
    "median",
    "search: model",
]


@pytest.fixture
def whole(project: Path, tiny_plan: Any) -> RunFolder:
    """A sweep whose trials ran to their ends; one of them diverged."""
    plan = tiny_plan(space=GRID, scheduler={"type": "fifo"}, train={"eval_every_steps": 2})
    folder = create_run_folder(project / "runs", plan.spec, "whole", "space.yaml")
    drive(folder, plan)
    return folder


def test_on_a_screen(sweeper: Sweeper, whole: RunFolder) -> None:
    said = sweeper("backtest", "whole", "--orders", "6")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "whole: 4 settings, 6 orders"
    assert lines[1] == "best validation loss 1.7500: learning_rate 0.001"
    names = [name for line in lines for name in BASELINES if line.startswith(name)]
    assert set(names) == set(BASELINES)
    assert "the deviation of the seeds is not known" in said.out
    assert "in sd" not in said.out


def test_seeds_say_what_is_noise(sweeper: Sweeper, project: Path) -> None:
    table = write_table(project / "curves.parquet")
    said = sweeper("backtest", str(table), "--orders", "3")
    assert (said.code, said.err) == (0, "")
    assert "quadratic: 24 settings, 3 orders" in said.out
    assert "sd 0.0101, of 3 seeds among the 8 best" in said.out
    assert "in sd" in said.out


@pytest.mark.parametrize("width", [50, 80, 200])
def test_it_fits(
    sweeper: Sweeper, project: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    table = write_table(project / "curves.parquet")
    said = sweeper("backtest", str(table), "--orders", "1", "--slots", "1", "--slots", "3").out
    lines = said[said.index("strategy") :].splitlines()
    assert len(lines) == 1 + 2 * len(BASELINES) + 1
    assert max(map(len, lines)) <= width


def test_for_scripts(sweeper: Sweeper, whole: RunFolder) -> None:
    (facts,) = json.loads(
        sweeper("backtest", "whole", "--orders", "6", "--slots", "1", "--slots", "4", "--json").out
    )
    assert (facts["name"], facts["settings"], facts["seeds"]) == ("whole", 4, 1)
    assert facts["best"]["values"] == {"learning_rate": 1e-3}
    assert facts["deviation"] is None
    assert [row["slots"] for row in facts["strategies"]] == [1] * len(BASELINES) + [4] * len(
        BASELINES
    )
    full = facts["strategies"][0]
    assert (full["tokens"], full["regret"], full["replays"]) == (1, 0, 6)
    assert full["seconds"] == pytest.approx(3 * 0.16 + 0.02)
    assert facts["strategies"][len(BASELINES)]["seconds"] == pytest.approx(0.16), "all at once"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{type: asha, grace_steps: 2, reduction_factor: 4}", None),
        ("{search: {algorithm: tpe, num_trials: 3}}", None),
        ("fifo", "fifo"),
        ("mine.yaml", "mine"),
        (str(ROOT / "search_spaces" / "lr.yaml"), "lr"),
        ("{type: hyperband}", None),
    ],
)
def test_what_is_asked_for_comes_last(
    sweeper: Sweeper, whole: RunFolder, project: Path, text: str, name: str | None
) -> None:
    (project / "mine.yaml").write_text("scheduler: {type: median, grace_steps: 4}")
    said = sweeper("backtest", "whole", "--orders", "2", "--scheduler", text, "--json")
    (facts,) = json.loads(said.out)
    assert len(facts["strategies"]) == len(BASELINES) + 1
    assert facts["strategies"][-1]["strategy"] == (name or text[1:-1])


def test_a_search_has_so_many_trials(sweeper: Sweeper, whole: RunFolder) -> None:
    for algorithm in ("random", "tpe"):
        text = f"{{search: {{algorithm: {algorithm}, num_trials: 1}}}}"
        said = sweeper("backtest", "whole", "--orders", "8", "--scheduler", text, "--json")
        spent = json.loads(said.out)[0]["strategies"][-1]["tokens"]
        # One of three whole runs or of one that diverged at step 2.
        assert 2 / 50 <= spent <= 16 / 50


def test_the_picture_is_one(sweeper: Sweeper, whole: RunFolder, project: Path) -> None:
    said = sweeper("backtest", "whole", "--orders", "2", "--plot", "out/regret.png")
    assert said.out.endswith("Drawn: out/regret.png\n")
    assert (project / "out" / "regret.png").read_bytes().startswith(b"\x89PNG")
    (project / "file").write_text("")
    said = sweeper("backtest", "whole", "--orders", "1", "--plot", "file/regret.png")
    assert (said.code, said.err.splitlines()[0][:26]) == (2, "--plot file/regret.png: ca")


def refused(sweeper: Sweeper, *arguments: str) -> str:
    """The one message; exit code 2, and nothing else is said."""
    said = sweeper("backtest", *arguments)
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err
    (line,) = said.err.splitlines()
    return line


def test_a_sweep_whose_trials_were_stopped(sweeper: Sweeper, finished: RunFolder) -> None:
    line = refused(sweeper, "lr")
    assert line.startswith("runs/lr: ")
    assert "trials were stopped early, as 000" in line
    remedy = (
        "python -m sweeper run runs/lr/sweep.yaml --name lr-whole --set 'scheduler={type: fifo}'"
    )
    assert f"{remedy} --set train.eval_every_steps=4" in line


def test_the_remedy_for_that_records_what_can_be_replayed(
    sweeper: Sweeper, finished: RunFolder, tokens_folder: Path, project: Path
) -> None:
    """The overrides that it names, on that very file."""
    from sweeper.plan.plan import make_plan
    from sweeper.spec.reading.spec_file import load_spec

    overrides = ["scheduler={type: fifo}", "train.eval_every_steps=4"]
    spec, source = load_spec(finished.spec, overrides)
    plan = make_plan(spec, tokens_folder, source)
    drive(create_run_folder(project / "runs", plan.spec, "lr-whole", "space.yaml"), plan)
    assert sweeper("backtest", "lr-whole", "--orders", "1").code == 0


def test_one_that_has_not_finished(sweeper: Sweeper, interrupted: RunFolder) -> None:
    assert refused(sweeper, "cut").endswith("go on with it: python -m sweeper resume cut")


def test_one_under_pbt(sweeper: Sweeper, project: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(
        space={"learning_rate": {"grid": [1e-3, 1e-2]}},
        scheduler={"type": "pbt", "interval_steps": 4},
        train={"checkpoint_every_steps": 4, "eval_every_steps": 4},
    )
    folder = create_run_folder(project / "runs", plan.spec, "pbt", "space.yaml")
    drive(folder, plan)
    assert "change their settings on the way" in refused(sweeper, "pbt")


def test_failed_trials_are_left_out_and_told(
    sweeper: Sweeper, project: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(space=GRID, scheduler={"type": "fifo"}, train={"eval_every_steps": 2})
    folder = create_run_folder(project / "runs", plan.spec, "some", "space.yaml")
    drive(folder, plan, fault=lambda trial, step: "ends" if trial.trial_id == "0001" else None)
    said = sweeper("backtest", "some", "--orders", "1")
    assert said.code == 0
    assert "3 settings" in said.out
    assert "1 trials failed; their settings are left out" in said.out


def test_one_that_was_evaluated_late_is_told_so(
    sweeper: Sweeper, project: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(space=GRID, scheduler={"type": "fifo"}, train={"eval_every_steps": 16})
    drive(create_run_folder(project / "runs", plan.spec, "late", "space.yaml"), plan)
    said = " ".join(sweeper("backtest", "late", "--orders", "1").out.split())
    assert "evaluated at step 16 of 16 first" in said
    assert "--set train.eval_every_steps=2" in said


def test_names_that_are_none(sweeper: Sweeper, whole: RunFolder) -> None:
    assert "did you mean 'whole'" in refused(sweeper, "whol")
    assert "no.parquet: cannot be read" in refused(sweeper, "no.parquet")


def test_tables_of_another_kind(sweeper: Sweeper, project: Path) -> None:
    (project / "text.parquet").write_text("no table")
    pq.write_table(pa.table({"a": [1]}), project / "other.parquet")
    pq.write_table(pa.Table.from_pylist(rows()[:0] or [rows()[0]]), project / "one.parquet")
    assert "cannot be read as Parquet" in refused(sweeper, "text.parquet")
    assert "it lacks the columns family, max_steps, " in refused(sweeper, "other.parquet")
    assert "have the same settings" in refused(sweeper, "one.parquet")


@pytest.mark.parametrize(
    ("column", "value"),
    [("status", "lost"), ("tokens", 0), ("step", None), ("max_steps", "many"), ("seed", -1)],
)
def test_rows_that_are_no_trials(
    sweeper: Sweeper, project: Path, column: str, value: object
) -> None:
    table = [row | {column: value} for row in rows()]
    pq.write_table(pa.Table.from_pylist(table), project / "bad.parquet")
    assert refused(sweeper, "bad.parquet").startswith("bad.parquet: trial 0 of quadratic: ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pbt", "--scheduler: scheduler.interval_steps: is required"),
        ("{type: asha, grace_steps: 3}", "compared at step 3, where whole was not evaluated"),
        ("{type: asha, grace_steps: 16}", "must be below the longest trial's end (16), got 16"),
        ("{type: asha, grace_step: 2}", "no such key; did you mean 'grace_steps'?"),
        ("{type: pbt, interval_steps: 4}", "pbt changes settings on the way"),
        ("{search: {algorithm: tpe}}", "search.num_trials: is required for a tpe search"),
        ("{type: [", "--scheduler:1: not valid YAML"),
        ("3", "must be a file as search_spaces/lr.yaml, or as {type: asha"),
        ("none/such.yaml", "none/such.yaml: no such file"),
        ("empty.yaml", "has neither `scheduler:` nor `search:`"),
        ("bad.yaml", "bad.yaml:2: scheduler.type: "),
    ],
)
def test_schedulers_that_cannot_be_replayed(
    sweeper: Sweeper, whole: RunFolder, project: Path, text: str, told: str
) -> None:
    (project / "empty.yaml").write_text("name: x")
    (project / "bad.yaml").write_text("scheduler:\n  type: best\n")
    assert told in refused(sweeper, "whole", "--scheduler", text)
