"""The files of a prepared folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CorpusFolder:
    """The files of a prepared folder; no other module spells their names."""

    path: Path

    @property
    def train(self) -> Path:
        return self.path / "train.npy"

    @property
    def val(self) -> Path:
        return self.path / "val.npy"

    @property
    def tokenizer(self) -> Path:
        return self.path / "tokenizer.json"

    @property
    def meta(self) -> Path:
        return self.path / "meta.json"

    @property
    def of_trials(self) -> dict[str, str]:
        """What the config of a trial says of the folder that its sweep trains on."""
        return {"train_data": str(self.train), "val_data": str(self.val)}
