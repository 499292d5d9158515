"""torch.compile for real: slow, so as few as show it."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics
from trainable.loop.training import Trainer
from trainable.model.compilation import CompiledBlocks

MakeConfig = Callable[..., TrainConfig]

# Torch's own: dynamo looks at the .grad of every input, inductor imports torch.jit.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor:UserWarning",
    "ignore:.torch.jit.*is deprecated:DeprecationWarning",
    "ignore:Guards may run slower on Python 3.13.0:RuntimeWarning",
)


def losses(trainer: Trainer, until: int) -> list[Metrics]:
    reports = []
    for report in trainer.train():
        reports.append(report)
        if trainer.step == until:
            break
    return [(r.step, r.train_loss, r.val_loss) for r in reports if r is not None]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_compiled_runs_resume_exactly_and_compile_once(
    tiny: MakeConfig, tmp_path: Path, dtype: str
) -> None:
    torch.compiler.reset()
    config = tiny(compile=True, dtype=dtype, num_layers=1, eval_windows=4, log_every_steps=1)
    counters.clear()
    straight = Trainer(config)
    expected = losses(straight, 8)
    compiled = counters["stats"]["unique_graphs"]
    assert compiled == 2  # training, and evaluation without gradients

    eager = Trainer(tiny(**{**config.to_dict(), "compile": False}))
    rel = 1e-4 if dtype == "float32" else 0.02
    assert [loss for _, loss, _ in losses(eager, 8)] == pytest.approx(
        [loss for _, loss, _ in expected], rel=rel
    )

    assert_resumes_exactly(straight, expected, tmp_path / "checkpoint.pt")


def assert_resumes_exactly(straight: Trainer, expected: list[Metrics], checkpoint: Path) -> None:
    resumed = Trainer(straight.config)
    reports = losses(resumed, 3)
    resumed.save(checkpoint)
    resumed = Trainer(straight.config, resume_from=checkpoint)
    reports += losses(resumed, straight.step)
    assert reports == expected
    for name, weight in straight.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name])


def test_other_rates_warmups_and_steps_compile_nothing_new_and_resume_exactly(
    tiny: MakeConfig, tmp_path: Path
) -> None:
    shape = {"compile": True, "num_layers": 1, "eval_windows": 4, "log_every_steps": 1}
    trials = [
        tiny(**shape, learning_rate=rate, warmup_steps=warmup, max_steps=steps)
        for rate, warmup, steps in ((1e-2, 2, 6), (3e-3, 0, 9), (1.5e-3, 4, 7))
    ]
    misses, hits = [], []
    for config in trials:
        torch.compiler.reset()  # as in another process: only the cache on disk is left
        counters.clear()
        trainer = Trainer(config)
        reports = losses(trainer, config.max_steps)
        misses.append(counters["aot_autograd"]["autograd_cache_miss"])
        hits.append(counters["aot_autograd"]["autograd_cache_hit"])
    assert misses[1:] == [0, 0]
    assert hits[1:] == [2, 2]  # training and evaluation
    assert_resumes_exactly(trainer, reports, tmp_path / "checkpoint.pt")


def test_a_failed_compile_is_a_warning_and_training_goes_on() -> None:
    def broken_backend(graph: object, inputs: object) -> None:
        raise ValueError("no compiler here")

    def doubled(hidden: Tensor, *, seen: Tensor | None = None) -> Tensor:
        return hidden * 2

    blocks = CompiledBlocks(doubled)
    blocks._run = torch.compile(doubled, backend=broken_backend)
    hidden = torch.ones(2, 3)
    with pytest.warns(UserWarning, match="torch.compile failed, training goes on without it"):
        assert torch.equal(blocks(hidden), hidden * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(blocks(hidden), hidden * 2)  # not tried again
