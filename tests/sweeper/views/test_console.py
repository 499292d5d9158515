"""What users have written stands for itself on every screen: nothing in it is markup."""

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import sweeper as package
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import write_tables
from sweeper.views.console import make_console
from sweeper.views.terminal.summary import print_beginning, print_end
from tests.sweeper.commands.conftest import Sweeper, project, sweeper
from tests.sweeper.in_process import opened, run_trial

__all__ = ["project", "sweeper"]
SOURCES = sorted(Path(package.__file__).parent.rglob("*.py"))
ODD = "[/] [red]a[/red] [bold :cat: [link=x] \\[b] 10[5]"
BUNDLES = {"[/]": {"d_ff": 16}, "[red]b[/red] :cat:": {"d_ff": 32}, "\\[c]": {"d_ff": 64}}


@pytest.fixture
def odd(project: Path, tiny_plan: Any) -> RunFolder:
    """A sweep whose description, bundles, errors and path could all be read as markup."""
    plan = tiny_plan(space={"size": {"grid": BUNDLES}}, description=ODD, scheduler={"type": "fifo"})
    folder = create_run_folder(project / "runs [a]" / ":cat:", plan.spec, "odd", "space.yaml")
    with opened(folder, plan) as sweep:
        while (trial := sweep.next_trial()) is not None:
            failing = trial.values["size"] == "\\[c]"
            run_trial(sweep, trial, fail_at=8 if failing else None)
        sweep.watcher_failed("Screen", f"Traceback\nValueError: {ODD}")
        sweep.close("finished")
    write_tables(sweep.state, folder)
    return folder


def test_the_beginning_and_the_end_of_a_session(
    odd: RunFolder, tiny_plan: Any, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tiny_plan(space={"size": {"grid": BUNDLES}}, description=ODD, scheduler={"type": "fifo"})
    folder = create_run_folder(project / "runs [b]", plan.spec, None, "space.yaml")
    console = make_console()
    with opened(folder, plan) as sweep:
        print_beginning(console, sweep, 2, "http://[::1]:8265 (a token: `[/]`)")
        print_end(console, sweep.state, folder, folder.report, "interrupted")
        print_end(console, sweep.state, folder, f"no font for {ODD}", "finished")
    said = capsys.readouterr().out
    assert f"tiny: {ODD}" in said
    assert f"in {folder.path}/" in said
    assert f"The report: {folder.report}" in said
    assert f"resume {folder.called}" in said
    assert "http://[::1]:8265 (a token: `[/]`)" in said
    assert f"no font for {ODD}" in said


def test_every_command_shows_names_as_they_are(odd: RunFolder, sweeper: Sweeper) -> None:
    runs = ["--runs", str(odd.path.parent)]
    status = sweeper("status", "odd", *runs)
    for bundle in BUNDLES:
        assert f"  {bundle} " in status.out
    assert status.out.startswith(f"{odd.path}/: finished")
    best = sweeper("best", "odd", *runs)
    assert re.search(
        r"^The best of all: size (\[/\]|\[red\]b\[/red\] :cat:) \(trial", best.out, re.M
    )
    assert f"Screen failed and was left out: ValueError: {ODD}" in best.out
    for trial_id in ("0000", "0001", "0002"):
        one = sweeper("trial", "odd", trial_id, *runs)
        values = json.loads(sweeper("trial", "odd", trial_id, *runs, "--json").out)["values"]
        assert f"  size {values['size']}\n" in one.out
    listed = sweeper("list", *runs)
    assert "size [" in listed.out
    shutil.copytree(odd.path, odd.path.with_name("other[2]"))
    compared = sweeper("compare", "odd", "other[2]", *runs, "--html", "a [b].html")
    assert "other[2]" in compared.out
    assert "With plots: a [b].html" in compared.out
    assert "[red]b[/red] :cat:" in compared.out
    report = sweeper("report", "odd", *runs, "--out", "answer [1]")
    assert report.out.startswith("answer [1]/report.html (")
    deleted = sweeper("delete", "odd", "--checkpoints", "--yes", *runs)
    mirrored = sweeper("tensorboard", "odd", *runs)
    assert f"{odd.tensorboard}/" in mirrored.out
    for said in (status, best, listed, compared, report, deleted, mirrored):
        assert (said.code, said.err) == (0, "")


def test_plan_and_prepare_too(project: Path, sweeper: Sweeper, write_space: Any) -> None:
    space = write_space(space={"size": {"grid": BUNDLES}}, description=ODD)
    planned = sweeper("plan", str(space), "--no-probe")
    assert planned.code == 0
    assert all(bundle in planned.out for bundle in BUNDLES)
    (project / "in [x]").mkdir()
    (project / "in [x]" / "a[b].txt").write_text("text " * 2000)
    made = sweeper("prepare", "in [x]", "--out", "data [:cat:]/[/]", "--tokenizer", "bytes")
    assert made.code == 0, made.err
    assert "data [:cat:]/[/] from 1 file" in made.out


@pytest.mark.parametrize("words", [["[/]"], ["best", "[/]"], ["status"], ["run", "[/].yaml"]])
def test_mistakes_too(sweeper: Sweeper, words: list[str]) -> None:
    said = sweeper(*words)
    assert said.code == 2
    assert "Traceback" not in said.err
    assert "status" in words or "[/]" in said.err


def test_no_module_makes_a_screen_of_its_own_or_writes_markup() -> None:
    """One screen knows no markup; whoever made another would have to escape, in every place."""
    own = {"views/console.py", "corpus/progress.py"}  # the latter's is quiet
    for path in SOURCES:
        name = path.relative_to(Path(package.__file__).parent).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Console":
                assert name in own, f"{name}: make_console() makes the one screen"
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("from_markup"):
                raise AssertionError(f"{name}: a Text has styles, without markup")
            if isinstance(node, ast.keyword) and node.arg == "markup":
                assert ast.unparse(node.value) == "False", name
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"\[/?(bold|red|yellow|green|dim)\b[^\]]*\]", node.value), name
