"""The journal's segments, and the fence that they are."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeper.record.buckets.bucket import Bucket
from sweeper.record.stores.segments import Fenced, SegmentWriter, read_segments, segment_name
from tests.sweeper.servers import Network


class Failing(Bucket):
    """Loses requests, and answers to requests that it has carried out."""

    def __init__(self, address: str, chance: Callable[[], float]) -> None:
        super().__init__(address)
        self.chance = chance

    def _create(self, name: str, content: bytes) -> bool:
        drawn = self.chance()
        if drawn < 0.2:
            raise OSError("the request was lost")
        created = super()._create(name, content)
        if drawn < 0.4:
            raise OSError("the answer was lost")
        return created


class Driver:
    """Opens the journal, and writes it on until it meets the fence; then it opens it anew."""

    def __init__(self, name: str, bucket: Bucket) -> None:
        self.name, self.bucket = name, bucket
        self.others: list[Driver] = []
        self.rng = random.Random()
        self.at_work = False
        self.writer: SegmentWriter | None = None
        self.committed: list[tuple[int, bytes]] = []
        self.times_fenced = 0

    def turn(self) -> None:
        if self.at_work:  # it waits for the bucket; another has called it
            return
        self.at_work = True
        if self.writer is None:
            after = len(read_segments(self.bucket, 0))
            self.writer = SegmentWriter(self.bucket, after)
            self.bucket.sleep = self._others_go_on
        else:
            lines = f"{self.name}{self.rng.random()}\n".encode()
            try:
                self.writer.commit(lines)
                self.committed.append((self.writer.number, lines))
            except Fenced:
                self.writer = None
                self.times_fenced += 1
        self.at_work = False

    def _others_go_on(self, seconds: float) -> None:
        for other in self.others:
            other.turn()


def test_in_1000_interleavings_of_two_drivers_each_segment_is_written_by_exactly_one(
    tmp_path: Path,
) -> None:
    times_fenced = 0
    for seed in range(1000):
        rng = random.Random(seed)
        bucket = Failing(f"file://{tmp_path}/{seed}", rng.random)
        drivers = [Driver(name, Failing(bucket.address, rng.random)) for name in "ab"]
        for driver, other in zip(drivers, reversed(drivers), strict=True):
            driver.others, driver.rng = [other], rng
        for _ in range(12):
            rng.choice(drivers).turn()
        there = [lines for lines, _ in read_segments(bucket, 0)]
        committed = dict(sorted(drivers[0].committed + drivers[1].committed))
        assert len(committed) == sum(len(driver.committed) for driver in drivers)
        assert committed == {n: lines for n, lines in enumerate(there, start=1)}
        times_fenced += sum(driver.times_fenced for driver in drivers)
    assert times_fenced > 1000  # so they have met


def test_of_two_with_the_same_lines_one_is_fenced_and_told_by_whom(tmp_path: Path) -> None:
    bucket = Bucket(f"file://{tmp_path}/bucket")
    first, second = SegmentWriter(bucket, 0), SegmentWriter(bucket, 0)
    first.commit(b"same\n")
    with pytest.raises(Fenced, match=r"process \d+ on "):
        second.commit(b"same\n")


def test_a_bucket_that_stays_away_is_an_error_after_a_while(tmp_path: Path) -> None:
    bucket = Failing(f"file://{tmp_path}/bucket", lambda: 0.0)
    bucket.patience_seconds = 0.0
    with pytest.raises(OSError, match="the request was lost"):
        SegmentWriter(bucket, 0).commit(b"\n")


def test_a_segment_that_was_deleted_is_an_error(tmp_path: Path) -> None:
    bucket = Bucket(f"file://{tmp_path}/bucket")
    writer = SegmentWriter(bucket, 0)
    for _ in range(3):
        writer.commit(b"line\n")
    bucket.delete([segment_name(2)])
    with pytest.raises(FileNotFoundError, match=segment_name(2)):
        read_segments(bucket, 0)


def test_over_a_network_that_cuts_connections_nothing_is_lost_or_written_twice(
    s3: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network(endpoint, seed=1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", network.endpoint)
    writer = SegmentWriter(Bucket(f"{s3}/cut"), 0)
    lines = [f"{number} {'x' * 300}\n".encode() for number in range(60)]
    for line in lines:
        writer.commit(line)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert [there for there, _ in read_segments(Bucket(f"{s3}/cut"), 0)] == lines
    assert network.times_cut > 5
