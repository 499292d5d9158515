"""`--wandb`: whether a sweep's trials are logged to Weights & Biases."""

from typing import Literal

WandbMode = Literal["off", "offline", "online"]
