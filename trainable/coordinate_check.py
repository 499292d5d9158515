"""`python -m trainable.coordinate_check`: whether activations keep their size over the width.

Models of several widths train for a few steps on the same tokens. Under a parametrisation that
transfers, the size of each activation after them does not depend on the width
(https://arxiv.org/abs/2203.03466, appendix D.1): slopes of log(size) over log(width) are near 0.
Of the logits it is the change since the beginning, when they are the smaller the wider a model is.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from trainable.command_line.console import say
from trainable.command_line.program import exit_code_of
from trainable.config import TrainConfig
from trainable.model.loss import next_token_loss
from trainable.model.transformer import LanguageModel
from trainable.optimisation.optimizer import build_muon, build_optimizer, clipped_step

WIDTHS = (64, 128, 256, 512, 1024)
BATCH, VOCAB_SIZE = 8, 64
STEADY = 0.15  # slopes within this are flat


@dataclass(frozen=True)
class Sizes:
    """The mean absolute value of each activation, for each width."""

    widths: tuple[int, ...]
    of_each: dict[str, tuple[float, ...]]

    def slopes(self) -> dict[str, float]:
        """Of log(size) over log(width), by least squares."""
        x = torch.tensor(self.widths, dtype=torch.float64).log()
        x = x - x.mean()
        return {
            name: float(x @ torch.tensor(sizes, dtype=torch.float64).log() / (x @ x))
            for name, sizes in self.of_each.items()
        }


def config_of(parametrisation: str, width: int, *, learning_rate: float) -> TrainConfig:
    """Heads grow with the width, so that the scale of attention counts; the base is 64 wide."""
    return TrainConfig.from_mapping(
        {
            **{"d_model": width, "num_heads": 4, "d_ff": 2 * width, "num_layers": 2},
            **{"vocab_size": VOCAB_SIZE, "context_length": 32, "batch_size": BATCH},
            **{"base_width": WIDTHS[0], "base_depth": 2, "base_head_dim": WIDTHS[0] // 4},
            **{"parametrisation": parametrisation, "learning_rate": learning_rate},
            **{"min_learning_rate": 0.0, "weight_decay": 0.0},
        }
    )


def activation_sizes(
    parametrisation: str, widths: Sequence[int], *, steps: int, learning_rate: float
) -> Sizes:
    """The sizes in the forward pass after `steps` steps."""
    found = [
        _after(config_of(parametrisation, width, learning_rate=learning_rate), steps)
        for width in widths
    ]
    return Sizes(tuple(widths), {name: tuple(f[name] for f in found) for name in found[0]})


def _after(config: TrainConfig, steps: int) -> dict[str, float]:
    model = LanguageModel(config)
    optimizer, muon = build_optimizer(model, config), build_muon(model, config)
    windows = torch.randint(
        VOCAB_SIZE,
        (BATCH, config.context_length + 1),
        generator=torch.Generator().manual_seed(0),
    )
    with torch.no_grad():
        before = model(windows[:, :-1])
    for _ in range(steps):
        hidden = model.model.blocks(model.embed(windows[:, :-1], torch.float32))
        loss = next_token_loss(hidden, model.output_weight, windows[:, 1:])
        torch.autograd.backward(loss)
        norm = torch.nn.utils.get_total_norm(
            [p.grad for p in model.parameters() if p.grad is not None]
        )
        clipped_step(
            optimizer,
            muon,
            learning_rate=config.learning_rate,
            grad_clip=None,
            grad_norm=norm,
            finite=torch.isfinite(norm),
        )
        model.zero_grad(set_to_none=True)
    return _sizes(model, windows[:, :-1], before)


@torch.no_grad()
def _sizes(model: LanguageModel, tokens: Tensor, before: Tensor) -> dict[str, float]:
    sizes: dict[str, float] = {}

    def watch(name: str, module: nn.Module) -> None:
        def note(_module: nn.Module, _given: object, made: Tensor) -> None:
            sizes[name] = float(made.abs().mean())

        module.register_forward_hook(note)

    watch("embedding", model.model.embed_tokens)
    for number, block in enumerate(model.model.layers):
        watch(f"queries {number}", block.get_submodule("self_attn.q_proj"))
        watch(f"attention {number}", block.get_submodule("self_attn"))
        watch(f"feed forward {number}", block.get_submodule("mlp"))
        watch(f"block {number}", block)
    sizes["logits' change"] = float((model(tokens) - before).abs().mean())
    return sizes


def draw(of_each: dict[str, Sizes], path: Path) -> None:
    """A picture of a column for each parametrisation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(of_each), 4), layout="constrained")
    axes = figure.subplots(1, len(of_each), sharey=True, squeeze=False)[0]
    for ax, (parametrisation, sizes) in zip(axes, of_each.items(), strict=True):
        for name, values in sizes.of_each.items():
            ax.loglog(sizes.widths, values, marker="o", label=name)
        ax.set_xticks(sizes.widths, [str(width) for width in sizes.widths])
        ax.set(title=parametrisation, xlabel="d_model")
    axes[0].set_ylabel("mean absolute value")
    axes[-1].legend(fontsize="x-small")
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainable.coordinate_check")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument(
        "--parametrisations", nargs="+", choices=("standard", "mup", "completep"),
        default=("standard", "mup"),
    )  # fmt: skip
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--learning_rate", type=float, default=1e-2)
    parser.add_argument("--out", type=Path, default=Path("coordinate_check.png"))
    given = parser.parse_args(arguments)

    def work() -> int:
        of_each = {}
        for name in given.parametrisations:
            sizes = activation_sizes(
                name, given.widths, steps=given.steps, learning_rate=given.learning_rate
            )
            of_each[name] = sizes
            widths = ", ".join(map(str, sizes.widths))
            say(f"{name}: sizes after {given.steps} steps at widths {widths}")
            for activation, slope in sizes.slopes().items():
                values = "  ".join(f"{value:8.3g}" for value in sizes.of_each[activation])
                flat = "flat" if math.fabs(slope) <= STEADY else "not flat"
                say(f"  {activation:15} {values}   slope {slope:+.2f}, {flat}")
        draw(of_each, given.out)
        say(f"drawn: {given.out}")
        return 0

    return exit_code_of(work)


if __name__ == "__main__":
    sys.exit(main())
