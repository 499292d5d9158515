"""The loop: exact resuming, divergence, memory, and the one physical limit, a source's entropy."""

import json
import math
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from trainable.config import TrainConfig
from trainable.errors import CheckpointError, ConfigError, DataError, DeviceError
from trainable.loop import training
from trainable.loop.metrics import Metrics
from trainable.loop.training import Trainer

MakeConfig = Callable[..., TrainConfig]
CLOCKS = ("tokens_per_second", "train_seconds")  # a wall's, not the training's


def run(trainer: Trainer, steps: int | None = None) -> list[Metrics]:
    """The reports of the next `steps` steps, or of all."""
    reports = []
    for count, report in enumerate(trainer.train(), start=1):
        if report is not None:
            reports.append(report)
        if count == steps:
            break
    return reports


def measured(reports: list[Metrics]) -> list[dict[str, object]]:
    return [{k: v for k, v in r.to_dict().items() if k not in CLOCKS} for r in reports]


def assert_near(reports: list[Metrics], expected: list[Metrics], *, rel: float) -> None:
    assert len(reports) == len(expected)
    for mine, theirs in zip(measured(reports), measured(expected), strict=True):
        assert mine.keys() == theirs.keys()
        for name, value in theirs.items():
            assert mine[name] == (value if value is None else pytest.approx(value, rel=rel)), name


def assert_same_weights(one: Trainer, other: Trainer) -> None:
    for name, weight in one.model.state_dict().items():
        assert torch.equal(weight, other.model.state_dict()[name]), name


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("interruptions", [(1,), (3,), (4,), (7,), (1, 2, 3, 4, 5, 6, 7)])
def test_resuming_is_bitwise_exact(
    tiny: MakeConfig, tmp_path: Path, dtype: str, interruptions: tuple[int, ...]
) -> None:
    config = tiny(dtype=dtype)
    straight = Trainer(config)
    expected = run(straight)

    resumed = Trainer(config)
    reports = []
    for stop in interruptions:
        reports += run(resumed, stop - resumed.step)
        resumed.save(tmp_path / "checkpoint.pt")
        resumed = Trainer(config, resume_from=tmp_path / "checkpoint.pt")
        assert resumed.step == stop
    reports += run(resumed)

    assert measured(reports) == measured(expected)
    assert_same_weights(resumed, straight)
    assert resumed.train_seconds > 0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_resuming_is_exact_on_two_threads_too(tiny: MakeConfig, tmp_path: Path, dtype: str) -> None:
    config = tiny(dtype=dtype, d_model=64, d_ff=128, batch_size=16, context_length=64, max_steps=6)
    straight = Trainer(config, num_threads=2)
    expected = run(straight)
    resumed = Trainer(config, num_threads=2)
    reports = run(resumed, 3)
    resumed.save(tmp_path / "checkpoint.pt")
    resumed = Trainer(config, resume_from=tmp_path / "checkpoint.pt", num_threads=2)
    assert measured(reports + run(resumed)) == measured(expected)
    assert_same_weights(resumed, straight)


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "muon"},
        {"optimizer": "muon", "parametrisation": "completep", "independent_weight_decay": True},
        {"schedule": "wsd", "qk_norm": True, "num_kv_heads": 1, "tie_embeddings": True},
        {"parametrisation": "mup", "base_width": 8, "z_loss": 1e-3, "weight_decay": 0.5},
    ],
)
def test_resuming_is_exact_with_what_is_beyond_the_guide(
    tiny: MakeConfig, tmp_path: Path, settings: dict[str, object]
) -> None:
    config = tiny(**settings)
    straight = Trainer(config)
    expected = run(straight)
    resumed = Trainer(config)
    reports = run(resumed, 5)
    resumed.save(tmp_path / "checkpoint.pt")
    resumed = Trainer(config, resume_from=tmp_path / "checkpoint.pt")
    assert measured(reports + run(resumed)) == measured(expected)
    assert_same_weights(resumed, straight)


