"""What a sweep will do: its spec with every default filled in, and the config of every trial."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

from sweeper.corpus import CorpusFolder
from sweeper.errors import SpecError
from sweeper.search import Suggestion
from sweeper.space import Scalar, Settings
from sweeper.spec import AshaSpec, SweepSpec
from sweeper.yaml_source import YamlSource
from trainable.config import TrainConfig
from trainable.errors import ConfigError, DataError
from trainable.token_files import read_meta

# Training settings that a sweep states another way.
OWNED = {"train_data": "data", "val_data": "data"}
MAX_PROBLEMS = 10  # shown; a bad bundle fails in every combination


@dataclass(frozen=True)
class PlannedTrial:
    """One trial before it runs. Its id is its place in the plan: `0000`, `0001`, …"""

    trial_id: str
    suggestion: Suggestion
    config: TrainConfig


@dataclass(frozen=True)
class Plan:
    """A resolved spec (enough to run again under other defaults) and its trials, in order."""

    spec: SweepSpec
    trials: tuple[PlannedTrial, ...]


def make_plan(spec: SweepSpec, data: Path, source: YamlSource) -> Plan:
    """Fill in what the file leaves open, and build every trial's config.

    Args:
        data: The prepared folder that this sweep trains on.
        source: Where the spec was read from, for messages.

    Raises:
        SpecError: a combination that no run can have.
        DataError: a data folder without its files.
    """
    files = _data_files(data)
    resolved = _resolve(spec, data)
    trials, problems = [], []
    for index, suggestion in enumerate(resolved.suggestions()):
        try:
            config = TrainConfig.from_mapping({**files, **resolved.train, **suggestion.settings})
            if isinstance(resolved.scheduler, AshaSpec):
                _require_evaluations_at_rungs(config, resolved.scheduler)
        except ConfigError as error:
            problems.append(_problem(error, spec, suggestion, source))
        else:
            trials.append(PlannedTrial(f"{index:04d}", suggestion, config))
    if problems:
        problems = list(dict.fromkeys(problems))
        more = len(problems) - MAX_PROBLEMS
        raise SpecError(problems[:MAX_PROBLEMS] + ([f"… and {more} more"] if more > 0 else []))
    return Plan(resolved, tuple(trials))


def _resolve(spec: SweepSpec, data: Path) -> SweepSpec:
    """The spec with every training setting stated but those that the space decides alone."""
    train: Settings = {
        field.name: cast(Scalar, field.default)
        for field in fields(TrainConfig)
        if field.name not in OWNED
    }
    vocab_size = read_meta(CorpusFolder(data).train).vocab_size
    if vocab_size is not None:
        train["vocab_size"] = vocab_size
    if isinstance(spec.scheduler, AshaSpec):
        train["eval_every_steps"] = spec.scheduler.grace_steps
    train |= spec.train
    # What the newest checkpoint lacks is what a kill costs: at most the steps since an evaluation.
    train["checkpoint_every_steps"] = spec.train.get(
        "checkpoint_every_steps", train["eval_every_steps"]
    )
    train = {name: value for name, value in train.items() if name not in spec.space}
    return spec.model_copy(update={"data": str(data), "train": train})


def _data_files(data: Path) -> Settings:
    folder = CorpusFolder(data)
    for file in (folder.train, folder.val):
        if not file.is_file():
            raise DataError(
                f"data: {data} has no {file.name}; make such a folder with: "
                f"python -m sweeper prepare FILES --out {data}"
            )
    return {"train_data": str(folder.train), "val_data": str(folder.val)}


def _require_evaluations_at_rungs(config: TrainConfig, asha: AshaSpec) -> None:
    if asha.grace_steps % config.eval_every_steps:
        raise ConfigError(
            "eval_every_steps",
            f"must divide scheduler.grace_steps ({asha.grace_steps}), so that trials are "
            f"compared at the same step, got {config.eval_every_steps}",
        )


def _problem(
    error: ConfigError, spec: SweepSpec, suggestion: Suggestion, source: YamlSource
) -> str:
    """Point at the fixed setting where there is one, else at the combination."""
    name = error.key
    if name in suggestion.settings:
        values = ", ".join(f"{key}: {value}" for key, value in suggestion.values.items())
        return source.problem(("space",), f"{{{values}}}: {error}")
    if name in spec.train:
        return source.problem(("train", name), error.problem)
    return source.problem(("train", name), f"{error.problem} (the default); set it in `train:`")
