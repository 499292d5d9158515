"""The shipped search spaces: each plans on the built-in corpus, and is modest."""

from pathlib import Path

import numpy as np
import pytest

from sweeper.plan.cost.forecast import forecast
from sweeper.plan.cost.shapes import Machine
from sweeper.plan.plan import Plan, make_plan
from sweeper.spec.reading.spec_file import load_spec
from trainable.model.model_size import flops_per_token

FOLDER = Path(__file__).parents[3] / "search_spaces"
FILES = sorted(FOLDER.glob("*.yaml"))
MAX_FLOPS = 6 * 60 * 2 * 70e9  # six minutes on two ordinary cores, even if no trial is stopped


@pytest.fixture(scope="session")
def byte_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the built-in one, but short."""
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("train", "val"):
        np.save(folder / f"{name}.npy", np.arange(1000).astype(np.uint8))
    (folder / "meta.json").write_text('{"vocab_size": 256, "bytes_per_token": 1.0}')
    return folder


def plan_of(file: Path, data: Path) -> Plan:
    spec, source = load_spec(file)
    return make_plan(spec, data, source)


def test_the_seven_are_shipped() -> None:
    assert {file.stem for file in FILES} == {
        "lr", "warmup", "size", "lr_warmup_size", "horizons", "transfer",
        "your_trainer",
    }  # fmt: skip


def test_four_horizons_cost_less_than_half(byte_corpus: Path) -> None:
    plan = plan_of(FOLDER / "horizons.yaml", byte_corpus)
    branches = forecast(plan, Machine(slots=1, free_memory=None), {}).branches
    assert branches is not None
    assert (branches.num_forks, branches.apart) == (3, None)
    assert branches.share <= 0.45


OURS = [file for file in FILES if file.stem != "your_trainer"]


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.stem)
def test_each_plans_on_the_built_in_corpus(file: Path, byte_corpus: Path) -> None:
    plan = plan_of(file, byte_corpus)
    assert plan.spec.name == file.stem
    assert plan.spec.description
    assert load_spec(file)[0].data is None
    assert {trial.config.vocab_size for trial in plan.trials} == {256}
    assert len({str(trial.config) for trial in plan.trials}) == len(plan.trials)
    flops = sum(
        flops_per_token(t.config)
        * t.config.batch_size
        * t.config.context_length
        * t.config.max_steps
        for t in plan.trials
    )
    assert flops < MAX_FLOPS


def test_a_size_sets_several_fields_at_once(byte_corpus: Path) -> None:
    trials = {t.values["size"]: t for t in plan_of(FOLDER / "size.yaml", byte_corpus).trials}
    assert set(trials) == {"tiny", "small", "medium", "large"}
    assert (trials["tiny"].config.d_model, trials["tiny"].config.num_layers) == (64, 2)
    assert (trials["large"].config.d_model, trials["large"].config.num_heads) == (256, 8)


def test_warmups_are_over_before_trials_are_compared(byte_corpus: Path) -> None:
    plan = plan_of(FOLDER / "lr.yaml", byte_corpus)
    first_rung = plan.spec.model_dump()["scheduler"]["grace_steps"]
    assert max(trial.config.warmup_steps for trial in plan.trials) < first_rung


def test_where_sizes_or_warmups_are_compared_every_trial_comes_to_its_end() -> None:
    for name in ("warmup", "size", "lr_warmup_size", "transfer"):
        assert load_spec(FOLDER / f"{name}.yaml")[0].scheduler.type == "fifo"


SHORTENED = {
    **dict.fromkeys(["lr", "warmup", "size", "lr_warmup_size"], "train.max_steps=250"),
    "horizons": "space.max_steps.grid=[200, 300]",
    "transfer": "train.max_steps.times=2",
}


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.stem)
def test_each_is_shortened_by_one_set(file: Path, byte_corpus: Path) -> None:
    spec, source = load_spec(file, [SHORTENED[file.stem]])
    short = make_plan(spec, byte_corpus, source).trials
    whole = plan_of(file, byte_corpus).trials
    assert max(t.config.max_steps for t in short) < min(t.config.max_steps for t in whole)
