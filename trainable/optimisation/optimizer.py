"""AdamW, Muon, and the one pass that clips a gradient, refuses a non-finite one, and steps."""

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from trainable.config import TrainConfig
from trainable.model.parametrisation import is_hidden_matrix, update_scale


class Uncompiled(torch.optim.Optimizer):
    """An optimiser that is never compiled. By torch's own each method keeps the compiler away from
    itself, and has to import it for that: as long as all else that a trial's process imports."""

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)


class AdamW(Uncompiled, torch.optim.AdamW):
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


class Muon(Uncompiled, torch.optim.Muon):
    pass


# What an optimiser keeps of each weight, in the weight's shape.
MOMENTS: dict[type[torch.optim.Optimizer], tuple[str, ...]] = {
    AdamW: ("exp_avg", "exp_avg_sq"),
    Muon: ("momentum_buffer",),
}


def build_optimizer(model: nn.Module, config: TrainConfig) -> AdamW:
    """Fused AdamW (https://arxiv.org/abs/1711.05101): weight decay on matrices, none on norms; of
    the weights that Muon does not have."""
    parameters = [
        (name, p)
        for name, p in model.named_parameters()
        if config.optimizer == "adamw" or not is_hidden_matrix(name, p.ndim)
    ]
    parameters.sort(key=lambda named: named[1].ndim < 2)
    return AdamW(
        _groups(parameters, config, with_epsilon=True),
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=True,
    )


def build_muon(model: nn.Module, config: TrainConfig) -> Muon | None:
    """Muon (https://kellerjordan.github.io/posts/muon/) for the blocks' matrices, its updates as
    large as AdamW's, so that one learning rate and one weight decay serve both
    (https://arxiv.org/abs/2502.16982). None: it has none of them."""
    if config.optimizer == "adamw":
        return None
    parameters = [(n, p) for n, p in model.named_parameters() if is_hidden_matrix(n, p.ndim)]
    return Muon(
        _groups(parameters, config, with_epsilon=False),
        lr=config.learning_rate,
        momentum=config.muon_momentum,
        nesterov=True,
        adjust_lr_fn="match_rms_adamw",
    )


def _groups(
    parameters: Iterable[tuple[str, nn.Parameter]], config: TrainConfig, *, with_epsilon: bool
) -> list[dict[str, Any]]:
    """Parameters that are updated alike, together."""
    groups: dict[tuple[object, ...], dict[str, Any]] = {}
    for name, parameter in parameters:
        scale = update_scale(config, name, parameter.ndim)
        is_matrix = parameter.ndim >= 2
        if (key := (scale, is_matrix)) not in groups:
            decay = config.weight_decay * scale.weight_decay if is_matrix else 0.0
            if config.independent_weight_decay:
                decay /= config.learning_rate
            epsilon = {"eps": config.adam_epsilon * scale.epsilon} if with_epsilon else {}
            groups[key] = {"params": [], "weight_decay": decay, **epsilon}
            groups[key] |= {"rate_scale": scale.learning_rate}
        groups[key]["params"].append(parameter)
    return list(groups.values())


def clipped_step(
    optimizer: AdamW,
    muon: Muon | None = None,
    *,
    learning_rate: float,
    grad_clip: float | None,
    grad_norm: Tensor,
    finite: Tensor,
) -> None:
    """One optimiser step with gradients scaled to a norm of at most `grad_clip`.

    The fused kernel divides by `grad_scale` and does nothing where `found_inf` is 1, as
    `torch.amp.GradScaler` has it do: clipping costs no pass of its own, and skipping a
    non-finite step waits for no GPU. Muon's has neither, so it does wait.

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
    for group in [*optimizer.param_groups, *(muon.param_groups if muon is not None else ())]:
        group["lr"] = learning_rate * group["rate_scale"]
    optimizer.step()
    if muon is not None and finite:
        gradients = [p.grad for group in muon.param_groups for p in group["params"]]
        torch._foreach_div_(gradients, scale)
        muon.step()  # type: ignore[no-untyped-call]


def restore_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Take over the moments of a checkpoint, keeping the hyperparameters of this run's config.

    Raises:
        KeyError, ValueError: moments that are missing or of other shapes, which torch would only
            meet at the next step; torch raises more kinds for a state that is none of its own.
    """
    own = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": saved["state"], "param_groups": own})
    for parameter, state in optimizer.state.items():
        for name in MOMENTS[type(optimizer)]:
            if state[name].shape != parameter.shape:
                raise ValueError(f"{name} of shape {tuple(state[name].shape)}")
        if isinstance(optimizer, AdamW) and state["step"].numel() != 1:
            raise ValueError(f"step of shape {tuple(state['step'].shape)}")
