"""How the initial weights, the learning rates and the scales of a model follow from its size.

`standard`: they do not, but for initial weights that keep activations at unit scale. `mup`, the
maximal update parametrisation (https://arxiv.org/abs/2203.03466, table 8, in the form for AdamW of
table 1 of https://arxiv.org/abs/2505.01618): what is best at `base_width` is best at any width.
`completep` (the latter, with alpha = 1): at any depth too. At the base size, with heads of
`base_head_dim`, all three are the same model. No torch is needed for it.

With m = d_model / base_width and, under completep, l = num_layers / base_depth:

    what                              standard       mup           completep
    embedding, output: variance       2 / (5 d)      ... of base   ... of base
    matrices of blocks: variance      2 / (5 d)      2 / (5 d)     2 / (5 d)
    ... back into the residual        / (2 layers)   / (2 layers)  / (2 base_depth)
    ... learning rate                 1              1 / m         1 / m
    ... weight decay                  1              m             m
    output: scale                     1              1 / m         1 / m
    a block's branches: scale         1              1             1 / l
    attention: scale                  h^-1/2         base^1/2 / h  base^1/2 / h     (h: head size)
    AdamW's epsilon                   1              1 / m         1 / m, in blocks 1 / (m l)

d_ff is taken to grow as d_model does. Muon's updates are of full rank: to be of the right size they
need 1 / sqrt(m) (https://arxiv.org/abs/2310.17813, spectral norms that stay).
"""

import math
from dataclasses import dataclass

from trainable.config import TrainConfig

BLOCKS = "model.layers."
INTO_RESIDUAL = ("o_proj.weight", "down_proj.weight")


@dataclass(frozen=True, kw_only=True)
class UpdateScale:
    """What an optimiser's settings are multiplied by for one weight."""

    learning_rate: float
    epsilon: float

    @property
    def weight_decay(self) -> float:
        """A step takes away the learning rate times the decay: that product stays."""
        return 1 / self.learning_rate


def width_ratio(config: TrainConfig) -> float:
    return 1.0 if config.parametrisation == "standard" else config.d_model / config.base_width


def depth_ratio(config: TrainConfig) -> float:
    return config.num_layers / config.base_depth if config.parametrisation == "completep" else 1.0


def initial_deviation(config: TrainConfig, name: str) -> float:
    """The standard deviation of the initial values of a matrix."""
    inside = name.startswith(BLOCKS)
    scaled = config.parametrisation != "standard" and not inside
    deviation = math.sqrt(2 / (5 * (config.base_width if scaled else config.d_model)))
    if name.endswith(INTO_RESIDUAL):
        depth = config.base_depth if config.parametrisation == "completep" else config.num_layers
        deviation *= 1 / math.sqrt(2 * depth)
    return deviation


def attention_scale(config: TrainConfig) -> float:
    """What products of queries and keys are multiplied by."""
    if config.parametrisation == "standard":
        return 1 / math.sqrt(config.head_dim)
    return math.sqrt(config.base_head_dim) / config.head_dim


def output_scale(config: TrainConfig) -> float:
    """What final hidden states are multiplied by before the output projection."""
    return 1 / width_ratio(config)


def branch_scale(config: TrainConfig) -> float:
    """What a block's branches are multiplied by as they are added to the residual stream."""
    return 1 / depth_ratio(config)


def is_hidden_matrix(name: str, num_dimensions: int) -> bool:
    """Whether a weight is a matrix between hidden states, those that Muon is for."""
    return name.startswith(BLOCKS) and num_dimensions == 2


def update_scale(config: TrainConfig, name: str, num_dimensions: int) -> UpdateScale:
    """The scale of the weight of this name."""
    width = width_ratio(config)
    rate = 1.0
    if is_hidden_matrix(name, num_dimensions):
        rate = 1 / (math.sqrt(width) if config.optimizer == "muon" else width)
    inside = depth_ratio(config) if name.startswith(BLOCKS) else 1.0
    return UpdateScale(learning_rate=rate, epsilon=1 / (width * inside))
