"""How the curves are recorded: a family becomes a file, once, and only when it is whole."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.curves import export, reading, record
from benchmarks.curves.prose import prose_of
from sweeper.runtime.in_process import InProcess

TINY = """
name: python_tiny
train:
  {d_model: 8, num_heads: 2, d_ff: 8, num_layers: 1, context_length: 8, batch_size: 2, max_steps: 4,
   vocab_size: 32, warmup_steps: 1, min_learning_rate: {times: 0.1, of: learning_rate},
   eval_every_steps: 2, eval_windows: 2, device: cpu, dtype: float32}
space: {learning_rate: {grid: [1e-3, 1e-2]}}
scheduler: {type: fifo}
seeds: [0, 1]
"""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data; the one search space of the benchmark is in its `families`."""
    families, data = tmp_path / "families", tmp_path / "data" / "python"
    families.mkdir()
    data.mkdir(parents=True)
    (families / "python_tiny.yaml").write_text(TINY)
    for name in ("train", "val"):
        np.save(data / f"{name}.npy", np.arange(500, dtype=np.uint8) % 32)
    for module in (record, reading):
        monkeypatch.setattr(module, "HERE", families)
    return tmp_path


def test_a_family_that_was_interrupted_is_written_once_it_is_whole(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = scratch / "families" / "python_tiny.yaml"
    run_trial = InProcess.run_trial

    def dies(runtime: InProcess, trial) -> None:
        if trial.trial_id == "0002":
            raise KeyboardInterrupt
        run_trial(runtime, trial)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(InProcess, "run_trial", dies)
        record.record("python_tiny", scratch)
    export.export(file, scratch)
    assert reading.families() == []

    record.record("python_tiny", scratch)
    export.export(file, scratch)
    curves = reading.read_family("python_tiny")
    assert [(curve.trial, curve.steps, curve.tokens) for curve in curves] == [
        (trial, (2, 4), (32, 64)) for trial in range(4)
    ]
    assert {(curve.learning_rate, curve.seed) for curve in curves} == {
        (rate, seed) for rate in (1e-3, 1e-2) for seed in (0, 1)
    }
    assert all(c.min_learning_rate == pytest.approx(c.learning_rate / 10) for c in curves)

    journal = (scratch / "runs" / "python_tiny" / "journal.jsonl").read_bytes()
    record.record("python_tiny", scratch)  # there is nothing left to do
    assert (scratch / "runs" / "python_tiny" / "journal.jsonl").read_bytes() == journal


def test_what_a_seed_does_to_all_points_alike_is_no_deviation_of_its_own() -> None:
    assert reading.own_deviation([[1.0, 1.5], [3.0, 3.5]]) == pytest.approx(0)
    # Four squares of 1, and one degree of freedom.
    assert reading.own_deviation([[0.0, 2.0], [2.0, 0.0]]) == pytest.approx(2.0)


def test_of_a_page_the_paragraphs_and_headings_are_prose() -> None:
    page = (
        '<title>no</title><div id="menu">no <span>no</span></div><h1>Head</h1>'
        '<div class="para">One <em>two</em>\nthree.</div><pre>no</pre><p>Four.</p>'
    )
    assert prose_of(page) == "Head\n\nOne two three.\n\nFour.\n"
