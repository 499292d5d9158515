import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeper.errors import SpecError
from sweeper.plan.plan import Plan, make_plan
from sweeper.record.run_folder import create_run_folder
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.trainer.settings import OWNED
from trainable.config import TrainConfig
from trainable.errors import DataError


def plan(folder: Path, data: Path, text: str) -> Plan:
    path = folder / "space.yaml"
    path.write_text(text)
    spec, source = load_spec(path)
    return make_plan(spec, data, source)


LR = "space: {learning_rate: {grid: [1e-3, 2e-3]}}\ntrain: {max_steps: 100, warmup_steps: 0}\n"


def test_each_trial_is_the_fixed_settings_and_its_own(tmp_path: Path, tokens_folder: Path) -> None:
    text = (
        "train: {d_model: 32, num_heads: 2, warmup_steps: 0}\n"
        "space:\n"
        "  seed: {grid: [1, 2]}\n"
        "  size: {grid: {same: {d_ff: 64}, wide: {d_ff: 128, d_model: 64}}}\n"
    )
    trials = plan(tmp_path, tokens_folder, text).trials
    assert [trial.trial_id for trial in trials] == ["0000", "0001", "0002", "0003"]
    assert {(t.config.seed, t.config.d_ff, t.config.d_model) for t in trials} == {
        (1, 64, 32), (2, 64, 32), (1, 128, 64), (2, 128, 64),
    }  # fmt: skip
    assert {t.config.num_layers for t in trials} == {TrainConfig().num_layers}
    assert {t.config.train_data for t in trials} == {str(tokens_folder / "train.npy")}
    assert {t.config.val_data for t in trials} == {str(tokens_folder / "val.npy")}


def test_the_resolved_spec_states_every_setting_that_is_not_swept(
    tmp_path: Path, tokens_folder: Path
) -> None:
    spec = plan(tmp_path, tokens_folder, LR).spec
    everything = set(TrainConfig().to_dict())
    assert set(spec.train) == everything - {"learning_rate", *OWNED}
    assert spec.data == str(tokens_folder)
    assert spec.train["vocab_size"] == 64  # of the data
    assert spec.train["d_model"] == TrainConfig().d_model


@pytest.mark.parametrize("section", ["train: {max_steps: %s}", "space: {max_steps: {grid: [%s]}}"])
def test_a_length_written_as_a_decimal_has_the_same_warmup(
    tmp_path: Path, tokens_folder: Path, section: str
) -> None:
    swept = "" if section.startswith("space") else "space: {seed: {grid: [1]}}\n"
    spelled = [
        plan(tmp_path, tokens_folder, f"{swept}{section % length}\n").trials[0].config
        for length in ("2000", "2e3", "2000.0")
    ]
    assert {config.warmup_steps for config in spelled} == {200}
    assert spelled[0] == spelled[1] == spelled[2]


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000])
def test_data_under_a_name_that_no_disk_takes_is_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match=r"space.yaml: data: no folder .*x; make one with: "):
        plan(tmp_path, tmp_path / name, LR)


def test_the_resolved_spec_leads_to_the_same_trials(tmp_path: Path, tokens_folder: Path) -> None:
    text = LR + "scheduler: {type: asha, grace_steps: 20}\nsearch: {seed: 7}\n"
    first = plan(tmp_path, tokens_folder, text)
    written = create_run_folder(tmp_path / "runs", first.spec, None, "space.yaml").spec
    spec, source = load_spec(written)
    assert make_plan(spec, tokens_folder, source) == first


def test_derived_values_are_in_the_config_and_not_among_the_swept(
    tmp_path: Path, tokens_folder: Path
) -> None:
    text = (
        "train:\n"
        "  warmup_steps: {times: 0.02, of: max_steps}\n"
        "  min_learning_rate: {times: 0.1, of: learning_rate}\n"
        "space: {learning_rate: {grid: [1e-3, 2e-3]}, max_steps: {grid: [100, 400]}}\n"
    )
    first = plan(tmp_path, tokens_folder, text)
    for trial in first.trials:
        assert set(trial.values) == {"learning_rate", "max_steps"}
        assert trial.config.warmup_steps == trial.config.max_steps // 50
        assert trial.config.min_learning_rate == 0.1 * trial.config.learning_rate
    written = create_run_folder(tmp_path / "runs", first.spec, None, "space.yaml").spec
    assert make_plan(load_spec(written)[0], tokens_folder, load_spec(written)[1]) == first


