"""What the best trials have written at the end of a sweep, each from the same beginning."""

from contextlib import suppress
from dataclasses import asdict, dataclass

from pydantic import FiniteFloat

from sweeper.record.run_folder import RunFolder, write_json
from sweeper.typed_json import read_json

WRITERS = 2  # so many of the best points, each by its best trial


@dataclass(frozen=True, kw_only=True)
class Text:
    trial_id: str
    step: int  # of the checkpoint that wrote it
    written: str  # behind the prompt


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The best trial's comes first."""

    prompt: str
    temperature: FiniteFloat
    texts: tuple[Text, ...]


def write_texts(folder: RunFolder, texts: Texts) -> None:
    write_json(folder.texts, asdict(texts))


def delete_texts(folder: RunFolder) -> None:
    """A session begins: others may be best at its end. What stays nobody shows who looks at who is
    best."""
    with suppress(OSError):
        folder.texts.unlink()


def read_texts(folder: RunFolder) -> Texts | None:
    """None where there are none, or the file has become something else."""
    try:
        return read_json(Texts, folder.texts.read_bytes())
    except (OSError, ValueError):
        return None