@pytest.mark.parametrize("setting", ["separate_documents", "windows_at_documents"])
def test_documents_are_kept_apart_where_the_data_mark_them(
    tiny: MakeConfig, tmp_path: Path, data_dir: Path, setting: str
) -> None:
    with pytest.raises(DataError, match=f"{setting}: needs the token after each document: `separ"):
        Trainer(tiny(**{setting: True}))
    for name in ("train.npy", "val.npy"):
        shutil.copy(data_dir / name, tmp_path / name)
    (tmp_path / "meta.json").write_text(json.dumps({"vocab_size": 8, "separator": 3}))
    data = {"train_data": str(tmp_path / "train.npy"), "val_data": str(tmp_path / "val.npy")}
    plain, apart = (run(Trainer(tiny(**data, **given))) for given in ({}, {setting: True}))
    assert [m.train_loss for m in plain] != [m.train_loss for m in apart]
    assert apart[-1].val_loss is not None and apart[-1].val_loss < math.log(8)


@pytest.mark.parametrize(("there", "here"), [("adamw", "muon"), ("muon", "adamw")])
def test_a_run_keeps_its_optimiser(tiny: MakeConfig, tmp_path: Path, there: str, here: str) -> None:
    Trainer(tiny(optimizer=there)).save(tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match=f"optimizer: must be {there}, that of .* got {here}"):
        Trainer(tiny(optimizer=here), resume_from=tmp_path / "checkpoint.pt")


def test_going_on_in_the_same_process_is_exact_too(tiny: MakeConfig, tmp_path: Path) -> None:
    straight, paused = Trainer(tiny()), Trainer(tiny())
    expected = run(straight)
    reports = run(paused, 5)
    paused.save(tmp_path / "checkpoint.pt")
    reports += run(paused)
    assert measured(reports) == measured(expected)


def test_reports_come_when_they_are_due(tiny: MakeConfig) -> None:
    trainer = Trainer(tiny(max_steps=10))
    yielded = list(trainer.train())
    assert len(yielded) == 10
    due = {r.step: r.val_loss is not None for r in yielded if r is not None}
    assert due == {3: False, 4: True, 6: False, 8: True, 9: False, 10: True}
    last = yielded[-1]
    assert last is not None and last.val_loss is not None
    assert last.tokens == trainer.tokens == 10 * 4 * 16
    assert last.val_perplexity == pytest.approx(math.exp(last.val_loss))
    assert last.val_bits_per_byte == pytest.approx(last.val_loss / math.log(2) / 2.0)
    assert last.learning_rate == pytest.approx(1e-3)


def test_train_loss_is_the_mean_since_the_last_report(tiny: MakeConfig) -> None:
    each = run(Trainer(tiny(log_every_steps=1, eval_every_steps=100, max_steps=6)))
    pairs = run(Trainer(tiny(log_every_steps=3, eval_every_steps=100, max_steps=6)))
    losses = [report.train_loss for report in each]
    assert [r.train_loss for r in pairs] == pytest.approx(
        [sum(losses[:3]) / 3, sum(losses[3:]) / 3], rel=1e-6
    )


def test_validation_is_the_same_for_every_seed(tiny: MakeConfig) -> None:
    one, other = Trainer(tiny(seed=1)), Trainer(tiny(seed=2, batch_size=3))
    other.model.load_state_dict(one.model.state_dict())
    assert one.evaluate() == pytest.approx(other.evaluate(), rel=1e-6)


def test_further_validation_sets_are_evaluated_beside_the_first_and_change_nothing(
    tiny: MakeConfig, data_dir: Path, tmp_path: Path
) -> None:
    tokens = np.load(data_dir / "val.npy")
    for name, part in (("val", tokens), ("val-early", tokens[:500]), ("val-late", tokens[-500:])):
        np.save(tmp_path / f"{name}.npy", part)
    several = Trainer(tiny(val_data=str(tmp_path / "val.npy"), val_sets="late,early"))
    last = run(several)[-1]
    (*_, expected) = run(Trainer(tiny()))
    assert (last.val_loss, last.train_loss) == (expected.val_loss, expected.train_loss)
    assert list(last.others) == ["val_loss_late", "val_loss_early"]
    for name, loss in last.others.items():
        file = tmp_path / f"{name.replace('val_loss_', 'val-')}.npy"
        alone = Trainer(tiny(val_data=str(file)))
        alone.model.load_state_dict(several.model.state_dict())
        assert alone.evaluate() == loss