def test_where_a_name_is_not_swept_the_fixed_setting_counts(
    tmp_path: Path, tokens_folder: Path
) -> None:
    text = (
        "train: {warmup_steps: 5}\n"
        "space:\n"
        "  size: {grid: {small: {d_ff: 8}, large: {d_ff: 16}}}\n"
        "  warmup_steps: {grid: [10, 20], when: {size: large}}\n"
        "  num_layers: {grid: [1, 2], when: {size: small}}\n"
    )
    first = plan(tmp_path, tokens_folder, text)
    assert {(t.config.d_ff, t.config.warmup_steps, t.config.num_layers) for t in first.trials} == {
        (8, 5, 1), (8, 5, 2), (16, 10, 6), (16, 20, 6),
    }  # fmt: skip
    assert len(first.trials) == 4
    written = create_run_folder(tmp_path / "runs", first.spec, None, "space.yaml").spec
    assert make_plan(load_spec(written)[0], tokens_folder, load_spec(written)[1]) == first


def test_the_plan_knows_how_much_the_constraints_ruled_out(
    tmp_path: Path, tokens_folder: Path
) -> None:
    text = (
        "space: {warmup_steps: {grid: [10, 50]}, max_steps: {grid: [40, 60]}}\n"
        "constraints: [{less: [warmup_steps, max_steps]}]\n"
    )
    first = plan(tmp_path, tokens_folder, text)
    assert (len(first.trials), first.dropped) == (3, 1)
    written = create_run_folder(tmp_path / "runs", first.spec, None, "space.yaml").spec
    assert make_plan(load_spec(written)[0], tokens_folder, load_spec(written)[1]) == first


def test_every_point_is_run_with_every_seed(tmp_path: Path, tokens_folder: Path) -> None:
    first = plan(tmp_path, tokens_folder, LR + "seeds: [3, 1]\n")
    assert [trial.config.seed for trial in first.trials] == [3, 1, 3, 1]
    assert [trial.values["seed"] for trial in first.trials] == [3, 1, 3, 1]
    rates = [trial.config.learning_rate for trial in first.trials]
    assert rates[0] == rates[1] != rates[2] == rates[3]
    assert "seed" not in first.spec.train
    written = create_run_folder(tmp_path / "runs", first.spec, None, "space.yaml").spec
    assert make_plan(load_spec(written)[0], tokens_folder, load_spec(written)[1]) == first


@pytest.mark.parametrize(
    ("more", "evaluate", "checkpoint"),
    [
        ("", 500, 500),
        ("scheduler: {type: asha, grace_steps: 20}", 20, 20),
        ("scheduler: {type: asha, grace_steps: 20}\ntrain: {eval_every_steps: 10, ", 10, 10),
        ("train: {checkpoint_every_steps: 7, ", 500, 7),
    ],
)
def test_trials_are_evaluated_at_rungs_and_saved_when_evaluated(
    tmp_path: Path, tokens_folder: Path, more: str, evaluate: int, checkpoint: int
) -> None:
    text = LR + more
    if "train: {" in more:
        text = LR.split("train:")[0] + more + "max_steps: 100, warmup_steps: 0}\n"
    for trial in plan(tmp_path, tokens_folder, text).trials:
        assert trial.config.eval_every_steps == evaluate
        assert trial.config.checkpoint_every_steps == checkpoint


def test_a_stated_vocabulary_goes_before_that_of_the_data(
    tmp_path: Path, tokens_folder: Path
) -> None:
    text = "space: {seed: {grid: [1]}}\ntrain: {vocab_size: 99}\n"
    assert plan(tmp_path, tokens_folder, text).trials[0].config.vocab_size == 99


