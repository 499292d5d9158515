"""The benchmark on a table of a known law: what it prints is what it is said to be."""

import math
from pathlib import Path

import pytest

from benchmarks.transfer import read_settings, regret, rows_of


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Step Law's exponents, a batch size of which twice as much or half costs 1 %."""
    lines = ["params,tokens,learning_rate,batch_size,loss"]
    for params, tokens in ((1e8, 2e9), (1e8, 4e9), (2e8, 4e9), (4e8, 8e9), (4e8, 3e10)):
        best = 2e-3 * (params / 2e8) ** -0.713 * (tokens / 4e9) ** 0.307
        for k in range(-4, 4):
            rate = float(f"{2e-3 * 2.0**k:.4g}")
            for off in (-1, 0, 1):
                rise = 0.005 * math.log2(rate / best) ** 2 + 0.01 * off**2
                batch = round(64 * (tokens / 2e9) ** 0.571 * 2.0**off)
                loss = (2 + (params / 1e8) ** -0.35 + (tokens / 1e9) ** -0.37) * (1 + rise)
                lines.append(f"{params:.0f},{tokens:.0f},{rate},{batch},{loss}")
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_setting_is_predicted_from_those_of_at_most_a_quarter_of_its_compute(
    table: Path,
) -> None:
    settings = read_settings(table)
    assert [len(setting.losses) for setting in settings] == [24] * 5
    rows = rows_of(settings)
    assert [(row.predicted.params, row.predicted.tokens) for row in rows] == [
        (400_000_000, 8_000_000_000),
        (400_000_000, 30_000_000_000),
    ]
    assert [row.times for row in rows] == pytest.approx([4, 15])
    for row in rows:
        assert row.held and abs(row.loss_error) < 0.03
        assert set(row.regrets) == {"law", "free fit", "Step Law, own intercept"}
        assert max(row.regrets["law"]) < 0.005


def test_regret_is_read_off_a_line_through_the_runs() -> None:
    losses = {1e-3: 2.0, 4e-3: 2.2}
    assert regret(losses, 1e-3) == 0
    assert regret(losses, 2e-3) == pytest.approx(0.05)
