"""What the best trials have written at the end of a sweep, each from the same beginning."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass

from sweeper.record.run_folder import RunFolder, write_json

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
    temperature: float
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
        read = json.loads(folder.texts.read_text(encoding="utf-8"))
        texts = tuple(
            Text(trial_id=str(of["trial_id"]), step=int(of["step"]), written=str(of["written"]))
            for of in read["texts"]
        )
        prompt, temperature = str(read["prompt"]), float(read["temperature"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return Texts(prompt=prompt, temperature=temperature, texts=texts)
