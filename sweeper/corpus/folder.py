"""The files of a prepared folder."""

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from trainable.validation_sets import names_beside, set_file


@dataclass(frozen=True)
class CorpusFolder:
    """The files of a prepared folder; no other module spells their names."""

    path: Path

    NAMES: ClassVar = ("train.npy", "val.npy", "tokenizer.json", "meta.json")

    @property
    def train(self) -> Path:
        return self.path / self.NAMES[0]

    @property
    def val(self) -> Path:
        return self.path / self.NAMES[1]

    @property
    def tokenizer(self) -> Path:
        return self.path / self.NAMES[2]

    @property
    def meta(self) -> Path:
        return self.path / self.NAMES[3]

    @property
    def val_sets(self) -> dict[str, Path]:
        """The files of the validation sets with a name, by it."""
        return {name: set_file(self.val, name) for name in names_beside(self.val)}

    @property
    def of_trials(self) -> dict[str, str]:
        """What the config of a trial says of the folder that its sweep trains on."""
        named = {"val_sets": ",".join(self.val_sets)} if self.val_sets else {}
        return {"train_data": str(self.train), "val_data": str(self.val), **named}

    def remedy(self) -> str:
        """What to do if a file is missing here: a command that `prepare` does not refuse."""
        name = shlex.quote(str(self.path))
        make = "python -m sweeper prepare"
        there: set[str] = set()
        with suppress(OSError):
            there.update(os.listdir(self.path))
        if not there:
            return f"make one with: {make} FILES --out {name}"
        if there.isdisjoint(self.NAMES):
            tokens = shlex.quote(f"{self.path}-tokens")
            return f"is it text? then: {make} {name} --out {tokens}, and name that folder"
        return f"move what is there away, then make one with: {make} FILES --out {name}"
