"""What the trials of a sweep have in common, so that a resumed session can tell whether it still
holds: the settings that must not change, the code that trains, the data that it trains on."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.in_bucket import place_here
from sweeper.engine.session.program_code import COMMIT, code_files
from sweeper.record.state.events import Fingerprint
from sweeper.record.submission.code import NAME
from sweeper.spec.sweep_spec import CHANGEABLE, SweepSpec
from sweeper.spec.trainer.section import TrainerSpec

TRAINABLE = "trainable"  # the package whose sources count
BLOCK = 4096  # bytes
BLOCKS = 64  # that are read of a data file, evenly spread: it may be large


def take_fingerprint(spec: SweepSpec, trainer: str) -> Fingerprint:
    """The fingerprint of a resolved spec. `trainer` is the class of the training loop, as
    `module:name`."""
    if spec.trainer is not None:
        code = program_fingerprint(spec.trainer)
        return Fingerprint(spec=fixed_settings(spec), code=code, data={})
    assert spec.data is not None, "a resolved spec names its data"
    return Fingerprint(
        spec=fixed_settings(spec),
        code={name: _hash([path.read_bytes()]) for name, path in _sources(trainer).items()},
        data=_data_hashes(CorpusFolder(place_here(spec.data))),
    )


def program_fingerprint(trainer: TrainerSpec) -> dict[str, str]:
    """Of another trainer's code: the commit, and each of its files that git does not have so. Of
    what was submitted its name, which follows from all its files: a git around it is another's.

    Raises:
        TrainerError: its folder is not there.
    """
    folder = Path(trainer.folder)
    if folder.is_dir() and NAME.fullmatch(folder.name):
        return {folder.name: folder.name.removeprefix("code-")}
    files, commit = code_files(trainer)
    told = {} if commit is None else {COMMIT: commit[:16]}
    return told | {name: _hash([path.read_bytes()]) for name, path in files.items()}


def fixed_settings(spec: SweepSpec) -> dict[str, object]:
    """What must not change, by dotted key: `train.max_steps`, `space.learning_rate`, …"""
    settings: dict[str, object] = {}
    for key, section in spec.model_dump(mode="json").items():
        inner = section.items() if isinstance(section, dict) else ()
        settings |= {f"{key}.{name}": value for name, value in inner} or {key: section}
    return {key: value for key, value in settings.items() if not is_changeable(key)}


def is_changeable(key: str) -> bool:
    """Whether a resumed sweep may have another value for this dotted key."""
    return any(key == free or key.startswith(f"{free}.") for free in CHANGEABLE)


def differences(before: Fingerprint, now: Fingerprint) -> list[str]:
    """What has changed, a line for each change."""
    return [
        *_differences(_stated(before.spec), _stated(now.spec), tell_values=True),
        *_code_differences(before.code, now.code),
        *_differences(before.data, now.data),
    ]


def _stated(settings: Mapping[str, object]) -> dict[str, object]:
    """Without what is null: a key that a version before did not have."""
    return {key: value for key, value in settings.items() if value is not None}


def _code_differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """With git only the files are stated that differ from the commit: one that comes may be new or
    changed, and one that goes may be as it was."""
    if COMMIT in old and COMMIT in new:
        names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
        yield from (f"{name} has changed" for name in names)
    else:
        yield from _differences(old, new)


def _differences(
    old: Mapping[str, object], new: Mapping[str, object], *, tell_values: bool = False
) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield f"{name} is gone"
        elif name not in old:
            yield f"{name} is new"
        elif old[name] != new[name]:
            values = f"was {_shown(old[name])}, is {_shown(new[name])}"
            yield f"{name} {values if tell_values else 'has changed'}"


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _sources(trainer: str) -> dict[str, Path]:
    """The files of the training code, by names that do not depend on where they are installed."""
    package = _file_of(TRAINABLE).parent
    sources = {
        f"{TRAINABLE}/{path.relative_to(package).as_posix()}": path
        for path in sorted(package.rglob("*.py"))
    }
    module = trainer.partition(":")[0]
    if module.partition(".")[0] != TRAINABLE:
        sources[module] = _file_of(module)
    return sources


def _file_of(module: str) -> Path:
    found = find_spec(module)
    assert found is not None and found.origin is not None
    return Path(found.origin)


def _data_hashes(folder: CorpusFolder) -> dict[str, str]:
    files = (folder.meta, folder.train, folder.val, *folder.val_sets.values())
    return {f"data/{path.name}": _sample(path) for path in files if path.is_file()}


def _sample(path: Path) -> str:
    """A hash of the file's size and of some of its blocks, with the first and the last."""
    size = os.path.getsize(path)
    last = max(0, size - BLOCK)
    starts = sorted({last * i // (BLOCKS - 1) for i in range(BLOCKS)})
    with path.open("rb") as file:
        blocks = [str(size).encode()]
        for start in starts:
            file.seek(start)
            blocks.append(file.read(BLOCK))
    return _hash(blocks)


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]
