"""benchmarks/answer.py: its bar to beat against formulas, others' code against its own loop, and
the table that it prints."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest

from benchmarks.plain_process import PlainProcess, coordinates, expected_improvement
from benchmarks.stock import Pruned, Sampled, TuneAsha, affordable_trials, sampling
from sweeper.analysis.backtest.backtesting import backtest, draws
from sweeper.analysis.backtest.reading import read_table
from sweeper.analysis.backtest.recording import Recording
from sweeper.analysis.backtest.replay import replay
from sweeper.status import Decision, Status
from sweeper.strategy.schedulers.asha import Asha
from tests.sweeper.analysis.backtest.quadratic import write_table

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.filterwarnings("ignore:All-NaN slice"),  # Tune's ASHA of a trial that diverged
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("curves") / "quadratic.parquet")


@pytest.fixture(scope="module")
def recording(table: Path) -> Recording:
    return read_table(table)[0]


def test_the_axes_go_from_0_to_1_on_a_log_scale(recording: Recording) -> None:
    at = coordinates(recording)
    rates = [float(point["learning_rate"] or 0) for point in recording.settings]
    expected = [math.log2(rate / 1e-3) / 7 for rate in rates]
    assert at[:, 0] == pytest.approx(expected)
    assert (at.min(), at.max()) == (0, 1)


def test_the_plain_process_is_a_gaussian_process(recording: Recording) -> None:
    """Its posterior is that of the textbook (Rasmussen and Williams, 2.25 and 2.26), at the scales
    under which what was seen is likeliest."""
    process, field = PlainProcess(recording), recording.fields[0]
    run = [0, 5, 9, 13]
    y = np.array([field.score(setting) for setting in run])
    mean, deviation = process.posterior(run, list(y))
    z = (y - y.mean()) / y.std()
    noise = np.eye(len(run)) * ((process.noise / y.std()) ** 2 + 1e-6)

    def log_likelihood(kernel: np.ndarray) -> float:
        inner = kernel[np.ix_(run, run)] + noise
        return float(-0.5 * z @ np.linalg.inv(inner) @ z - 0.5 * np.linalg.slogdet(inner)[1])

    kernel = max(process.kernels, key=log_likelihood)
    inverse = np.linalg.inv(kernel[np.ix_(run, run)] + noise)
    across = kernel[:, run]
    assert mean == pytest.approx(y.mean() + y.std() * across @ inverse @ z, rel=1e-6)
    variance = 1 - np.einsum("ij,jk,ik->i", across, inverse, across)
    assert deviation**2 == pytest.approx(y.std() ** 2 * np.maximum(variance, 1e-12), abs=1e-6)


def test_expected_improvement_is_an_expectation() -> None:
    drawn = np.random.default_rng(0).normal(1.0, 0.5, 400_000)
    (found,) = expected_improvement(np.array([1.0]), np.array([0.5]), 0.8)
    assert found == pytest.approx(np.maximum(0.8 - drawn, 0).mean(), abs=2e-3)


def test_it_tries_no_point_twice_and_begins_at_random(recording: Recording) -> None:
    (draw,) = draws(recording, 1, 2)
    *_, (run, named) = PlainProcess(recording).runs(recording.fields[0], draw)
    assert sorted(run) == list(range(24))
    assert tuple(run[:3]) == draw.order[:3]
    assert named in run


def test_rays_asha_stops_what_ours_stops_but_for_ties_of_rank(recording: Recording) -> None:
    """With reduction factor 2 Tune asks for the median of those before; ours for the better half
    with the newcomer counted in. So the first two go on in both, and most others agree."""
    field = recording.fields[0]
    agree = 0
    for draw in draws(recording, 20, 1):
        ours = replay(field, draw, Asha(60, 2)).ends
        theirs = replay(field, draw, TuneAsha(60, 400, 2)).ends
        agree += sum(a == b for a, b in zip(ours, theirs, strict=True))
        assert theirs[draw.order[0]] in (Status.COMPLETED, Status.DIVERGED)
    assert agree / (20 * 24) > 0.9


def test_a_pruner_decides_as_in_optunas_own_loop(recording: Recording) -> None:
    """study.optimize on the same curves in the same order, one at a time."""
    field = recording.fields[0]
    (draw,) = draws(recording, 1, 1)

    def study() -> optuna.Study:
        pruner = optuna.pruners.MedianPruner(n_warmup_steps=100)
        return optuna.create_study(pruner=pruner)

    def objective(trial: optuna.Trial) -> float:
        curve = field.curves[draw.order[trial.number]]
        for seen in curve.evaluations:
            if seen.val_loss is None:
                return math.nan  # Optuna fails the trial
            trial.report(seen.val_loss, seen.step)
            if seen.step < 400 and trial.should_prune():
                raise optuna.TrialPruned
        return seen.val_loss or math.nan

    theirs = study()
    theirs.optimize(objective, n_trials=24)
    scheduler = Pruned(study())
    ends = replay(field, draw, scheduler).ends
    states = {"COMPLETE": Status.COMPLETED, "PRUNED": Status.STOPPED, "FAIL": Status.DIVERGED}
    assert [ends[s] for s in draw.order] == [states[t.state.name] for t in theirs.trials]


def test_a_sampler_is_told_of_what_was_run(recording: Recording) -> None:
    sampled = Sampled(recording, lambda seed: optuna.samplers.TPESampler(seed=seed))
    (draw,) = draws(recording, 1, 1)
    runs = list(sampled.runs(recording.fields[0], draw))
    assert [len(run) for run, _ in runs] == list(range(1, 25))
    assert sorted(runs[-1][0]) == list(range(24))
    field = recording.fields[0]
    assert [named for _, named in runs] == [min(run, key=field.score) for run, _ in runs]


def test_a_smaller_budget_is_the_beginning_of_a_larger_one(recording: Recording) -> None:
    rows = backtest(recording, sampling("TPE")(recording, (0.1, 0.4)), orders=3, slots=2)
    alone = [
        row
        for budget in (0.1, 0.4)
        for row in backtest(recording, sampling("TPE")(recording, (budget,)), orders=3, slots=2)
    ]
    key = {(row.title, row.tokens, row.regret) for row in rows}
    assert key == {(row.title, row.tokens, row.regret) for row in alone}
    assert affordable_trials(recording.fields[0], [], 0.1) == 0


def test_a_diverged_value_stops_in_others_code_too(recording: Recording) -> None:
    pruned = Pruned(optuna.create_study())
    pruned.added("0000", 400)
    assert pruned.report("0000", 20, None, 400).decision is Decision.STOP


def test_it_prints_a_table_with_every_strategy(table: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks" / "answer.py", table, "--orders", "1"]
    groups = ["baselines", "random", "stock", "plain process"]
    found = subprocess.run(
        [*command, "--only", *groups], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, named, beside = found.stdout.split("\n## Goals: ")
    head, columns, _, *rows = [line for line in first.splitlines() if line]
    assert head.startswith("## quadratic: 24 settings, 8 learning_rate x 3 warmup_steps; 3 seeds, ")
    strategies = [row.split("|")[1].strip() for row in rows]
    assert len(strategies) == 10 + 4 + 5 + 4
    assert {"full grid", "Ray's ASHA, rf 2, grace 60", "plain process, 25%"} <= {*strategies}
    assert {len(row.split("|")) for row in [columns, *rows]} == {11}
    assert "| quadratic | not by 40% | 100%: " in named
    assert "| quadratic | - | - | - | - |" in beside, "the model did not run"
