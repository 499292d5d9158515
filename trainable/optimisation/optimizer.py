"""AdamW, and the one pass that clips a gradient, refuses a non-finite one, and steps."""

import torch
from torch import Tensor, nn

from trainable.config import TrainConfig


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Fused AdamW (https://arxiv.org/abs/1711.05101): weight decay on matrices, none on norms."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.adam_epsilon,
        fused=True,
    )


def clipped_step(
    optimizer: torch.optim.AdamW,
    *,
    learning_rate: float,
    grad_clip: float | None,
    grad_norm: Tensor,
    finite: Tensor,
) -> None:
    """One optimiser step with gradients scaled to a norm of at most `grad_clip`.

    The fused kernel divides by `grad_scale` and does nothing where `found_inf` is 1, as
    `torch.amp.GradScaler` has it do: clipping costs no pass of its own, and skipping a
    non-finite step waits for no GPU.

    Args:
        grad_norm: the global norm before clipping, shape ().
        finite: whether loss and gradients are, bool, shape ().
    """
    if grad_clip is None:
        scale = torch.ones_like(grad_norm)
    else:  # torch.nn.utils.clip_grad_norm_ guards its division with the same 1e-6
        scale = ((grad_norm + 1e-6) / grad_clip).clamp(min=1.0)
    optimizer.grad_scale = scale  # type: ignore[attr-defined]
    optimizer.found_inf = finite.logical_not().float()  # type: ignore[attr-defined]
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()


def restore_optimizer(optimizer: torch.optim.AdamW, saved: dict[str, object]) -> None:
    """Take over the moments of a checkpoint, keeping the hyperparameters of this run's config.

    Raises:
        ValueError: moments of other shapes, which torch would only meet at the next step; torch
            raises several kinds for a state that is none of its own.
    """
    own = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": saved["state"], "param_groups": own})
    for parameter, state in optimizer.state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            if state[name].shape != parameter.shape:
                raise ValueError(f"{name} of shape {tuple(state[name].shape)}")
        if state["step"].numel() != 1:
            raise ValueError(f"step of shape {tuple(state['step'].shape)}")
