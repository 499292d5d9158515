"""What a person reads: the table fits, the summary names the winner, lines where no terminal is."""

import io
import shlex
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeper.analysis.remarks import remark
from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.trial import Trial
from sweeper.spec.points import point_text
from sweeper.status import Status
from sweeper.views.format import size
from sweeper.views.next_steps import train_command
from sweeper.views.terminal.live_view import metrics_line
from sweeper.views.terminal.screen import Screen
from sweeper.views.terminal.summary import print_summary
from sweeper.views.terminal.trial_table import seconds_left, trial_table
from tests.sweeper.in_process import drive, opened, run_trial
from tests.sweeper.record.test_tables import state_with
from trainable.loop.metrics import Metrics


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    return tiny_plan(space={"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 0.7]}})


def console(width: int = 100, *, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, highlight=False)


def text(of: Console) -> str:
    assert isinstance(of.file, io.StringIO)
    return of.file.getvalue()


@pytest.mark.parametrize("width", [50, 80, 160])
def test_the_summary_names_the_winner_and_fits(tmp_path: Path, plan: Plan, width: int) -> None:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    sweep = drive(folder, plan)
    screen = console(width)
    print_summary(screen, sweep.state, folder)
    shown = text(screen)
    assert "Best: learning_rate 0.001  (trial" in shown
    assert "diverged" in shown
    best = next(t for t in sweep.trials.values() if t.config.learning_rate == 1e-3)
    assert f"validation loss {best.evaluations[-1].val_loss:.4f}" in shown
    table = shown.split("\n\n")[0].splitlines()
    assert len(table) == 1 + len(plan.trials)
    assert max(map(len, table)) <= width


def test_sizes_stand_from_the_smallest_up_and_their_best_is_the_answer(
    tmp_path: Path, tiny_plan: Any
) -> None:
    sizes = {f"w{width}": {"d_model": width} for width in (48, 16, 32)}
    space = {"size": {"grid": sizes}, "learning_rate": {"grid": [1e-3, 1e-2]}}
    plan = tiny_plan(space=space, scheduler={"type": "fifo"})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    screen = console(150)
    print_summary(screen, drive(folder, plan).state, folder)
    shown = text(screen)
    of_each = [word for word in shown.split("\n\n")[0].split() if word in sizes]
    assert of_each == ["w16", "w16", "w32", "w32", "w48", "w48"]
    assert "Best learning_rate: 0.001 at w16, 0.001 at w32 and 0.001 at w48" in shown
    rows = shown[shown.index("\nsize ") + 1 :].splitlines()
    assert [row.split()[0] for row in rows[1:4]] == ["w16", "w32", "w48"]


def test_the_command_quotes_what_a_shell_would_break(tmp_path: Path, plan: Plan) -> None:
    folder = create_run_folder(tmp_path / "my runs", plan.spec, None, "space.yaml")
    sweep = drive(folder, plan)
    trial = sweep.trials["0000"]
    words = shlex.split(
        train_command(folder, "0000", str(trial.checkpoint), trial.config.max_steps)
    )
    assert words[:4] == ["python", "-m", "trainable", "--resume_from"]
    assert Path(words[4]).is_file()
    assert words[words.index("--max_steps") + 1] == str(2 * trial.config.max_steps)


def test_without_a_winner_it_says_so(tmp_path: Path, plan: Plan) -> None:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        sweep.next_trial()
        screen = console()
        print_summary(screen, sweep.state, folder)
    assert "no winner" in text(screen)


def test_plain_lines_where_there_is_no_terminal(
    tmp_path: Path, plan: Plan, monkeypatch: Any
) -> None:
    monkeypatch.setattr("sweeper.views.terminal.screen.REFRESH_SECONDS", 0)
    monkeypatch.setattr("sweeper.views.terminal.screen.MOST_OF_THE_DRIVER", 1e9)
    screen = console()
    watch_one_trial(tmp_path, plan, screen)
    lines = text(screen).splitlines()
    assert lines[0].startswith("0000  learning_rate ")
    assert "step 4/16  val_loss " in lines[0]
    assert lines[-2].endswith(("completed", "stopped", "diverged"))
    assert lines[-1].startswith("1/4 trials ended, ")
    assert "\x1b" not in text(screen)


def test_a_live_table_in_a_terminal(tmp_path: Path, plan: Plan, monkeypatch: Any) -> None:
    monkeypatch.setattr("sweeper.views.terminal.screen.REFRESH_SECONDS", 0)
    monkeypatch.setattr("sweeper.views.terminal.screen.MOST_OF_THE_DRIVER", 1e9)
    screen = console(terminal=True)
    watch_one_trial(tmp_path, plan, screen)
    assert "1/4 trials ended" in text(screen)
    assert "step 4/16" not in text(screen)


def test_verbose_tells_every_start_and_report_above_the_table(
    tmp_path: Path, plan: Plan, monkeypatch: Any
) -> None:
    monkeypatch.setattr("sweeper.views.terminal.screen.REFRESH_SECONDS", 0)
    monkeypatch.setattr("sweeper.views.terminal.screen.MOST_OF_THE_DRIVER", 1e9)
    screen = console(terminal=True)
    watch_one_trial(tmp_path, plan, screen, verbose=True)
    assert "  started" in text(screen)
    assert "step 4/16  val_loss " in text(screen)
    assert "1/4 trials ended" in text(screen)


def test_a_line_between_evaluations_has_the_training_loss(plan: Plan) -> None:
    trial = Trial("0000", {}, plan.trials[0].config)
    metrics = Metrics(step=3, train_loss=2.5, tokens_per_second=1234.0)
    assert metrics_line(trial, metrics) == "step 3/16  train_loss 2.5000  1.2k tok/s"


def test_a_screen_too_small_shows_what_runs(tmp_path: Path, plan: Plan) -> None:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        for _ in range(3):
            run_trial(sweep, next_of(sweep))
        running = next_of(sweep)
        sweep.start(running.trial_id)
        screen = console()
        screen.print(trial_table(screen, sweep.state, shown=2))
    _, best, last, more = text(screen).splitlines()
    assert "completed" in best
    assert last.startswith(running.trial_id) or best.startswith(running.trial_id)
    assert more == "… and 2 more"


def watch_one_trial(tmp_path: Path, plan: Plan, on: Console, *, verbose: bool = False) -> None:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        watcher = Screen(on, plan, verbose=verbose)
        trial = sweep.next_trial()
        assert trial is not None
        watcher.started(trial)
        watcher.refresh(sweep.state)
        run_trial(sweep, trial)
        watcher.measured(trial, trial.evaluations)
        watcher.ended(trial)
        watcher.refresh(sweep.state)
        watcher.close(sweep.state)


def test_checkpoints_beyond_their_budget_are_told_of_once(tmp_path: Path, tiny_plan: Any) -> None:
    free = tiny_plan()
    alone = create_run_folder(tmp_path / "alone", free.spec, None, "space.yaml")
    with opened(alone, free) as sweep:
        first = sweep.next_trial()
        assert first is not None
        run_trial(sweep, first)
        budget = sweep.state.checkpoints.total  # of one, and each completed trial keeps one
    plan = tiny_plan(checkpoints={"budget": budget})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    screen = console()
    with opened(folder, plan) as sweep:
        watcher = Screen(screen, plan)
        told = []
        for trial in iter(sweep.next_trial, None):
            run_trial(sweep, trial)
            for _ in range(2):
                watcher.refresh(sweep.state)
            told.append(text(screen).count(f"over their budget of {size(budget)}"))
    assert told[0] == 0
    assert told[-1] == 1
    print_summary(screen, sweep.state, folder)
    assert f"at most (budget {size(budget)})." in text(screen)


def test_time_left_is_at_the_speed_so_far(tmp_path: Path, plan: Plan) -> None:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        trial = next_of(sweep)
        assert seconds_left(trial) is None
        trial.progress = Metrics(step=4, train_seconds=2.0)
        assert seconds_left(trial) == 6.0
        assert point_text(trial.values).startswith("learning_rate ")


def next_of(sweep: Sweep) -> Any:
    trial = sweep.next_trial()
    assert trial is not None
    return trial


def test_metrics_have_what_the_screen_shows() -> None:
    shown = {"step", "val_loss", "val_perplexity", "val_bits_per_byte", "tokens_per_second"}
    assert shown | {"train_seconds", "diverged"} <= set(Metrics.__dataclass_fields__)


def test_a_name_that_is_not_swept_in_a_trial_has_an_empty_cell(
    tmp_path: Path, tiny_plan: Any
) -> None:
    sizes = {"small": {"num_layers": 1}, "large": {"num_layers": 2}}
    warmup = {"grid": [1, 3], "when": {"size": "large"}}
    plan = tiny_plan(space={"warmup_steps": warmup, "size": {"grid": sizes}}, train={})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    screen = console()
    print_summary(screen, drive(folder, plan).state, folder)
    lines = text(screen).splitlines()
    assert lines[0].split()[:5] == ["trial", "warmup_steps", "size", "curve", "step"]
    (small,) = [line for line in lines if " small " in line and "/16" in line]
    assert small.split()[1] == "small"
    assert small.split()[3] == "16/16"
    assert sum(" large " in line and "/16" in line for line in lines) == 2


@pytest.mark.parametrize("status", [Status.STOPPED, Status.DIVERGED])
def test_only_what_was_stopped_is_said_to_have_stopped(
    tmp_path: Path, plan: Plan, status: Status
) -> None:
    state = state_with(
        plan, (Status.COMPLETED, [(4, 2.5), (16, 1.0)]), (status, [(4, 2.0), (8, None)])
    )
    screen = console(200)
    print_summary(screen, state, RunFolder(tmp_path))
    shown = text(screen)
    assert "behind learning_rate" in shown, "it was worse at the step that both reached"
    assert ("where that one stopped" in shown) == (status is Status.STOPPED)
    assert ("the last that both were evaluated at" in shown) == (status is not Status.STOPPED)


def test_of_a_remark_that_only_the_report_has_the_command_is_told(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remark, "AT_ONCE", 0)
    plan = tiny_plan(scheduler={"type": "fifo"})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    sweep = drive(folder, plan, fault=lambda t, _: "ends" if t.trial_id == "0001" else None)
    screen = console(200)
    print_summary(screen, sweep.state, folder)
    shown = text(screen)
    assert f"in the report:  python -m sweeper report {folder.called}" in shown
    assert "nothing is known of them" not in shown
    assert f"python -m sweeper resume {folder.called} --retry-failed" in shown
