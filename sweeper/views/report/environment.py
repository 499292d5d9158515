"""What it takes to run the sweep again: versions, code, machine, data, commands."""

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeper.analysis.summary.sweep_data import Session, SweepData

Facts = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # (heading, ((name, value), …)), …


def environment_facts(sweep: SweepData) -> Facts:
    """What is known, under headings. Software and machine are those of the newest session."""
    if not sweep.sessions:
        return _data(sweep)
    newest = sweep.sessions[-1].environment
    return (
        ("Sessions", tuple((_span(s), _command(s)) for s in sweep.sessions)),
        ("Software", (*_software(newest), *_code(sweep))),
        ("Machine", tuple(_machine(newest))),
        *_data(sweep),
    )


def _span(session: Session) -> str:
    end = "" if session.ended is None else f" to {_time(session.ended, since=session.started)}"
    return f"{_time(session.started)}{end}"


def _time(text: str, since: str = "") -> str:
    """`2026-11-25 03:29:26`, or without the day if it is the same as in `since`."""
    day, _, rest = text.partition("T")
    clock = rest[:8]
    return clock if since.startswith(day) else f"{day} {clock}"


def _command(session: Session) -> str:
    command = session.environment.get("command")
    words = [str(word) for word in command] if isinstance(command, list) else []
    if words and words[0].endswith("__main__.py"):
        words[:1] = ["python", "-m", "sweeper"]
    outcome = session.outcome or "did not say how it ended"
    return f"{shlex.join(words)}  → {outcome}" if words else outcome


def _software(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = environment.get("versions")
    facts = [("python", str(environment.get("python", "?")))]
    if isinstance(versions, dict):
        facts += [(str(name), str(version)) for name, version in versions.items()]
    git = environment.get("git")
    if isinstance(git, dict):
        state = "with changes that are not committed" if git.get("dirty") else "clean"
        facts.append(("git", f"{git.get('commit')}, {state}"))
    return facts


def _code(sweep: SweepData) -> list[tuple[str, str]]:
    """One hash for all files of the training code, made from their hashes."""
    files = _fingerprint(sweep, "code")
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return [("training code", f"{len(files)} files, hash {digest[:16]}")] if files else []


def _machine(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("host", str(environment.get("host", "?")))]
    machine = environment.get("machine")
    if isinstance(machine, dict):
        facts.append(("CPU", f"{machine.get('cpu') or '?'}, {machine.get('cpus')} cores"))
        if machine.get("memory_bytes"):
            facts.append(("memory", f"{machine['memory_bytes'] / 2**30:.0f} GiB"))
        facts.append(("GPUs", ", ".join(machine.get("gpus") or []) or "none"))
    placement = environment.get("placement")
    if isinstance(placement, dict):
        slots, cpu, gpu = (placement.get(key) for key in ("slots", "cpu", "gpu"))
        facts.append(("trials at a time", f"{slots}, each {cpu} CPUs and {gpu} GPUs"))
    return facts


def _data(sweep: SweepData) -> Facts:
    """The hashes are those that the newest session took; if it took none, those in meta.json."""
    meta = sweep.data or {}
    shown = ("tokenizer", "vocab_size", "train_tokens", "val_tokens")
    facts = [(name.replace("_", " "), _grouped(meta[name])) for name in shown if name in meta]
    hashes = _fingerprint(sweep, "data") or meta.get("sha256")
    if isinstance(hashes, dict):
        facts += [(f"hash of {Path(name).name}", str(value)) for name, value in hashes.items()]
    return (("Data", tuple(facts)),) if facts else ()


def _fingerprint(sweep: SweepData, part: str) -> dict[str, Any]:
    """The hashes that the newest session took of the data or of the code, by file."""
    environment = sweep.sessions[-1].environment if sweep.sessions else {}
    fingerprint = environment.get("fingerprint")
    files = fingerprint.get(part) if isinstance(fingerprint, dict) else None
    return files if isinstance(files, dict) else {}


def _grouped(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
