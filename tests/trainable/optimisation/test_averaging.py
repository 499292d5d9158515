"""The average of the weights against torch's own averages, and in the loop."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from trainable import export
from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.loop.training import Trainer
from trainable.optimisation.averaging import WeightAverage
from trainable.weights.checkpoint import read_checkpoint
from trainable.weights.llama_reading import read_llama_folder

MakeConfig = Callable[..., TrainConfig]
STEPS = 5


def test_it_is_torchs_mean_and_then_its_exponential_average() -> None:
    model = nn.Linear(3, 2)
    ours = WeightAverage(model, STEPS)
    exponential = get_ema_avg_fn(1 - 1 / STEPS)

    def mean_at_first(average: Tensor, weight: Tensor, number: Tensor) -> Tensor:
        if number < STEPS:
            return average + (weight - average) / (number + 1)
        return exponential(average, weight, number)

    theirs = AveragedModel(model, avg_fn=mean_at_first)
    generator = torch.Generator().manual_seed(0)
    for step in range(1, 21):
        with torch.no_grad():
            for weight in model.parameters():
                weight += torch.randn(weight.shape, generator=generator)
        ours.add(step)
        theirs.update_parameters(model)
        for name, weight in theirs.module.named_parameters():
            torch.testing.assert_close(ours.state_dict()[name], weight.detach())


def test_within_the_context_the_model_has_it_and_then_its_own_weights_again() -> None:
    model = nn.Linear(3, 2)
    own = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    average = WeightAverage(model, STEPS)
    with torch.no_grad():
        model.weight += 1
    with average.in_place():
        assert torch.equal(model.weight, own["weight"])
    assert torch.equal(model.weight, own["weight"] + 1)
    assert torch.equal(average.state_dict()["weight"], own["weight"])


@pytest.mark.filterwarnings(  # torch's own, as it compiles
    "ignore:The .grad attribute of a Tensor:UserWarning",
    "ignore:.torch.jit.*is deprecated:DeprecationWarning",
)
@pytest.mark.parametrize(
    ("setting", "compiled"),
    [
        ({"ema_steps": 3}, False),
        ({"ema_fraction": 0.3}, False),
        pytest.param({"ema_steps": 3}, True, marks=pytest.mark.slow),
    ],
)
def test_a_run_evaluates_it_and_is_trained_as_without(
    tiny: MakeConfig, tmp_path: Path, setting: dict[str, float], compiled: bool
) -> None:
    plain = Trainer(tiny(compile=compiled))
    without = [m for m in plain.train() if m is not None]
    trainer = Trainer(tiny(compile=compiled, **setting))
    metrics = [m for m in trainer.train() if m is not None]
    assert [m.train_loss for m in metrics] == [m.train_loss for m in without]
    assert [m.val_loss for m in metrics] == [m.val_loss for m in without]
    assert [m.val_loss_ema is None for m in metrics] == [m.val_loss is None for m in metrics]
    assert all(m.val_loss_ema is None for m in without)
    trainer.save(tmp_path / "final.pt")
    plain.model.load_state_dict(read_checkpoint(tmp_path / "final.pt").average)
    assert plain.evaluate() == metrics[-1].val_loss_ema != metrics[-1].val_loss


def test_a_run_goes_on_with_it_exactly(tiny: MakeConfig, tmp_path: Path) -> None:
    config = tiny(ema_steps=4)
    straight = Trainer(config)
    expected = [m.val_loss_ema for m in straight.train() if m is not None]
    resumed = Trainer(config)
    running = resumed.train()
    seen = [next(running) for _ in range(5)]
    resumed.save(tmp_path / "checkpoint.pt")
    resumed = Trainer(config, resume_from=tmp_path / "checkpoint.pt")
    seen += list(resumed.train())
    assert [m.val_loss_ema for m in seen if m is not None] == expected


def test_a_run_that_had_none_begins_at_its_weights(tiny: MakeConfig, tmp_path: Path) -> None:
    before = Trainer(tiny(max_steps=4, warmup_steps=1))
    list(before.train())
    before.save(tmp_path / "checkpoint.pt")
    resumed = Trainer(tiny(ema_steps=3), resume_from=tmp_path / "checkpoint.pt")
    assert resumed.average is not None
    for name, weight in before.model.state_dict().items():
        assert torch.equal(resumed.average.state_dict()[name], weight)


def test_it_is_exported_on_demand(
    tiny: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer(tiny(ema_steps=3))
    list(trainer.train())
    trainer.save(tmp_path / "with.pt")
    assert export.main([str(tmp_path / "with.pt"), str(tmp_path / "out"), "--ema"]) == 0
    written = read_llama_folder(tmp_path / "out", trainer.config)
    for name, weight in read_checkpoint(tmp_path / "with.pt").average.items():
        assert torch.equal(written[name], weight)
    without = Trainer(tiny(max_steps=3))
    without.save(tmp_path / "without.pt")
    assert export.main([str(tmp_path / "without.pt"), str(tmp_path / "none"), "--ema"]) == 2
    assert "holds no average of weights; train with --ema_fraction" in capsys.readouterr().err


def test_steps_and_a_share_of_them_at_once_are_refused() -> None:
    with pytest.raises(ConfigError, match="ema_steps: must be none where ema_fraction is given, "):
        TrainConfig(ema_steps=3, ema_fraction=0.1)
