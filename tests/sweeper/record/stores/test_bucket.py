"""Which answers of a bucket are final, and what becomes of those that are cut."""

import os
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from obstore.exceptions import BaseError

from sweeper.record.buckets import bucket
from sweeper.record.buckets.bucket import PIECE_BYTES, Bucket, _is_refused


@pytest.mark.parametrize(("code", "is_refused"), [(403, True), (404, True), (409, False)])
def test_what_is_tried_again(code: int, is_refused: bool) -> None:
    error = BaseError(f"Generic S3 error: … status code: {code} …")
    assert _is_refused(error) == is_refused


def test_what_takes_long_and_then_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large file takes minutes; that is not how long the bucket has failed."""
    there, clock, tries = Bucket(f"file://{tmp_path}"), [0.0], []
    monkeypatch.setattr(bucket, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(there, "sleep", lambda seconds: None)

    def large() -> str:
        tries.append(clock[0])
        clock[0] += 10 * there.patience_seconds
        if len(tries) == 1:
            raise BaseError("connection reset")
        return "done"

    assert there._tried("large", large) == "done"


class Cut(BaseHTTPRequestHandler):
    """Answers with one object, and hangs up before the end."""

    most = PIECE_BYTES + 1000
    content = os.urandom(12 * PIECE_BYTES + 5)  # more answers than the library tries for
    begins: list[int]  # of what was asked for

    def do_GET(self) -> None:
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))
        assert asked is not None
        begin, size = int(asked[1]), len(self.content)
        self.begins.append(begin)
        self.send_response(206 if begin else 200)
        for name, value in {
            "Content-Length": f"{size - begin}",
            "Content-Range": f"bytes {begin}-{size - 1}/{size}",
            "ETag": f'"{hash(self.content)}"',
            "Last-Modified": "Mon, 30 Nov 2026 12:00:00 GMT",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.content[begin : begin + self.most])
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


class Replaced(Cut):
    """By another of that size, after the first answer."""

    def do_GET(self) -> None:
        super().do_GET()
        Replaced.content = Cut.content[::-1]


@pytest.fixture(params=[Cut, Replaced])
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Cut]]:
    request.param.begins = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), request.param)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    Thread(target=server.serve_forever).start()
    yield request.param
    server.shutdown()
    server.server_close()


def test_a_large_object_comes_in_as_many_answers_as_it_takes(
    cut: type[Cut], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bucket, "patience_seconds", 0.0)
    Bucket("s3://bucket/data").download("train.npy", tmp_path / "train.npy")
    assert (tmp_path / "train.npy").read_bytes() == cut.content
    assert len(cut.begins) >= 3
    assert cut is Replaced or cut.begins == sorted(set(cut.begins)), "nothing comes twice"


def test_a_large_object_goes_there_in_parts(address: str, tmp_path: Path) -> None:
    bucket, path = Bucket(address), tmp_path / "large"
    path.write_bytes(Cut.content)
    for content in (path, Cut.content):
        bucket.put("large", content)
        bucket.download("large", tmp_path / "there")
        assert (tmp_path / "there").read_bytes() == Cut.content