def test_a_folder_without_data_is_refused_with_the_line_that_names_it(
    tmp_path: Path, tokens_folder: Path
) -> None:
    nowhere = tmp_path / "nowhere"
    text = LR + "data: nowhere\n"
    with pytest.raises(
        SpecError, match=r"space\.yaml:3: data: no folder .*nowhere; make one with: "
    ):
        plan(tmp_path, nowhere, text)
    nowhere.mkdir()
    with pytest.raises(SpecError, match=r":3: data: .*nowhere has no train\.npy; make one with"):
        plan(tmp_path, nowhere, text)
    np.save(nowhere / "train.npy", np.arange(9).astype(np.uint8))
    with pytest.raises(SpecError, match=r":3: data: .* has no val\.npy"):
        plan(tmp_path, nowhere, text)


def test_weights_to_start_from_are_needed_to_run_but_not_to_look(
    tmp_path: Path, tokens_folder: Path
) -> None:
    text = "space: {seed: {grid: [1]}}\ntrain: {init_from: nowhere.pt}\n"
    with pytest.raises(SpecError, match=r":2: train\.init_from: no such file or folder: nowhere"):
        plan(tmp_path, tokens_folder, text)
    assert load_spec(tmp_path / "space.yaml")[0].train == {"init_from": "nowhere.pt"}


