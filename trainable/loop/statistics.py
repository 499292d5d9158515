"""What is counted between two metrics, kept on the device so that counting waits for nothing."""

import torch
from torch import Tensor

COUNTS = ("num_losses", "skipped", "skipped_in_row", "longest_row")


class Statistics:
    """Sums over the steps since the last metrics, and the count of steps that were skipped.

    A step whose loss or gradient is not finite is skipped: it changes no weight and enters no mean.
    """

    def __init__(self, device: torch.device) -> None:
        def zero() -> Tensor:
            return torch.zeros((), device=device)

        self.loss_sum = zero()
        self.num_losses = zero()
        self.last_mean = torch.full((), torch.nan, device=device)
        self.grad_norm = zero()
        self.skipped = zero()
        self.skipped_in_row = zero()
        self.longest_row = zero()

    def add(self, loss: Tensor, grad_norm: Tensor, finite: Tensor) -> None:
        """Count one step: its loss, its gradient's norm before clipping, whether it was taken."""
        self.loss_sum += torch.where(finite, loss, 0.0)
        self.num_losses += finite
        self.grad_norm = grad_norm
        self.skipped += ~finite
        self.skipped_in_row = torch.where(finite, 0.0, self.skipped_in_row + 1)
        self.longest_row = torch.maximum(self.longest_row, self.skipped_in_row)

    def take_mean_loss(self) -> float:
        """The mean loss since it was last taken; the mean before where every step was skipped."""
        mean = torch.where(self.num_losses > 0, self.loss_sum / self.num_losses, self.last_mean)
        self.last_mean = mean
        self.loss_sum, self.num_losses = torch.zeros_like(mean), torch.zeros_like(mean)
        return float(mean)

    def state_dict(self) -> dict[str, Tensor]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Raises KeyError, ValueError or AttributeError for what is no state of this class."""
        for name, value in vars(self).items():
            if state[name].shape != value.shape:
                raise ValueError(f"{name} of shape {tuple(state[name].shape)}")
            if name in COUNTS and not 0 <= float(state[name]) < torch.inf:
                raise ValueError(f"{name} of {float(state[name])}")
            setattr(self, name, state[name].to(value.device))
