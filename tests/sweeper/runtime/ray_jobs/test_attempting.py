"""What a job is started with, what a keeper does: a cluster that only notes what it is told."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from sweeper.analysis.monitor import Monitor
from sweeper.commands.cli import app
from sweeper.errors import ResourceError
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.journal import begin_journal
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.stores import presence
from sweeper.record.stores.in_bucket import InBucket
from sweeper.record.stores.places import runs_folder
from sweeper.record.submission import next_attempt
from sweeper.record.submission.attempts import End, read_attempts, record_end
from sweeper.runtime.ray_jobs import keeping
from sweeper.runtime.ray_jobs.attempting import start_attempt
from tests.sweeper.servers import KEYS, refuse_to_read


class NotingJobs:
    started: list[dict[str, Any]]
    refuses = False

    def __init__(self, address: str) -> None:
        if self.refuses:
            raise ResourceError("no Ray dashboard answers there")

    def start(self, job: str, command: list[str], **about: Any) -> None:
        self.started.append({"job": job, "command": command, **about})


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> type[NotingJobs]:
    monkeypatch.setattr(keeping, "Jobs", NotingJobs)
    monkeypatch.setattr(NotingJobs, "started", [], raising=False)
    return NotingJobs


@pytest.fixture
def folder(tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Of a sweep in a bucket, which was submitted by somebody with keys in the environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    runs = runs_folder(f"file://{tmp_path}/bucket")
    folder = create_run_folder(runs, tiny_plan().spec, None, "space.yaml")
    begin_journal(folder)
    return folder


def keeps(folder: RunFolder, monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[str]:
    """What a keeper says so long after the last attempt."""
    submitted = read_attempts(folder)[-1].submitted
    monkeypatch.setattr("time.time", lambda: submitted + seconds)
    said: list[str] = []
    keeping.Keeper(folder.path.parent, "http://head:8265", said.append).look()
    return said


def test_a_job_is_a_command_of_ours_without_keys(
    folder: RunFolder, jobs: type[NotingJobs], tmp_path: Path
) -> None:
    attempt = start_attempt(Monitor(folder), NotingJobs("http://head"), by_hand=True)
    [started] = jobs.started
    assert attempt is not None and started["job"] == attempt.job
    assert started["command"][:3] == ["python", "-m", "sweeper"]
    name, *words = started["command"][3:]
    command = get_command(app)
    made = command.get_command(None, name).make_context(name, list(words))
    assert (made.params["name"], made.params["number"]) == ("tiny", 1)
    assert started["stop_seconds"] > 13  # that a driver may take
    told = str(started) + "".join(
        path.read_text() for path in (tmp_path / "bucket").rglob("*") if path.is_file()
    )
    assert not [key for key in KEYS.values() if key in told and key != KEYS["AWS_REGION"]]


def test_a_lost_sweep_is_submitted_again_and_one_in_vain_is_given_up(
    folder: RunFolder, jobs: type[NotingJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_attempt(Monitor(folder), NotingJobs(""), by_hand=True)
    assert keeps(folder, monkeypatch, 1) == []
    assert Monitor(folder).state_name == "submitted"
    for number in range(2, next_attempt.MOST_IN_VAIN + 1):
        [said] = keeps(folder, monkeypatch, 300)
        assert f"attempt {number} is job sweeper-tiny-{number}-" in said
    [said] = keeps(folder, monkeypatch, 10_000)
    assert "given up: 5 attempts in a row" in said
    assert len(jobs.started) == next_attempt.MOST_IN_VAIN
    assert len({started["job"] for started in jobs.started}) == next_attempt.MOST_IN_VAIN


def test_each_attempt_logs_to_wandb_as_the_one_before_until_somebody_says_otherwise(
    folder: RunFolder, jobs: type[NotingJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_attempt(Monitor(folder), NotingJobs(""), by_hand=True)
    start_attempt(Monitor(folder), NotingJobs(""), by_hand=True, wandb="online")
    keeps(folder, monkeypatch, 300)
    start_attempt(Monitor(folder), NotingJobs(""), by_hand=True, wandb="off")
    assert [each.wandb for each in read_attempts(folder)] == ["off", "online", "online", "off"]


def test_a_cluster_that_is_away_costs_no_attempt(
    folder: RunFolder, jobs: type[NotingJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_attempt(Monitor(folder), NotingJobs(""), by_hand=True)
    monkeypatch.setattr(jobs, "refuses", True)
    assert keeps(folder, monkeypatch, 1000) == ["tiny: no Ray dashboard answers there"]
    assert len(read_attempts(folder)) == 1


def test_a_driver_is_lost_once_nothing_was_heard_of_it_for_long_whatever_a_clock_says(
    folder: RunFolder, jobs: type[NotingJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_attempt(Monitor(folder), NotingJobs(""), by_hand=True)
    bucket = Bucket(str(folder.store.address))
    driver = presence.Driver("gpu-1", 7, "another")
    submitted, clock = read_attempts(folder)[-1].submitted, [0.0]
    monkeypatch.setattr("time.time", lambda: submitted + 1000)
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    keeper = keeping.Keeper(folder.path.parent, "http://head:8265", lambda said: None)

    def looks(seconds: float) -> bool:
        clock[0] += seconds
        return keeper.look()

    for _ in range(10):
        driver.say(bucket)
        assert looks(presence.GONE_SECONDS / 2)
    assert looks(presence.GONE_SECONDS * 10)  # in which the bucket was away, perhaps
    assert len(jobs.started) == 1
    assert not looks(presence.GONE_SECONDS / 2)
    assert len(jobs.started) == 2


def test_a_driver_of_this_machine_is_known_to_be_lost_by_its_lock(
    folder: RunFolder, jobs: type[NotingJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_attempt(Monitor(folder), NotingJobs(""), by_hand=True)
    folder.store.pull()
    presence.Driver.here(folder.path).say(Bucket(str(folder.store.address)))
    [said] = keeps(folder, monkeypatch, 1000)
    assert "attempt 2 is job" in said


def test_a_name_that_another_sweep_has_by_now_is_looked_at_again(
    folder: RunFolder, jobs: type[NotingJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    said: list[str] = []
    keeper = keeping.Keeper(folder.path.parent, "http://head:8265", said.append)
    keeper.look()  # it was not submitted
    start_attempt(Monitor(folder), NotingJobs(""), by_hand=True)
    submitted = read_attempts(folder)[-1].submitted
    monkeypatch.setattr("time.time", lambda: submitted + 300)
    clock[0] = keeping.ALL_EVERY_SECONDS + 1
    keeper.look()
    assert "attempt 2 is job" in said[0]


def test_a_job_that_begins_late_is_not_doubled(
    folder: RunFolder, jobs: type[NotingJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_attempt(Monitor(folder), NotingJobs(""), by_hand=True)

    def begins(self: NotingJobs, address: str) -> None:  # while the cluster is asked
        presence.Driver("gpu-1", 7, "another").say(Bucket(str(folder.store.address)))

    monkeypatch.setattr(jobs, "__init__", begins)
    assert keeps(folder, monkeypatch, 300) == []
    assert len(jobs.started) == 1


def test_a_sweep_that_cannot_be_read_keeps_no_other_from_being_looked_at(
    folder: RunFolder, jobs: type[NotingJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_attempt(Monitor(folder), NotingJobs(""), by_hand=True)
    bad = RunFolder(folder.path.with_name("bad"))
    Bucket(str(bad.store.address)).put("journal/1", b"")
    refuse_to_read("bad", monkeypatch)
    told, went_on = keeps(folder, monkeypatch, 300)
    assert told == "bad: cannot be read (it is another's)"
    assert "attempt 2 is job" in went_on


def test_only_what_may_be_lost_is_listened_to(
    folder: RunFolder, jobs: type[NotingJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = start_attempt(Monitor(folder), NotingJobs(""), by_hand=True)
    assert attempt is not None
    bucket = Bucket(str(folder.store.address))
    presence.Driver("gpu-1", 7, "another").say(bucket)
    asked: list[str] = []
    is_silent = InBucket.is_silent

    def noted(store: InBucket) -> bool:
        asked.append(store.address)
        return is_silent(store)

    monkeypatch.setattr(InBucket, "is_silent", noted)
    keeper = keeping.Keeper(folder.path.parent, "http://head:8265", lambda said: None)
    assert [keeper.look(), keeper.look()] == [True, True]
    record_end(folder, attempt, End(how="refused", said="no data"))
    bucket.delete([presence.PRESENCE])
    assert not keeper.look()
    before = len(asked)
    keeper.look()
    assert len(asked) == before
    shutil.rmtree(str(folder.store.address).removeprefix("file://"))
    keeper._left.clear()
    keeper.look()
    keeper.look()
    assert len(asked) == before + 1
