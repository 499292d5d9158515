"""A journal whose lines are each well formed and contradict one another: the line is named, where
the answer would be another."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import RunFolderError, SpecError
from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder

OLD = Path(__file__).parent / "old_journals"


def last(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(event for event in reversed(events) if event["event"] == kind)


def a_config_that_is_not_of_its_values(events: list[dict[str, Any]]) -> None:
    last(events, "trial_created")["config"]["learning_rate"] = 0.002


def another_config_on_its_way(events: list[dict[str, Any]]) -> None:
    last(events, "exploited")["config"]["learning_rate"] = 0.5


def a_step_back(events: list[dict[str, Any]]) -> None:
    """At no rung, so that no decision is another."""
    trial = last(events, "report")["trial"]
    own = [e for e in events if e["event"] == "report" and e["trial"] == trial]
    own[2]["metrics"]["step"] = own[1]["metrics"]["step"]


def a_point_of_another_kind(events: list[dict[str, Any]]) -> None:
    last(events, "warm_started")["points"][0]["values"]["learning_rate"] = "x"


@pytest.mark.parametrize(
    ("name", "contradict", "told"),
    [
        ("seeds", a_config_that_is_not_of_its_values,
         r"config\.learning_rate: 0\.002, but values.learning_rate is 0\.001"),
        ("population", another_config_on_its_way, r"config\.learning_rate: 0\.5, but values"),
        ("seeds", a_step_back, r"metrics\.step: must be above \d+, the last one"),
        ("warm", a_point_of_another_kind, r"points\.0\.values\.learning_rate: must be"),
    ],
)  # fmt: skip
def test_it_is_told(
    tmp_path: Path, name: str, contradict: Callable[[list[dict[str, Any]]], None], told: str
) -> None:
    folder = RunFolder(tmp_path / name)
    shutil.copytree(OLD / name, folder.path)
    events = [json.loads(line) for line in folder.journal.read_bytes().splitlines()]
    contradict(events)
    folder.journal.write_text("".join(json.dumps(event) + "\n" for event in events))
    with pytest.raises(RunFolderError, match=rf"journal\.jsonl:\d+: .*{told}"):
        read_state(folder)


@pytest.mark.parametrize("override", ["true", "train.max_steps=x", "train.max_steps=[", "a.b=1"])
def test_an_override_that_nobody_typed_now_is_told_with_its_place(
    tmp_path: Path, override: str
) -> None:
    folder = RunFolder(tmp_path / "seeds")
    shutil.copytree(OLD / "seeds", folder.path)
    first, *rest = folder.journal.read_bytes().splitlines(keepends=True)
    event = json.loads(first) | {"overrides": [override]}
    folder.journal.write_bytes(b"".join([json.dumps(event).encode() + b"\n", *rest]))
    with pytest.raises(SpecError, match=r"journal\.jsonl: session_started: --set "):
        read_state(folder)
