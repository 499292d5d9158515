"""What the campaign makes of what it meets, without a cluster."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import kills
from benchmarks.killing.recovery import Recovery
from benchmarks.killing.sweeps import Sweep
from benchmarks.kills import Campaign
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.state.event_lines import to_line
from sweeper.record.state.events import Evaluated, SessionStarted
from sweeper.record.stores.segments import SegmentWriter
from sweeper.status import Decision
from trainable.loop.metrics import Metrics


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


def test_a_sweep_is_hit_again_once_it_has_got_on_and_what_took_how_long_is_told(
    campaign: Any, tmp_path: Path
) -> None:
    sweep = Sweep("killed0", tmp_path, 0, Bucket(f"{kills.RUNS}/killed0"))
    campaign.sweeps, campaign.next_kind = [sweep], "head"
    assert campaign._to_hit() == [sweep], "it was never hit"
    sweep.hit()
    sweep.lose("head", 1.0)
    assert campaign._to_hit() == []
    sweep.bucket.put("attempts/0001.json", b'{"submitted": 0.5}')
    sweep.bucket.put("attempts/0002.json", b'{"submitted": 21.0}')
    writer = SegmentWriter(sweep.bucket, 0)
    writer.commit(to_line(SessionStarted(time=datetime.fromtimestamp(30, UTC))))
    assert sweep.look() == []
    assert campaign._to_hit() == [], "it has a driver, and has not got on"
    reached: Any = {"trial": "0000", "metrics": Metrics(step=10), "decision": Decision.CONTINUE}
    of_rung: Any = dict.fromkeys(("rung", "rank", "of"))
    writer.commit(to_line(Evaluated(time=datetime.fromtimestamp(33, UTC), **reached, **of_rung)))
    (found,) = sweep.look()
    assert (found.kind, found.seconds, found.jobs, found.got_on) == ("head", 29.0, [21.0], 33.0)
    assert campaign._to_hit() == [sweep]
    sweep.hit()  # a worker
    assert campaign._to_hit() == []


def test_the_parts_of_a_recovery_are_all_of_it() -> None:
    moments: Any = {"kind": "driver", "lost": 100.0, "session": 150.0, "got_on": 153.0}
    found = Recovery(jobs=[120.0, 140.0], process=144.0, **moments)
    assert list(found.parts.values()) == [20.0, 20.0, 4.0, 6.0, 3.0]
    assert str(found).startswith("50.0 s after driver (s: 20.0 until it was noticed")
    assert list(Recovery(jobs=[], process=None, **moments).parts.values()) == [50.0, 3.0]
