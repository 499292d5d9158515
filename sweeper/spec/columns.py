"""The columns of a sweep's tables, with their Python types. How they are stored, the tables decide.

They are part of the question: no bundle of a search space may be called as one of them is.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from trainable.loop.metrics import Metrics

Columns = dict[str, type]


def _fields(owner: type) -> Columns:
    return plain_types(get_type_hints(owner))


def plain_types(hints: Mapping[str, Any]) -> Columns:
    """The type of each value where it is not null."""
    return {name: _plain_type(hint) for name, hint in hints.items()}


def _plain_type(hint: Any) -> type:
    """The type of a value where it is not null; for a literal, the type of its options."""
    options = [option for option in get_args(hint) or (hint,) if option is not type(None)]
    return type(options[0]) if get_origin(hint) is Literal else options[0]


NAMED: Columns = {"trial_id": str, "status": str}
EVALUATION = {name: kind for name, kind in _fields(Metrics).items() if name != "others"}
# What the table of trials shows of a trial's last evaluation.
REPORTED = (
    "val_loss",
    "val_perplexity",
    "val_bits_per_byte",
    "val_loss_ema",
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
    "taken_from": str,
    "forked_from": str,
    "forked_at": int,
    "stopped_by_hand": bool,
    "error": str,
}
# Beside the training settings, all columns of either table: no bundle may be called so.
COLUMNS = frozenset([*NAMED, *EVALUATION, *MEASURED])
