"""The settings of the command line that do not decide what is learned: where files go, and what is
shown. Those that do are in `TrainConfig`."""

from dataclasses import dataclass

from trainable.errors import ConfigError
from trainable.settings import LARGEST_WHOLE, require_in_bounds, setting

DEFAULT_OUTPUT_DIR = "checkpoints"


@dataclass(frozen=True, kw_only=True)
class ProgramOptions:
    """Settings of `python -m trainable` besides those of the run itself. `None` means off.

    Raises:
        ConfigError: a value that cannot be.
    """

    output_dir: str = setting(
        DEFAULT_OUTPUT_DIR,
        "folder of config.json, metrics and checkpoints, of one run; the default gets a number "
        "where it holds another, and of a run that is resumed is the checkpoint's",
    )
    resume_from: str | None = setting(
        None, "checkpoint, or folder of them, to go on from; its config is the base"
    )
    keep_checkpoints: int | None = setting(
        None,
        "keep only the last so many checkpoints, and the best; None: all",
        at_least=1,
        at_most=LARGEST_WHOLE,
    )
    micro_batch_size: int | None = setting(
        None,
        "sequences in one forward and backward pass; None: as many as fit",
        at_least=1,
        at_most=LARGEST_WHOLE,
    )
    num_threads: int | None = setting(
        None, "CPU threads, of each process; None: torch's choice", at_least=1, at_most=2**12
    )
    processes: int = setting(
        1,
        "processes that share every batch, each with a GPU of its own where it trains on one; "
        "torchrun's, where that starts them",
        at_least=1,
        at_most=2**10,
    )

    use_wandb: bool = setting(False, "log to Weights & Biases")
    wandb_project: str = setting("trainable", "Weights & Biases project")
    wandb_run_name: str | None = setting(None, "Weights & Biases run name; None: theirs")

    def __post_init__(self) -> None:
        require_in_bounds(self)
        if not self.output_dir:  # an unset variable of the shell
            raise ConfigError("output_dir", "must not be empty")
