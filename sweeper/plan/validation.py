"""Whether there is as much validation text as the trials will read of it."""

from dataclasses import dataclass
from pathlib import Path

from sweeper.plan.plan import Plan
from sweeper.spec.trainer.config import ours
from trainable.config import TrainConfig
from trainable.data.token_files import evaluation_starts, open_tokens, validation_files

MAX_READ_TOKENS = 2**24  # by one evaluation: of a larger one only the length is looked at


@dataclass(frozen=True, kw_only=True)
class ThinValidation:
    """Too little text: the windows of an evaluation overlap, or hold the same tokens."""

    file: str
    num_tokens: int
    num_windows: int
    context_length: int
    different_windows: int

    @property
    def sentence(self) -> str:
        same = "its windows overlap"
        if self.different_windows == 1:
            same = "its windows are all the same"
        elif self.different_windows < self.num_windows:
            same = f"only {self.different_windows:,} of its windows are different"
        return (
            f"The validation text {self.file} has {self.num_tokens:,} tokens, an evaluation reads "
            f"{self.num_windows * self.context_length:,} ({self.num_windows:,} windows of "
            f"{self.context_length:,}): {same}, and the validation loss says little. Prepare more "
            "text or a larger --val_fraction, or set train.eval_windows lower."
        )


def thin_validation(plan: Plan) -> ThinValidation | None:
    """What is thin for the trials that read most in an evaluation; None if there is enough for all.

    Raises:
        DataError: the validation data cannot be read.
    """
    configs = [ours(trial.config) for trial in plan.trials]
    sizes = {
        (config.eval_windows * config.context_length, index): config
        for index, config in enumerate(configs)
    }
    config = sizes[max(sizes)]
    found = (_thin(file, config) for file in validation_files(config).values())
    return next((thin for thin in found if thin is not None), None)


def _thin(file: Path, config: TrainConfig) -> ThinValidation | None:
    tokens = open_tokens(file, config.data_dtype)
    windows, length = config.eval_windows, config.context_length
    starts = evaluation_starts(tokens, num_windows=windows, context_length=length)
    different = len(set(starts.tolist()))
    if windows * length <= MAX_READ_TOKENS:
        different = len({tokens[start : start + length + 1].tobytes() for start in starts})
    if len(tokens) > windows * length and 2 * different > windows:
        return None
    return ThinValidation(
        file=file.name,
        num_tokens=len(tokens),
        num_windows=windows,
        context_length=length,
        different_windows=different,
    )