def test_weights_to_start_from_must_fit_every_trial(tmp_path: Path, tokens_folder: Path) -> None:
    llama = tmp_path / "llama"
    llama.mkdir()
    said = {"model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "vocab_size": 64}
    said |= {"num_hidden_layers": 1, "num_attention_heads": 2, "rms_norm_eps": 1e-5}
    (llama / "config.json").write_text(json.dumps(said))
    shape = "num_heads: 2, num_layers: 1, vocab_size: 64"
    train = f"init_from: {llama}, d_ff: 32, {shape}"
    text = f"space: {{d_model: {{grid: [16, 32]}}}}\ntrain: {{{train}}}\n"
    with pytest.raises(SpecError, match=r":2: train\.init_from: .*llama: not a readable Hugging"):
        plan(tmp_path, tokens_folder, text)
    (llama / "model.safetensors").touch()
    with pytest.raises(SpecError) as caught:
        plan(tmp_path, tokens_folder, text)
    (problem,) = caught.value.problems
    assert ":2: train.init_from: " in problem
    assert "of another model: hidden_size is 16 there and 32 here (--d_model)" in problem
    assert plan(tmp_path, tokens_folder, text.replace(", 32]", "]")).trials


def test_a_metric_that_these_data_cannot_give_is_refused(tmp_path: Path) -> None:
    for name in ("train", "val"):
        np.save(tmp_path / f"{name}.npy", np.arange(9).astype(np.uint8))
    text = LR + "objective: {metric: val_bits_per_byte}\n"
    with pytest.raises(SpecError, match=r":3: objective\.metric: needs `bytes_per_token` in "):
        plan(tmp_path, tmp_path, text)
    (tmp_path / "meta.json").write_text('{"bytes_per_token": 1.0, "vocab_size": 9}')
    assert len(plan(tmp_path, tmp_path, text).trials) == 2
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(DataError, match=r"meta\.json: not readable as JSON"):
        plan(tmp_path, tmp_path, text)


def test_an_average_that_no_trial_keeps_is_no_objective(
    tmp_path: Path, tokens_folder: Path
) -> None:
    text = LR + "objective: {metric: val_loss_ema}\n"
    with pytest.raises(SpecError, match=r"ema_fraction: must be set: objective\.metric is val_los"):
        plan(tmp_path, tokens_folder, text)
    assert plan(tmp_path, tokens_folder, text.replace("train: {", "train: {ema_steps: 2, ")).trials


def test_problems_are_told_ten_at_a_time(tmp_path: Path, tokens_folder: Path) -> None:
    sizes = ", ".join(f"s{n}: {{d_model: {2 * n}, num_heads: 1, d_ff: 0}}" for n in range(1, 4))
    text = f"space: {{size: {{grid: {{{sizes}}}}}}}\n"
    with pytest.raises(SpecError) as error:
        plan(tmp_path, tokens_folder, text)
    assert len(error.value.problems) == 1  # one mistake in three sizes
    rates: list[Any] = [-n for n in range(1, 15)]
    with pytest.raises(SpecError) as error:
        plan(tmp_path, tokens_folder, f"space: {{learning_rate: {{grid: {rates}}}}}")
    assert len(error.value.problems) == 11
    assert error.value.problems[-1] == "… and 4 more"


def test_a_short_sweep_needs_no_word_on_warmup(tmp_path: Path, tokens_folder: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "train: {d_model: 128, num_layers: 4, max_steps: 600}\n"
        "space: {learning_rate: {grid: [3e-4, 3.8e-2]}}\n"
        "scheduler: {type: asha, grace_steps: 75, reduction_factor: 2}\n"
    )
    spec, source = load_spec(path)
    plan = make_plan(spec, tokens_folder, source)
    assert {trial.config.warmup_steps for trial in plan.trials} == {60}


@pytest.mark.parametrize("length", [15, 575, 1000, 1001, 9_999, 20_000])
def test_the_default_warmup_is_the_trainables(
    tmp_path: Path, tokens_folder: Path, length: int
) -> None:
    expected = TrainConfig.from_mapping({"max_steps": length}).warmup_steps
    fixed = f"space: {{learning_rate: {{grid: [1e-3]}}}}\ntrain: {{max_steps: {length}}}\n"
    planned = plan(tmp_path, tokens_folder, fixed)
    assert planned.spec.train["warmup_steps"] == expected
    swept = f"space: {{max_steps: {{grid: [{length}]}}}}\n"
    derived = (
        "space: {learning_rate: {grid: [1e-3]}}\n"
        f"train: {{batch_size: {length}, max_steps: {{times: 1, of: batch_size}}}}\n"
    )
    bundled = f"space: {{kind: {{grid: {{a: {{max_steps: {length}}}}}}}}}\n"
    for text in (fixed, swept, derived, bundled):
        (trial,) = plan(tmp_path, tokens_folder, text).trials
        assert trial.config.warmup_steps == expected
        written = create_run_folder(tmp_path / "runs", plan(tmp_path, tokens_folder, text).spec,
                                    None, "space.yaml")  # fmt: skip
        spec, source = load_spec(written.spec)
        assert make_plan(spec, tokens_folder, source).trials == (trial,)


def test_reading_plans_nothing_and_a_plan_makes_each_config_once(
    tmp_path: Path, tokens_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    from_mapping = TrainConfig.from_mapping.__func__  # type: ignore[attr-defined]

    def counted(cls: Any, values: Any) -> Any:
        made.append(values)
        return from_mapping(cls, values)

    monkeypatch.setattr(TrainConfig, "from_mapping", classmethod(counted))
    path = tmp_path / "space.yaml"
    path.write_text(
        "space: {learning_rate: {grid: [1e-4, 1e-3, 1e-2]}, d_ff: {grid: [16, 32]}}\n"
        "constraints: [{less: [learning_rate, 1e-2]}]\n"
        "scheduler: {type: asha, grace_steps: 4}\n"
    )
    spec, source = load_spec(path)
    assert not made
    assert len(make_plan(spec, tokens_folder, source).trials) == len(made) == 4


def test_what_is_wrong_with_the_file_is_told_before_its_data_are_missed(tmp_path: Path) -> None:
    text = "space:\n  warmup_steps: {grid: [1, 200]}\ntrain: {max_steps: 100}\n"
    with pytest.raises(SpecError, match=r"space\.yaml:2: space\.warmup_steps: must be below max"):
        plan(tmp_path, tmp_path / "nowhere", text)
