"""The recorded curves are what their README says, and what replays rely on."""

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.curves.reading import Curve, families, final_losses, read_family
from sweeper.plan.plan import make_plan
from sweeper.spec.reading.spec_file import load_spec
from trainable.model.model_size import num_params

FOLDER = Path(__file__).parents[2] / "benchmarks" / "curves"


@pytest.fixture(scope="module")
def recorded() -> dict[str, list[Curve]]:
    return {family: read_family(family) for family in families()}


def test_there_are_many_small_runs_on_two_corpora(recorded: dict[str, list[Curve]]) -> None:
    curves = [curve for family in recorded.values() for curve in family]
    assert len(curves) >= 400
    assert {curve.corpus for curve in curves} == {"python", "prose"}
    assert min(curve.num_parameters for curve in curves) < 100_000
    assert max(curve.num_parameters for curve in curves) > 900_000
    assert sum(file.stat().st_size for file in FOLDER.glob("*.parquet")) < 3_000_000


@pytest.mark.parametrize("family", families())
def test_a_family_is_the_whole_grid_of_its_search_space(family: str, tmp_path: Path) -> None:
    for name in ("train", "val"):
        np.save(tmp_path / f"{name}.npy", np.full(1000, 511, np.uint16))
    spec, source = load_spec(FOLDER / f"{family}.yaml", ["train.vocab_size=512"])
    plan = make_plan(spec, tmp_path, source)
    curves = read_family(family)

    assert spec.scheduler.type == "fifo"
    assert len(curves) == len(plan.trials)
    for curve, planned in zip(curves, plan.trials, strict=True):
        config = planned.config
        assert curve.trial == int(planned.trial_id)
        assert curve.num_parameters == num_params(config)
        for name in ("seed", "learning_rate", "min_learning_rate", "warmup_steps", "max_steps"):
            assert getattr(curve, name) == getattr(config, name)
        assert curve.weight_decay == config.weight_decay
        due = set(range(config.eval_every_steps, config.max_steps + 1, config.eval_every_steps))
        steps = set(curve.steps)
        if curve.status == "completed":
            assert steps == due | {config.max_steps}
            assert len(curve.losses) == len(curve.steps)
        else:  # what was due before it diverged, and the step at which it did
            assert curve.status == "diverged"
            assert steps == {step for step in due if step < curve.steps[-1]} | {curve.steps[-1]}
            assert len(curve.losses) == len(curve.steps) - 1
        tokens = config.batch_size * config.context_length
        assert curve.tokens == tuple(step * tokens for step in curve.steps)


@pytest.mark.parametrize("family", families())
def test_a_family_can_be_replayed_and_judged(family: str) -> None:
    curves = read_family(family)
    seeds = sorted({curve.seed for curve in curves})
    points = {curve.point for curve in curves}
    assert len(points) >= 24
    assert len(seeds) >= 2
    for point in points:
        assert sorted(curve.seed for curve in curves if curve.point == point) == seeds
    assert all(math.isfinite(loss) for curve in curves for loss in curve.losses)

    finals = final_losses(curves)
    rates = {curve.point: curve.learning_rate for curve in curves}
    best = min(finals, key=lambda point: sum(finals[point]))
    assert min(rates.values()) < rates[best] < max(rates.values())  # not at the edge
    assert len(set(rates.values())) >= 10
    assert max(rates.values()) >= 99 * min(rates.values())
