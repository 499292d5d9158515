"""The columns of a sweep's tables with their Python types; how they are stored is the tables' own.

They belong to the question, since no bundle of a search space may have the name of one.
"""

from typing import Any, Literal, get_args, get_type_hints

from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics

Columns = dict[str, type]


def _fields(owner: type) -> Columns:
    return {name: _plain_type(hint) for name, hint in get_type_hints(owner).items()}


def _plain_type(hint: Any) -> type:
    """The type of a value that is not null; of a literal, that of its options."""
    options = [option for option in get_args(hint) or (hint,) if option is not type(None)]
    return type(options[0]) if getattr(hint, "__origin__", None) is Literal else options[0]


NAMED: Columns = {"trial_id": str, "status": str}
SETTINGS = _fields(TrainConfig)
EVALUATION = _fields(Metrics)
# Of an evaluation, what the table of trials has of the last one.
REPORTED = (
    "val_loss",
    "val_perplexity",
    "val_bits_per_byte",
    "train_loss",
    "step",
    "tokens",
    "tokens_per_second",
)
MEASURED: Columns = {
    **{name: kind for name, kind in EVALUATION.items() if name in REPORTED},
    "num_params": int,
    "wall_seconds": float,
    "checkpoint": str,
    "checkpoint_bytes": int,
    "num_failures": int,
    "error": str,
}
# Of either table, beside the training settings: what no bundle may be called.
COLUMNS = frozenset([*NAMED, *EVALUATION, *MEASURED])
