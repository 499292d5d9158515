"""What the campaign makes of what it meets, without a cluster."""

from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import kills
from benchmarks.kills import Campaign, Sweep
from sweeper.record.buckets.bucket import Bucket


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(kills, "RUNS", f"file://{tmp_path}/bucket")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    made: Any = object.__new__(Campaign)
    made.root, made.chance, made.sweeps, made.over = tmp_path, Random(0), [], []
    made.head = SimpleNamespace(address="http://head", environment_of=lambda machine: {})
    made.expected, made.is_well = [{}], True
    return made


def test_what_a_head_did_not_take_is_submitted_again_by_its_name(
    campaign: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        words.append(command[3:5])
        if len(words) == 2:  # until then it did not come so far
            Bucket(kills.RUNS).put("killed0/sweep.yaml", b"")
        return SimpleNamespace(returncode=len(words) < 3, stdout="", stderr="")

    monkeypatch.setattr("subprocess.run", run)
    campaign._submit()
    space = str(campaign.root / "killed0" / "space.yaml")
    assert words == [["submit", space], ["submit", space], ["submit", "killed0"]]


def test_the_first_fault_counts_and_a_decision_that_differs_is_no_success(
    campaign: Any, tmp_path: Path
) -> None:
    sweep = Sweep("killed0", tmp_path, 0, Bucket(f"{kills.RUNS}/killed0"))
    sweep.lose("driver", 1.0)
    sweep.lose("head", 2.0)
    assert sweep.lost == ("driver", 1.0)
    campaign._check(sweep)
    assert campaign.is_well
    campaign.expected = [{"0000": []}]
    campaign._check(sweep)
    assert not campaign.is_well