def test_a_known_source_is_learned_to_its_entropy(
    tiny: MakeConfig, transitions: np.ndarray
) -> None:
    config = tiny(
        context_length=32,
        batch_size=32,
        max_steps=500,
        warmup_steps=20,
        eval_every_steps=500,
        eval_windows=800,
        learning_rate=2e-2,
        min_learning_rate=0.0,
    )
    val_loss = run(Trainer(config))[-1].val_loss
    # The loss of the chain itself on these tokens: no model can do better but by luck.
    tokens = np.load(str(config.val_data))
    entropy = -np.log(transitions[tokens[:-1], tokens[1:]]).mean()
    assert val_loss == pytest.approx(entropy, rel=0.01)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_split_batch_has_the_gradients_of_the_whole(tiny: MakeConfig, dtype: str) -> None:
    config = tiny(batch_size=6, dtype=dtype)
    whole = Trainer(config)
    split = Trainer(config, micro_batch_size=4)  # 4 and 2: unequal parts weigh by their rows
    assert_near(run(split), run(whole), rel=1e-4 if dtype == "float32" else 0.05)


def test_out_of_memory_halves_the_micro_batch_and_changes_no_loss(
    tiny: MakeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tiny(batch_size=8)
    expected = run(Trainer(config))
    small = Trainer(config)
    loss = small._loss

    def little_memory(windows: torch.Tensor) -> torch.Tensor:
        if len(windows) > 2 and torch.is_grad_enabled():
            torch.empty(2**60)  # what a CPU really says when there is none
        return loss(windows)

    monkeypatch.setattr(small, "_loss", little_memory)
    assert_near(run(small), expected, rel=1e-4)
    assert small.micro_batch_size == 2
    small.save(tmp_path / "checkpoint.pt")
    assert Trainer(config, resume_from=tmp_path / "checkpoint.pt").micro_batch_size == 2


def test_memory_for_not_even_one_sequence_is_the_users_error(
    tiny: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(tiny())
    monkeypatch.setattr(trainer, "_loss", lambda windows: torch.empty(2**60))
    with pytest.raises(DeviceError, match=r"parameters need about .* GiB on cpu .*reduce d_model"):
        next(trainer.train())


def test_an_impossible_shape_is_refused_before_it_is_built(tiny: MakeConfig) -> None:
    with pytest.raises(DeviceError, match=r"need about \d+\.\d GiB on cpu .* GiB are free; reduce"):
        Trainer(tiny(d_model=2**17, d_ff=2**19, num_layers=100))


def spoil(trainer: Trainer, monkeypatch: pytest.MonkeyPatch, steps: range, bad: float) -> None:
    """Make the loss of these steps non-finite, as an overflow would."""
    loss = trainer._loss

    def spoiled(windows: torch.Tensor) -> torch.Tensor:
        value = loss(windows)
        return value * bad if trainer.step + 1 in steps and torch.is_grad_enabled() else value

    monkeypatch.setattr(trainer, "_loss", spoiled)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_non_finite_step_is_skipped_and_counted(
    tiny: MakeConfig, monkeypatch: pytest.MonkeyPatch, bad: float
) -> None:
    trainer = Trainer(tiny(log_every_steps=1))
    spoil(trainer, monkeypatch, range(3, 5), bad)
    seen = {r.step: (r.skipped_steps, r.train_loss, r.diverged) for r in run(trainer)}
    assert [seen[step][0] for step in range(1, 9)] == [0, 0, 1, 2, 2, 2, 2, 2]
    assert seen[3][1] == seen[4][1] == seen[2][1]  # the last that was finite
    assert not seen[8][2] and trainer.step == 8
    assert all(torch.isfinite(weight).all() for weight in trainer.model.state_dict().values())


def test_skipped_steps_in_a_row_are_divergence(
    tiny: MakeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tiny(max_steps=20, max_skipped_steps=4)
    trainer = Trainer(config)
    spoil(trainer, monkeypatch, range(6, 20), math.nan)
    run(trainer, 7)
    trainer.save(tmp_path / "checkpoint.pt")  # two in a row so far; the count is carried on
    resumed = Trainer(config, resume_from=tmp_path / "checkpoint.pt")
    spoil(resumed, monkeypatch, range(6, 20), math.nan)
    reports = run(resumed)
    assert resumed.step == 9
    assert reports[-1].diverged and reports[-1].skipped_steps == 4
    assert reports[-1].train_loss is not None and math.isfinite(reports[-1].train_loss)
    assert reports[-1].val_loss is None
    resumed.save(tmp_path / "checkpoint.pt")
    for weight in torch.load(tmp_path / "checkpoint.pt")["model"].values():
        assert torch.isfinite(weight).all()


def test_a_learning_rate_beyond_reason_ends_as_diverged(tiny: MakeConfig, tmp_path: Path) -> None:
    trainer = Trainer(tiny(learning_rate=1e37, max_steps=100, weight_decay=0.0))
    reports = run(trainer)
    assert reports[-1].diverged and trainer.step < 100
    if not all(torch.isfinite(weight).all() for weight in trainer.model.parameters()):
        with pytest.raises(CheckpointError, match="the weights are not finite"):
            trainer.save(tmp_path / "checkpoint.pt")


def test_float16_scales_its_loss_and_carries_the_scale(tiny: MakeConfig, tmp_path: Path) -> None:
    config = tiny(dtype="float16")
    trainer = Trainer(config)
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)  # overflows at first
    report = run(trainer, 3)[-1]
    assert report.skipped_steps == 3
    trainer.save(tmp_path / "checkpoint.pt")
    resumed = Trainer(config, resume_from=tmp_path / "checkpoint.pt")
    assert resumed.scaler.get_scale() == trainer.scaler.get_scale() == 2.0**37


def test_init_from_starts_a_new_run_with_old_weights(tiny: MakeConfig, tmp_path: Path) -> None:
    trained = Trainer(tiny())
    run(trained)
    trained.save(tmp_path / "checkpoint.pt")
    tuned = Trainer(tiny(init_from=str(tmp_path / "checkpoint.pt"), learning_rate=5e-3, seed=7))
    assert tuned.step == 0
    assert_same_weights(tuned, trained)
    with pytest.raises(CheckpointError, match="of another model: d_ff is 32 there and 16 here"):
        Trainer(tiny(init_from=str(tmp_path / "checkpoint.pt"), d_ff=16))


def test_more_steps_can_be_asked_for_on_resuming(tiny: MakeConfig, tmp_path: Path) -> None:
    trainer = Trainer(tiny())
    run(trainer)
    trainer.save(tmp_path / "checkpoint.pt")
    longer = Trainer(tiny(max_steps=12), resume_from=tmp_path / "checkpoint.pt")
    assert [report.step for report in run(longer)] == [9, 12]


def test_bad_data_is_refused_before_anything_is_built(tiny: MakeConfig) -> None:
    with pytest.raises(DataError, match=r"train\.npy: token ids reach 7, outside the vocabulary"):
        Trainer(tiny(vocab_size=7))


def test_nothing_is_computed_between_reports_that_waits(
    tiny: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number read back from the device makes a GPU wait: only a report may do so."""
    trainer = Trainer(tiny(log_every_steps=5, eval_every_steps=100))
    trainer.device = torch.device("cuda")  # the loop's own idea of it; the tensors stay here
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *args, **kwargs: self)
    read = []
    for name in ("item", "__float__", "__int__", "__bool__"):
        real = getattr(torch.Tensor, name)

        def spy(self: torch.Tensor, real: Callable[[torch.Tensor], object] = real) -> object:
            read.append(trainer.step)
            return real(self)

        monkeypatch.setattr(torch.Tensor, name, spy)
    monkeypatch.setattr(trainer.optimizer, "step", lambda: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in zip(range(4), trainer.train(), strict=False):
            assert not read
    assert training.Trainer is Trainer
