"""What it takes to run the sweep again: versions, code, machine, data, commands."""

import hashlib
import json
import shlex
from datetime import datetime
from pathlib import Path

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.record.state.events import SessionStarted
from sweeper.record.state.session import Session

Facts = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # (heading, ((name, value), …)), …


def environment_facts(sweep: SweepData) -> Facts:
    """What is known, under headings. Software and machine are those of the newest session."""
    if not sweep.sessions:
        return _data(sweep)
    newest = sweep.sessions[-1].environment
    return (
        ("Sessions", tuple(_session(sweep, session) for session in sweep.sessions)),
        ("Software", (*_software(newest), *_code(newest))),
        ("Machine", tuple(_machine(newest))),
        *_data(sweep),
    )


def _session(sweep: SweepData, session: Session) -> tuple[str, str]:
    """When it was, and its command."""
    began = _time(session.started)
    if sweep.state == "running" and session is sweep.sessions[-1]:
        return f"since {began}", _command(session, "running")
    end = "" if session.ended is None else f" to {_time(session.ended, since=session.started)}"
    return f"{began}{end}", _command(session, session.outcome or "did not say how it ended")


def _time(moment: datetime, since: datetime | None = None) -> str:
    """`2026-11-25 03:29:26`; the day is left out where it is that of `since`."""
    same_day = since is not None and since.date() == moment.date()
    return f"{moment:%H:%M:%S}" if same_day else f"{moment:%Y-%m-%d %H:%M:%S}"


def _command(session: Session, outcome: str) -> str:
    words = list(session.environment.command)
    if words and words[0].endswith("__main__.py"):
        words[:1] = ["python", "-m", "sweeper"]
    return f"{shlex.join(words)}  → {outcome}" if words else outcome


def _software(environment: SessionStarted) -> list[tuple[str, str]]:
    facts = [("python", environment.python or "?"), *environment.versions.items()]
    if environment.git is not None:
        state = "with changes that are not committed" if environment.git.dirty else "clean"
        facts.append(("git", f"{environment.git.commit}, {state}"))
    return facts


def _code(environment: SessionStarted) -> list[tuple[str, str]]:
    """One hash over those of the files."""
    files = environment.fingerprint.code
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return [("training code", f"{len(files)} files, hash {digest[:16]}")] if files else []


def _machine(environment: SessionStarted) -> list[tuple[str, str]]:
    facts = [("host", environment.host or "?")]
    if (machine := environment.machine) is not None:
        facts.append(("CPU", f"{machine.cpu or '?'}, {machine.cpus} cores"))
        if machine.memory_bytes:
            facts.append(("memory", f"{machine.memory_bytes / 2**30:.0f} GiB"))
        facts.append(("GPUs", ", ".join(machine.gpus) or "none"))
    if (given := environment.placement) is not None:
        each = f"{given.slots}, each {given.cpu} CPUs and {given.gpu} GPUs"
        each += f", in {given.processes} processes" if given.processes > 1 else ""
        facts.append(("trials at a time", each))
    return facts


def _data(sweep: SweepData) -> Facts:
    """The hashes are those of the newest session's time, else those that the data state."""
    meta = sweep.data or {}
    shown = ("tokenizer", "vocab_size", "train_tokens", "val_tokens")
    facts = [(name.replace("_", " "), _grouped(meta[name])) for name in shown if name in meta]
    newest = sweep.sessions[-1].environment if sweep.sessions else None
    hashes = (newest and newest.fingerprint.data) or meta.get("sha256")
    if isinstance(hashes, dict):
        facts += [(f"hash of {Path(name).name}", str(value)) for name, value in hashes.items()]
    return (("Data", tuple(facts)),) if facts else ()


def _grouped(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
