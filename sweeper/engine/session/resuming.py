"""Checks before a sweep goes on: its changes are allowed, and everything else is as it was."""

import json
import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sweeper.engine.session.fingerprint import (
    differences,
    is_changeable,
    take_fingerprint,
)
from sweeper.engine.session.spending import require_unspent
from sweeper.engine.session.terms import SessionTerms
from sweeper.errors import RunFolderError, SpecError
from sweeper.plan.plan import Plan, data_folder, make_plan
from sweeper.record.buckets.addresses import is_address
from sweeper.record.effective_spec import all_overrides, effective_spec
from sweeper.record.journal import read_journal
from sweeper.record.replay import replay
from sweeper.record.run_folder import RunFolder, reached
from sweeper.record.state.events import Event, Fingerprint
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.submission.code import code_here
from sweeper.spec.operating.spend import with_zone
from sweeper.spec.reading.names import top_key_hint
from sweeper.spec.reading.overrides import parse_override
from sweeper.spec.reading.yaml_source import Plain, YamlSource
from sweeper.spec.sweep_spec import CHANGEABLE, SweepSpec
from sweeper.status import Status


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is to change in a resumed sweep, as the command line says it."""

    overrides: Sequence[str] = ()  # of --set
    num_trials: int | None = None
    finals: bool = False  # of a sweep whose spec has none: with what the defaults say
    retry_failed: bool = False
    accept: bool = False  # go on though settings, code or data are not what they were


NO_CHANGES = Changes()


@dataclass(frozen=True)
class Resumption:
    """A sweep that can go on, or that has nothing left to do."""

    plan: Plan
    source: YamlSource
    state: SweepState
    session: SessionTerms | None  # None: every trial has ended

    @property
    def notes(self) -> list[str]:
        """What the user should know of this session before it begins."""
        if self.session is None or not self.state.sessions:
            return []
        torch, before = version("torch"), self.state.sessions[-1].environment
        was = before.versions.get("torch", torch)
        changed = [f"Changed: {text}" for text in self.session.overrides]
        accepted = [f"Accepted: {text}" for text in self.session.accepted]
        return changed + accepted + ([f"torch was {was}, is {torch}"] if was != torch else [])


def prepare_resumption(folder: RunFolder, changes: Changes, trainer: str) -> Resumption:
    """Check everything that can be checked before Ray starts. Writes nothing.

    Args:
        trainer: The class of the training loop, as `module:name`.

    Raises:
        UserError: a change that is not allowed; settings, code or data that are not what they
            were; a damaged journal.
    """
    events = list(read_journal(folder.journal))
    if changes.num_trials is not None:
        _require_draws(folder, events)
    allowed = allowed_overrides(changes, folder)
    before, _ = effective_spec(folder, events)
    if changes.finals and before.finals is None and not any(map(_is_of_finals, allowed)):
        allowed.append("finals={}")
    allowed += _own_code(before, folder)
    spec, source = effective_spec(folder, events, allowed)
    data = _data_of(spec, folder, source)
    plan = make_plan(spec, data, source)
    state = replay(plan.spec, folder, events)
    _require_all_trials(plan, state, changes, source)
    _require_open_finals(state, before, folder)
    if not _has_work(plan, state, changes):
        return Resumption(plan, source, state, None)
    require_unspent(state, folder)
    fingerprint = take_fingerprint(plan.spec, trainer)
    session = SessionTerms(
        overrides=tuple(all_overrides(events, allowed)),
        fingerprint=fingerprint,
        accepted=_accepted(fingerprint, state, folder, changes),
        retry_failed=changes.retry_failed,
    )
    return Resumption(plan, source, state, session)


def allowed_overrides(changes: Changes, folder: RunFolder) -> list[str]:
    """`--set` and `--num-trials` as overrides of sweep.yaml.

    Raises:
        SpecError: with every change that a sweep which has begun cannot take.
    """
    problems: list[str] = []
    allowed = []
    for text in changes.overrides:
        try:
            key_path, value = parse_override(text)
        except SpecError as error:
            problems += error.problems
            continue
        key = ".".join(map(str, key_path))
        if not is_changeable(key):
            problems.append(_refusal(key, text, folder))
        elif key == "data" and isinstance(value, str) and not is_address(value):
            here = Path(os.path.expanduser(value)).resolve()  # the next may start elsewhere
            allowed.append(f"data={json.dumps(str(here))}")
        elif key_path[0] == "max_spend" and (told := _of_this_clock(value)) != value:
            allowed.append(f"{key}={json.dumps(told)}")
        else:
            allowed.append(text)
    if problems:
        raise SpecError(problems)
    if changes.num_trials is not None:
        allowed.append(f"search.num_trials={changes.num_trials}")
    return allowed


def _of_this_clock(value: Plain) -> Plain:
    """A part of `max_spend`, or all of it. A time without a zone is one of this machine, wherever
    the next session starts. What is no time is refused later, with its place."""
    if isinstance(value, dict):
        return {key: _of_this_clock(part) for key, part in value.items()}
    with suppress(ValueError):
        return with_zone(value) if isinstance(value, str) else value
    return value


def _refusal(key: str, text: str, folder: RunFolder) -> str:
    section = key.partition(".")[0]
    if section not in SweepSpec.model_fields:
        return f"--set {section}: no such key{top_key_hint(section)}"
    return (
        f"--set {key}: is fixed since the sweep began, or its trials could not be compared "
        f"(free are {', '.join(CHANGEABLE)}); start a new sweep: "
        f"python -m sweeper run {shlex.quote(str(folder.spec))} --set {shlex.quote(text)}"
    )


def _require_draws(folder: RunFolder, events: Sequence[Event]) -> None:
    """Raises:
    SpecError: the number of trials does not depend on `search.num_trials`.
    """
    spec, _ = effective_spec(folder, events)
    if spec.search.algorithm == "grid":
        problem = "a grid search tries every combination; for other values start a new sweep"
        example = f"python -m sweeper run {folder.spec} --set 'space.KEY.grid=[…]'"
        raise SpecError([f"--num-trials: {problem}: {example}"])


def _own_code(spec: SweepSpec, folder: RunFolder) -> list[str]:
    """Where this machine has the code that was submitted with the sweep, as an override."""
    if spec.trainer is None:
        return []
    with reached(folder.path.parent):
        here = code_here(folder, spec.trainer.folder)
    return [] if here is None else [f"trainer.folder={json.dumps(str(here))}"]


def _data_of(spec: SweepSpec, folder: RunFolder, source: YamlSource) -> Path | None:
    if not spec.is_ours:
        return None
    assert spec.data is not None, "a resolved spec names its data"
    data = data_folder(spec.data, source)
    if not data.is_dir():
        raise RunFolderError(
            f"{folder.path}: no folder {spec.data}, which it trains on; if that has moved: "
            f"python -m sweeper resume {folder.called} --set data=FOLDER"
        )
    return data


def _require_all_trials(
    plan: Plan, state: SweepState, changes: Changes, source: YamlSource
) -> None:
    """Raises:
    SpecError: there would be fewer trials than have been created.
    """
    there = sum(not trial.is_final for trial in state.trials.values())
    if plan.spec.search.num_trials is None or len(plan.trials) >= there:
        return
    at_least = -(-there // len(plan.spec.seeds or [0]))
    problem = f"must be at least {at_least}: so many have begun"
    if changes.num_trials is not None:
        raise SpecError([f"--num-trials: {problem}, got {changes.num_trials}"])
    raise SpecError([source.problem(("search", "num_trials"), problem)])


def _is_of_finals(override: str) -> bool:
    return parse_override(override)[0][0] == "finals"


def _require_open_finals(state: SweepState, before: SweepSpec, folder: RunFolder) -> None:
    """Raises:
    SpecError: what decides who is in the finals, or how sure they are, changes after they began.
    """
    if state.finals is None or state.finals.begun is None:
        return
    again = (
        "start a new sweep: "
        f"python -m sweeper run {shlex.quote(str(folder.spec))} --set 'finals={{top: …}}'"
    )
    if state.spec.finals != before.finals:
        problem = "they have begun, and each look at them has its share of the error"
        raise SpecError([f"--set finals: {problem}; {again}"])
    if state.spec.search.num_trials != before.search.num_trials:
        raise SpecError([f"--num-trials: the finals have begun, with the best so far; {again}"])


def _has_work(plan: Plan, state: SweepState, changes: Changes) -> bool:
    """Whether there is a trial to run or to try again."""
    if changes.retry_failed and state.with_status(Status.FAILED):
        return True
    has_more = state.may_have_more(len(plan.trials)) or state.has_finals_left
    return state.outcome != "finished" or has_more


def _accepted(
    fingerprint: Fingerprint, state: SweepState, folder: RunFolder, changes: Changes
) -> tuple[str, ...]:
    """What differs from the session before, if the user has accepted that."""
    before = state.sessions[-1].environment.fingerprint if state.sessions else None
    if before is None or before == Fingerprint():
        return ()  # killed before it began
    found = differences(before, fingerprint)
    if found and not changes.accept:
        listed = "\n  ".join(found)
        raise RunFolderError(
            f"{folder.path}: its trials so far ran with something else:\n  {listed}\n"
            "Put back what was there. Or let the trials to come differ from those before: "
            f"python -m sweeper resume {folder.called} --accept-changes"
        )
    return tuple(found)
