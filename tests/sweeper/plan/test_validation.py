"""Too little validation text, as `plan` tells it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeper.commands.cli import app
from sweeper.corpus.preparation import prepare
from sweeper.plan.plan import Plan, make_plan
from sweeper.plan.validation import thin_validation
from sweeper.spec.reading.spec_file import load_spec


@pytest.fixture
def plan_with(write_space: Any, tmp_path: Path) -> Callable[..., Plan]:
    def plan(val: np.ndarray, **train: int) -> Plan:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        np.save(folder / "train.npy", np.arange(5000, dtype=np.uint16) % 64)
        np.save(folder / "val.npy", val.astype(np.uint16))
        spec, source = load_spec(write_space(data=str(folder), train=train))
        return make_plan(spec, folder, source)

    return plan


RANDOM = np.random.default_rng(0).integers(0, 64, 5000)


@pytest.mark.parametrize(("num_tokens", "is_thin"), [(160, True), (161, False), (5000, False)])
def test_there_are_more_tokens_than_the_windows_hold(
    plan_with: Callable[..., Plan], num_tokens: int, is_thin: bool
) -> None:
    """Ten windows of sixteen inputs; the last one's targets are one token further."""
    thin = thin_validation(plan_with(RANDOM[:num_tokens], eval_windows=10, context_length=16))
    assert (thin is not None) == is_thin


@pytest.mark.parametrize(
    ("val", "told"),
    [
        (RANDOM[:17], "17 tokens, an evaluation reads 160 .*: its windows are all the same"),
        (RANDOM[:19], "19 tokens, .*: only 3 of its windows are different"),
        (RANDOM[:100], "100 tokens, .*: its windows overlap, and"),
        (np.tile(RANDOM[:3], 1000), "3,000 tokens, .*: only 3 of its windows are different"),
        (np.zeros(1000), "1,000 tokens, .*: its windows are all the same"),
    ],
)
def test_what_is_thin_about_it_is_told(
    plan_with: Callable[..., Plan], val: np.ndarray, told: str
) -> None:
    thin = thin_validation(plan_with(val, eval_windows=10, context_length=16))
    assert thin is not None
    assert re.search(told, thin.sentence)


def test_plan_tells_of_three_thousand_rows_of_nine_texts(
    write_space: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": f"text {number % 9}"} for number in range(3000)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prepare([str(tmp_path / "a.jsonl")], tmp_path / "data")
    space = write_space(data=str(tmp_path / "data"), train={"eval_windows": 256, "vocab_size": 256})
    app(["plan", str(space), "--no-probe"], standalone_mode=False)
    told = " ".join(capsys.readouterr().out.split())
    assert "has 2,331 tokens, an evaluation reads 4,096 (256 windows of 16): only " in told
    assert "Prepare more text or a larger --val_fraction, or set train.eval_windows lower." in told
    app(["plan", str(space), "--no-probe", "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["thin_validation"]["num_tokens"] == 2331
